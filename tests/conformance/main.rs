//! What every state backend must do, in every configuration of it: Flink's `StateBackendTestBase`, `TtlStateTestBase` and
//! `StateBackendMigrationTestBase` as one table of behaviours, run over the table of configurations.
//!
//! A test is `theme::behaviour::configuration`; `cargo test -p millpond-tests --test conformance -- list::` or `… rocksdb-tiny` runs a part.
//! Behaviours and configurations are values, so that neither multiplies the other's compile time. A new behaviour is a
//! function in the file of its theme and a line in the list at the end of that file (the compiler reports one that is
//! missing there as unused). A new configuration is a line in `configuration.rs`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code"
)]

mod aggregating;
mod all_keys;
mod configuration;
mod erased;
mod evolution;
mod functions;
mod key_context;
mod list;
mod map;
mod merging;
mod namespaces;
mod operator_state;
mod query;
mod reducing;
mod registration;
mod rescale;
mod restore;
mod snapshots;
mod timers;
mod ttl;
mod value;
mod world;

use configuration::Configuration;
use libtest_mimic::{Arguments, Trial};

/// Something that a backend must do.
struct Behaviour {
    name: &'static str,
    /// Panics when the backend doesn't.
    check: fn(&Configuration),
}

/// The behaviours of a file, by the names of its functions.
macro_rules! behaviours {
    ($($name:ident),* $(,)?) => {
        pub const BEHAVIOURS: &[crate::Behaviour] =
            &[$(crate::Behaviour { name: stringify!($name), check: $name }),*];
    };
}
use behaviours;

/// Behaviours that belong together.
struct Theme {
    name: &'static str,
    behaviours: &'static [Behaviour],
    /// Whether the configuration differs, for this theme, from one that runs anyway: most have no timers in them.
    applies: fn(&Configuration) -> bool,
}

const fn theme(name: &'static str, behaviours: &'static [Behaviour]) -> Theme {
    Theme {
        name,
        behaviours,
        applies: |c| !c.backend.is_for_timers(),
    }
}

const THEMES: &[Theme] = &[
    theme("value", value::BEHAVIOURS),
    theme("list", list::BEHAVIOURS),
    theme("map", map::BEHAVIOURS),
    theme("reducing", reducing::BEHAVIOURS),
    theme("aggregating", aggregating::BEHAVIOURS),
    theme("key_context", key_context::BEHAVIOURS),
    theme("namespaces", namespaces::BEHAVIOURS),
    theme("all_keys", all_keys::BEHAVIOURS),
    theme("merging", merging::BEHAVIOURS),
    Theme {
        applies: |_| true,
        ..theme("timers", timers::BEHAVIOURS)
    },
    theme("snapshots", snapshots::BEHAVIOURS),
    Theme {
        applies: |_| true,
        ..theme("restore", restore::BEHAVIOURS)
    },
    theme("rescale", rescale::BEHAVIOURS),
    theme("evolution", evolution::BEHAVIOURS),
    // These behaviours set times to live of their own.
    Theme {
        applies: |c| c.ttl && !c.backend.is_for_timers(),
        ..theme("ttl", ttl::BEHAVIOURS)
    },
    Theme {
        applies: |_| true,
        ..theme("registration", registration::BEHAVIOURS)
    },
    theme("query", query::BEHAVIOURS),
    // Operator state is the same beside every keyed backend.
    Theme {
        applies: |c| c.is_plain_hashmap(),
        ..theme("operator_state", operator_state::BEHAVIOURS)
    },
];

fn main() {
    let configurations = Configuration::all();
    let mut trials = Vec::new();
    for theme in THEMES {
        for behaviour in theme.behaviours {
            for configuration in configurations.iter().filter(|c| (theme.applies)(c)) {
                let (configuration, check) = (configuration.clone(), behaviour.check);
                let name = format!("{}::{}::{configuration}", theme.name, behaviour.name);
                trials.push(Trial::test(name, move || {
                    check(&configuration);
                    Ok(())
                }));
            }
        }
    }
    let mut arguments = Arguments::from_args();
    // Cargo hands its `--quiet` to the standard harness alone. Who asks for a part wants to see its names.
    arguments.quiet |= arguments.filter.is_none() && arguments.format.is_none();
    libtest_mimic::run(&arguments, trials).exit();
}
