//! What waits for storage, and the batch that it is executed in. Flink's `StateRequestBuffer` and `StateExecutor`.

use millpond_core::hash::HashSet;
use millpond_core::{Error, Result};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

/// A record that is being processed, by a small number that is free again when its processing is over.
pub type RecordId = usize;

/// Which accesses wait for a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gather {
    /// Reads that would have to wait for storage.
    #[default]
    Far,
    /// All of them: for tests of what happens while an access waits.
    All,
}

/// An access that waits.
pub(super) trait StateRequest {
    /// Notes what it will read, under the current key.
    fn want(&self) -> Result<()>;
    /// Whether it writes.
    fn writes(&self) -> bool;
    /// Loads what was noted for its state.
    fn load_wanted(&self) -> Result<()>;
    /// Lets go of what was loaded for its state.
    fn forget_loaded(&self);
    /// Runs it under the current key, and wakes who awaits it.
    fn run(&self);
}

struct Waiting {
    record: RecordId,
    request: Rc<dyn StateRequest>,
}

/// The accesses of one operator instance that wait for storage, in the order in which they were made.
///
/// # Contract
/// The engine says whose record it polls ([`StateRequestBuffer::enter`], [`StateRequestBuffer::leave`]) and makes that record's
/// key the current one; at any time the records that it has entered and not let go are of different keys (trusted): requests
/// of different records may then run in any order. Those of one record run in the order in which they were made.
#[derive(Default)]
pub struct StateRequestBuffer {
    gather: Gather,
    queue: RefCell<VecDeque<Waiting>>,
    current: Cell<Option<RecordId>>,
    /// How many requests of each record wait.
    outstanding: RefCell<Vec<usize>>,
}

impl StateRequestBuffer {
    /// An empty buffer.
    pub fn new(gather: Gather) -> Rc<Self> {
        Rc::new(StateRequestBuffer {
            gather,
            ..StateRequestBuffer::default()
        })
    }

    /// From here on accesses are those of `record`.
    pub fn enter(&self, record: RecordId) {
        self.current.set(Some(record));
    }

    /// From here on accesses are nobody's, and refused.
    pub fn leave(&self) {
        self.current.set(None);
    }

    /// How many accesses wait.
    pub fn len(&self) -> usize {
        self.queue.borrow().len()
    }

    /// Whether no access waits.
    pub fn is_empty(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    /// How many accesses of `record` wait.
    pub fn outstanding(&self, record: RecordId) -> usize {
        self.outstanding.borrow().get(record).copied().unwrap_or(0)
    }

    /// Loads together what the first `limit` waiting accesses read, runs them, and wakes who awaits them; returns how many
    /// that were. `enter_key` makes the key of a record the current one.
    ///
    /// An access that fails answers so to its future. What is returned as an error concerns the batch.
    ///
    /// # Errors
    /// Those of the storage; what `enter_key` fails with.
    pub fn execute_batch(
        &self,
        limit: usize,
        mut enter_key: impl FnMut(RecordId) -> Result<()>,
    ) -> Result<usize> {
        let batch: Vec<Waiting> = {
            let mut queue = self.queue.borrow_mut();
            let count = queue.len().min(limit);
            queue.drain(..count).collect()
        };
        // What a record reads after it wrote is not loaded before it writes.
        let mut written = HashSet::default();
        for Waiting { record, request } in &batch {
            if !written.contains(record) {
                enter_key(*record)?;
                request.want()?;
            }
            if request.writes() {
                written.insert(*record);
            }
        }
        // The first request of a state loads for all of them.
        batch.iter().try_for_each(|w| w.request.load_wanted())?;
        for waiting in &batch {
            enter_key(waiting.record)?;
            if let Some(outstanding) = self.outstanding.borrow_mut().get_mut(waiting.record) {
                *outstanding -= 1;
            }
            waiting.request.run();
        }
        batch.iter().for_each(|w| w.request.forget_loaded());
        Ok(batch.len())
    }

    /// The record being polled.
    pub(super) fn current(&self) -> Result<RecordId> {
        self.current.get().ok_or_else(nobody)
    }

    /// Whether an access of `record` may run before what waits, if its state is at hand.
    #[inline]
    pub(super) fn may_run_now(&self, record: RecordId) -> bool {
        self.gather == Gather::Far && (self.queue.borrow().is_empty() || self.outstanding(record) == 0)
    }

    pub(super) fn push(&self, record: RecordId, request: Rc<dyn StateRequest>) {
        let mut outstanding = self.outstanding.borrow_mut();
        if outstanding.len() <= record {
            outstanding.resize(record + 1, 0);
        }
        if let Some(outstanding) = outstanding.get_mut(record) {
            *outstanding += 1;
        }
        self.queue.borrow_mut().push_back(Waiting { record, request });
    }
}

impl fmt::Debug for StateRequestBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateRequestBuffer")
            .field("gather", &self.gather)
            .field("waiting", &self.len())
            .finish_non_exhaustive()
    }
}

#[cold]
fn nobody() -> Error {
    Error::illegal_state("use asynchronous state", "no record or timer is being processed")
        .hint("await accesses to state inside the future that `process_element` or `on_timer` returned")
}
