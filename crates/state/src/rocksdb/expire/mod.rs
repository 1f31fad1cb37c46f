//! What is over in a column family, told from the stored bytes alone: compactions remove it on RocksDB's own threads, a sweep
//! removes it with the accesses to the state, a canonical snapshot leaves it out, and what is over before the cache wrote it is
//! not written. `docs/state-ttl.md` says what each of them is good for.

mod compaction;
mod layout;
mod sweep;
#[cfg(test)]
mod tests;

pub(super) use compaction::CompactionFilterSlot;
pub(super) use layout::{Layout, Left};
pub(super) use sweep::ColumnSweep;

use crate::ttl::Expiry;
use millpond_core::Result;
use millpond_core::host::Clock;
use std::fmt;
use std::sync::Arc;

/// How long the values of a column family live, and how they say since when. It may be asked from any thread.
pub(super) struct ColumnExpiry {
    layout: Layout,
    clock: Arc<dyn Clock>,
    time_to_live_ms: i64,
}

impl fmt::Debug for ColumnExpiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ColumnExpiry")
            .field("time_to_live_ms", &self.time_to_live_ms)
            .finish_non_exhaustive()
    }
}

impl ColumnExpiry {
    pub(super) fn new(layout: Layout, clock: Arc<dyn Clock>, time_to_live_ms: i64) -> Arc<Self> {
        Arc::new(ColumnExpiry {
            layout,
            clock,
            time_to_live_ms,
        })
    }

    /// What is over now.
    pub(super) fn now(&self) -> Expiry {
        Expiry {
            now_ms: self.clock.now_ms(),
            time_to_live_ms: self.time_to_live_ms,
        }
    }

    /// What is left of a stored value at a moment. Of a list of which some is left, `rest` is what is to be stored.
    ///
    /// # Errors
    /// Corrupt when the bytes are not such a value.
    pub(super) fn judge(&self, moment: Expiry, value: &[u8], rest: &mut Vec<u8>) -> Result<Judged> {
        self.layout.judge(moment, value, rest)
    }
}

/// What was found of a stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) left: Left,
    /// How many elements were looked at.
    pub(super) elements: usize,
}
