//! What happens in a run, line by line, for people: with `MILLPOND_SIM_LOG` set.

use std::sync::OnceLock;

/// Says something, if anybody listens.
pub(super) fn say(what: impl FnOnce() -> String) {
    static LISTENED_TO: OnceLock<bool> = OnceLock::new();
    if *LISTENED_TO.get_or_init(|| std::env::var_os("MILLPOND_SIM_LOG").is_some()) {
        println!("{}", what());
    }
}
