//! Where what is in flight lies, and who waits for it: each change of the database passes here.

use super::{HeldWrites, InFlight, Progress, State, Writes};
use crate::rocksdb::database::{Column, Database, Moment};
use millpond_core::Result;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Holds the writes that are in flight, if there are any.
#[derive(Default)]
pub(in crate::rocksdb) struct Gate {
    /// Whether there is a flight: all that an access asks otherwise.
    closed: AtomicBool,
    in_flight: Mutex<Option<Arc<InFlight>>>,
}

impl Gate {
    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn flight(&self) -> Option<Arc<InFlight>> {
        self.in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn close(&self, flight: Arc<InFlight>) {
        let mut slot = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(flight);
        self.closed.store(true, Ordering::Release);
    }

    fn open(&self) {
        let mut slot = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        self.closed.store(false, Ordering::Release);
        if let Some(flight) = slot.take() {
            flight.land();
        }
    }
}

/// The right to write what is in flight, a thread's. Given up without having landed, it goes to whoever needs the writes next.
pub(in crate::rocksdb) struct Pilot {
    /// Before the database, from which it borrows.
    flight: Arc<InFlight>,
    database: Arc<Database>,
}

impl Database {
    /// Whether changes of the database would wait.
    #[inline]
    pub(in crate::rocksdb) fn is_in_flight(&self) -> bool {
        self.gate().is_closed()
    }

    /// Puts writes in flight, where none are, and the one who gets the answer in charge of them. They count from now on.
    pub(in crate::rocksdb) fn hold(self: &Arc<Self>, writes: Vec<HeldWrites>) -> Pilot {
        Pilot {
            flight: self.put_in_flight(writes, Progress::default(), State::Flying),
            database: Arc::clone(self),
        }
    }

    fn put_in_flight(
        self: &Arc<Self>,
        writes: Vec<HeldWrites>,
        progress: Progress,
        state: State,
    ) -> Arc<InFlight> {
        let flight = Arc::new(InFlight::new(writes, Moment::new(self), progress, state));
        self.gate().close(Arc::clone(&flight));
        flight
    }

    /// Waits until nothing is in flight any more; writes it where nobody else does.
    #[inline]
    pub(in crate::rocksdb) fn land(self: &Arc<Self>) -> Result<()> {
        if self.is_in_flight() {
            return self.wait_for_landing();
        }
        Ok(())
    }

    #[cold]
    fn wait_for_landing(self: &Arc<Self>) -> Result<()> {
        let Some(flight) = self.gate().flight() else {
            return Ok(());
        };
        if flight.wait() == State::Stopped {
            flight.write(self)?;
            self.gate().open();
        }
        Ok(())
    }
}

impl Pilot {
    pub(in crate::rocksdb) fn database(&self) -> &Arc<Database> {
        &self.database
    }

    #[cfg(test)]
    pub(super) fn flight(&self) -> &InFlight {
        &self.flight
    }

    /// Writes what is in flight.
    pub(in crate::rocksdb) fn write(&self) -> Result<()> {
        self.flight.write(&self.database)
    }

    /// The writes have landed: changes of the database go on.
    pub(in crate::rocksdb) fn landed(self) {
        self.database.gate().open();
    }
}

impl Drop for Pilot {
    fn drop(&mut self) {
        self.flight.stop();
    }
}

impl Column {
    /// Writes and empties `writes`. After an error they are as they were, and none was written. Where some could be written and
    /// others not, the others are in flight: whoever changes the database next tries again.
    pub(in crate::rocksdb) fn write(&self, writes: &mut Writes) -> Result<()> {
        if writes.is_empty() {
            return Ok(());
        }
        let database = self.database();
        database.land()?;
        writes.sort();
        let mut progress = Progress::default();
        if let Err(e) = writes.apply(self, &mut progress.write) {
            if progress.write == 0 {
                return Err(e);
            }
            tracing::warn!(error = %e, column = self.name(), "writes to a state's database are held back");
            let held = HeldWrites::new(self, std::mem::take(writes));
            database.put_in_flight(vec![held], progress, State::Stopped);
        }
        writes.clear();
        Ok(())
    }
}
