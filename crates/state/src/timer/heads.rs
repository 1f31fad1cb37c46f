//! Which key group has the next timer: an index of the groups' first timers.

use std::collections::BTreeSet;

/// Timestamp of the first timer and number of each key group that has timers.
#[derive(Clone, Debug, Default)]
pub(super) struct Heads(BTreeSet<(i64, u32)>);

impl Heads {
    /// The timestamp of the next timer due, and its key group: the lower one among those of one timestamp.
    pub(super) fn first(&self) -> Option<(i64, u32)> {
        self.0.first().copied()
    }

    /// The first timer of a key group was due at `before` and is now due at `after`.
    pub(super) fn moved(&mut self, key_group: u32, before: Option<i64>, after: Option<i64>) {
        if before == after {
            return;
        }
        if let Some(timestamp) = before {
            self.0.remove(&(timestamp, key_group));
        }
        if let Some(timestamp) = after {
            self.0.insert((timestamp, key_group));
        }
    }
}
