//! What is on its way from the caches to the database: frozen for a snapshot, or left over from a write that failed. Reads see it
//! ([`view`]), changes of the database wait for it. `docs/rocksdb.md`, "What is in flight".
//!
//! A flight lies in its [`Database`] and borrows from it. So nobody gets hold of one but for as long as they hold the database.

mod gate;
#[cfg(test)]
mod tests;
mod view;
mod writes;

pub(super) use gate::{Gate, Pilot};
pub(super) use view::scan_over;
pub(super) use writes::{Change, Writes};

use super::database::{Column, Database, Moment};
use super::expire::ColumnExpiry;
use millpond_core::Result;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// Writes to one column family on their way.
pub(super) struct HeldWrites {
    /// Tells the column family from others of the database.
    id: usize,
    name: String,
    expiry: Option<Arc<ColumnExpiry>>,
    unsorted: Mutex<Writes>,
    /// The writes in the order of their keys: who needs them first sorts them.
    sorted: OnceLock<Writes>,
    spare: Option<Spare<Writes>>,
}

/// Buffers that a snapshot is done with, for the next one: memory that is new would cost it more than filling it.
pub(super) struct Spare<T>(Arc<Mutex<Option<T>>>);

/// Writes on their way, to any number of column families.
pub(super) struct InFlight {
    columns: Vec<HeldWrites>,
    /// The database without them.
    before: Moment,
    /// How far they came. Whoever writes them holds it meanwhile.
    progress: Mutex<Progress>,
    state: Mutex<State>,
    changed: Condvar,
}

/// The column family and the write to go on at.
#[derive(Default)]
struct Progress {
    column: usize,
    write: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A thread writes them.
    Flying,
    /// Nobody does: whoever needs them in the database has to.
    Stopped,
    Landed,
}

impl HeldWrites {
    pub(super) fn new(column: &Column, writes: Writes) -> Self {
        HeldWrites {
            id: column.id(),
            name: column.name().to_owned(),
            expiry: column.expiry().cloned(),
            unsorted: Mutex::new(writes),
            sorted: OnceLock::new(),
            spare: None,
        }
    }

    /// The same; the buffers go to `spare` when they have landed.
    pub(super) fn with_spare(mut self, spare: &Spare<Writes>) -> Self {
        self.spare = Some(spare.clone());
        self
    }

    fn sorted(&self) -> &Writes {
        self.sorted.get_or_init(|| {
            let mut unsorted = self.unsorted.lock().unwrap_or_else(PoisonError::into_inner);
            let mut writes = std::mem::take(&mut *unsorted);
            writes.sort();
            writes
        })
    }
}

impl Drop for HeldWrites {
    fn drop(&mut self) {
        if let (Some(spare), Some(mut writes)) = (&self.spare, self.sorted.take()) {
            writes.clear();
            spare.give(writes);
        }
    }
}

impl<T> Spare<T> {
    pub(super) fn take(&self) -> Option<T> {
        self.lock().take()
    }

    /// Keeps `buffers`, which are empty.
    pub(super) fn give(&self, buffers: T) {
        *self.lock() = Some(buffers);
    }

    fn lock(&self) -> MutexGuard<'_, Option<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Spare<T> {
    fn clone(&self) -> Self {
        Spare(Arc::clone(&self.0))
    }
}

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Spare(Arc::default())
    }
}

impl InFlight {
    fn new(columns: Vec<HeldWrites>, before: Moment, progress: Progress, state: State) -> Self {
        InFlight {
            columns,
            before,
            progress: Mutex::new(progress),
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// Writes what is left.
    fn write(&self, database: &Arc<Database>) -> Result<()> {
        while self.write_column(database)? {}
        Ok(())
    }

    /// Writes what is left of one column family; says whether there was one.
    fn write_column(&self, database: &Arc<Database>) -> Result<bool> {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = self.columns.get(progress.column) else {
            return Ok(false);
        };
        let column = database.column(&held.name)?;
        if let Some(expiry) = &held.expiry {
            column.write_nothing_over(expiry);
        }
        held.sorted().apply(&column, &mut progress.write)?;
        *progress = Progress {
            column: progress.column + 1,
            write: 0,
        };
        Ok(true)
    }

    fn land(&self) {
        *self.lock_state() = State::Landed;
        self.changed.notify_all();
    }

    /// Nobody writes them any more, unless they have landed.
    fn stop(&self) {
        let mut state = self.lock_state();
        if *state == State::Flying {
            *state = State::Stopped;
            self.changed.notify_all();
        }
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while a thread writes; says what has become of them then.
    fn wait(&self) -> State {
        let state = self
            .changed
            .wait_while(self.lock_state(), |state| *state == State::Flying);
        *state.unwrap_or_else(PoisonError::into_inner)
    }
}
