//! What a checkpoint stores beside the database's files: changes that stay in the caches, because they will be outdated before long
//! ([`Heat`]). `docs/rocksdb.md`, "What stays unwritten".
//!
//! A synchronous part serializes them as they lie in the checkpoint's file ([`buffer`]), the asynchronous one puts that together, and
//! a restore writes its entries to the database ([`file`]).

mod buffer;
mod file;
#[cfg(test)]
mod tests;

pub(super) use buffer::Unwritten;
pub(super) use file::{UnwrittenFile, write_file};

use super::cache::Heat;
use super::in_flight::{HeldWrites, Spare, Writes};
use super::options::LeaveUnwritten;
use millpond_core::Result;

/// What a snapshot takes out of caches and timers.
pub(super) struct TakenOut {
    /// On its way to the database.
    pub(super) held: Vec<HeldWrites>,
    /// What stays in the caches, as it is now.
    pub(super) unwritten: Vec<ColumnUnwritten>,
    pub(super) leave: LeaveUnwritten,
}

impl TakenOut {
    /// Nothing yet.
    pub(super) fn new(leave: LeaveUnwritten) -> Self {
        TakenOut {
            held: Vec::new(),
            unwritten: Vec::new(),
            leave,
        }
    }
}

/// Where a cache's changed entries go.
pub(super) struct Division<'a> {
    /// The database has got these from then on.
    pub(super) writes: &'a mut Writes,
    /// The database goes on lacking these.
    pub(super) unwritten: &'a mut Unwritten,
    pub(super) leave: LeaveUnwritten,
}

impl Division<'_> {
    /// Whether an entry of this heat stays unwritten. To be asked once for each checkpoint.
    #[inline]
    pub(super) fn stays(&self, heat: &mut Heat) -> bool {
        let is_hot = heat.pass();
        match self.leave {
            LeaveUnwritten::Nothing => false,
            LeaveUnwritten::Hot => is_hot,
            LeaveUnwritten::Everything => true,
        }
    }
}

/// What the cache in front of a column family keeps. The buffer goes to the next snapshot when this one is done with it.
pub(super) struct ColumnUnwritten {
    pub(super) column: String,
    entries: Unwritten,
    spare: Spare<Unwritten>,
}

impl ColumnUnwritten {
    pub(super) fn new(column: &str, entries: Unwritten, spare: &Spare<Unwritten>) -> Self {
        ColumnUnwritten {
            column: column.to_owned(),
            entries,
            spare: spare.clone(),
        }
    }

    pub(super) fn entries(&self) -> &Unwritten {
        &self.entries
    }

    /// The same as writes in the order of their keys.
    pub(super) fn sorted(&self) -> Result<Writes> {
        let mut writes = Writes::with_capacity(self.entries.bytes());
        self.entries.for_each(|key, value| writes.add_raw(key, value))?;
        writes.sort();
        Ok(writes)
    }
}

impl Drop for ColumnUnwritten {
    fn drop(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.clear();
        self.spare.give(entries);
    }
}
