//! Which records run beside each other, which wait for their key, and when the accesses that wait for storage are executed. Flink's
//! `AsyncExecutionController` with its `KeyAccountingUnit`.

use super::waker::{ReadyList, SlotWaker};
use millpond_core::hash::HashMap;
use millpond_core::{Error, Result};
use millpond_state::async_state::StateRequestBuffer;
use millpond_types::StateKey;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// The processing of one record or timer.
pub(super) type RecordFuture = Pin<Box<dyn Future<Output = Result<()>>>>;

/// What the controller asks of the operator while it runs records.
pub(super) trait RecordHost<K, I> {
    /// Begins to process `input`.
    fn start(&mut self, key: &K, input: I) -> RecordFuture;
    /// Makes `key` the current key of all state.
    fn enter_key(&mut self, key: &K) -> Result<()>;
    /// A record of `key` was polled: passes on what it emitted and registered. `outcome` is what its function returned, if it did.
    fn polled(&mut self, key: &K, outcome: Option<Result<()>>) -> Result<()>;
}

/// How much may be under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct AsyncLimits {
    /// How many records and timers, those that wait for their key included.
    pub(super) in_flight: usize,
    /// How many accesses that wait make a batch.
    pub(super) batch: usize,
}

/// The records in flight of one operator instance. `I` is a record or timer that was not begun.
pub(super) struct AsyncExecutionController<K, I> {
    requests: Rc<StateRequestBuffer>,
    limits: AsyncLimits,
    /// The records that were begun.
    slots: Vec<Slot<K>>,
    free: Vec<usize>,
    ready: ReadyList,
    /// The keys of the records that were begun and wait, each with what has to wait for it.
    occupied: HashMap<K, VecDeque<I>>,
    in_flight: usize,
}

struct Slot<K> {
    /// Present from the beginning of a record to its end.
    key: Option<K>,
    /// Present while the record waits.
    future: Option<RecordFuture>,
    signal: Arc<SlotWaker>,
    waker: Waker,
}

impl<K: StateKey, I> AsyncExecutionController<K, I> {
    pub(super) fn new(requests: Rc<StateRequestBuffer>, limits: AsyncLimits) -> Self {
        AsyncExecutionController {
            requests,
            limits,
            slots: Vec::new(),
            free: Vec::new(),
            ready: ReadyList::default(),
            occupied: HashMap::default(),
            in_flight: 0,
        }
    }

    /// How many records and timers were taken and are not done.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether a record of `key` waits.
    pub(super) fn is_occupied(&self, key: &K) -> bool {
        self.occupied.contains_key(key)
    }

    /// Whether [`AsyncExecutionController::advance`] would do anything.
    pub(super) fn can_advance(&self) -> bool {
        !self.requests.is_empty() || !self.ready.is_empty()
    }

    /// Takes a record or timer: begins it, or lets it wait for its key. Before that, others are finished when too many are in
    /// flight; after that, a full batch is executed.
    pub(super) fn submit(&mut self, host: &mut dyn RecordHost<K, I>, key: K, input: I) -> Result<()> {
        if self.in_flight >= self.limits.in_flight {
            self.drain(host, self.limits.in_flight - 1)?;
        }
        self.in_flight += 1;
        match self.occupied.get_mut(&key) {
            Some(waiting) => waiting.push_back(input),
            None => self.run(host, key, input)?,
        }
        while self.requests.len() >= self.limits.batch {
            self.advance(host)?;
        }
        Ok(())
    }

    /// Polls those that were woken; when there are none, executes a batch first, which wakes some. Returns whether it did anything.
    pub(super) fn advance(&mut self, host: &mut dyn RecordHost<K, I>) -> Result<bool> {
        let mut ready = self.ready.take();
        if ready.is_empty() {
            if self.execute_batch(host)? == 0 {
                return Ok(false);
            }
            ready = self.ready.take();
        }
        for slot in ready {
            let Some(future) = self.slots.get_mut(slot).and_then(|s| s.future.take()) else {
                continue;
            };
            if let Some(key) = self.poll(host, slot, future)? {
                self.release(host, key)?;
            }
        }
        Ok(true)
    }

    /// Goes on until no more than `target` are in flight.
    ///
    /// # Errors
    /// IllegalState when those that are left wait for something else than state; what records fail with.
    pub(super) fn drain(&mut self, host: &mut dyn RecordHost<K, I>, target: usize) -> Result<()> {
        while self.in_flight > target {
            if !self.advance(host)? {
                return Err(stuck(self.in_flight));
            }
        }
        Ok(())
    }

    /// Drops what is in flight.
    pub(super) fn abandon(&mut self) {
        self.slots.clear();
        self.free.clear();
        self.occupied.clear();
        self.in_flight = 0;
    }

    /// Begins `input`, and when it doesn't have to wait, what waited for its key meanwhile.
    fn run(&mut self, host: &mut dyn RecordHost<K, I>, key: K, input: I) -> Result<()> {
        let mut next = Some((key, input));
        while let Some((key, input)) = next.take() {
            let future = host.start(&key, input);
            let slot = self.occupy_slot(key);
            let Some(key) = self.poll(host, slot, future)? else {
                return Ok(());
            };
            next = self.next_of(&key).map(|input| (key, input));
        }
        Ok(())
    }

    /// A record of `key` that had to wait is done: begins what waited for the key.
    fn release(&mut self, host: &mut dyn RecordHost<K, I>, key: K) -> Result<()> {
        match self.next_of(&key) {
            Some(input) => self.run(host, key, input),
            None => Ok(()),
        }
    }

    fn next_of(&mut self, key: &K) -> Option<I> {
        let next = self.occupied.get_mut(key)?.pop_front();
        if next.is_none() {
            self.occupied.remove(key);
        }
        next
    }

    fn occupy_slot(&mut self, key: K) -> usize {
        if let Some(free) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(free)
        {
            slot.key = Some(key);
            return free;
        }
        let number = self.slots.len();
        let (signal, waker) = SlotWaker::new(number, &self.ready);
        self.slots.push(Slot {
            key: Some(key),
            future: None,
            signal,
            waker,
        });
        number
    }

    /// Polls a record; returns its key when it is done.
    fn poll(
        &mut self,
        host: &mut dyn RecordHost<K, I>,
        slot_number: usize,
        mut future: RecordFuture,
    ) -> Result<Option<K>> {
        let Some(slot) = self.slots.get_mut(slot_number) else {
            return Err(no_slot());
        };
        let key = slot.key.as_ref().ok_or_else(no_slot)?;
        slot.signal.begin_poll();
        host.enter_key(key)?;
        self.requests.enter(slot_number);
        let polled = future.as_mut().poll(&mut Context::from_waker(&slot.waker));
        self.requests.leave();
        match polled {
            Poll::Pending => {
                host.polled(key, None)?;
                if !self.occupied.contains_key(key) {
                    self.occupied.insert(key.clone(), VecDeque::new());
                }
                slot.future = Some(future);
                Ok(None)
            }
            Poll::Ready(outcome) => {
                host.polled(key, Some(outcome))?;
                drop(future);
                self.finish(host, slot_number).map(Some)
            }
        }
    }

    /// A record's function returned. What it asked of its state and did not await is done before the key is let go.
    fn finish(&mut self, host: &mut dyn RecordHost<K, I>, slot: usize) -> Result<K> {
        while self.requests.outstanding(slot) > 0 {
            self.execute_batch(host)?;
        }
        let key = self.slots.get_mut(slot).and_then(|s| s.key.take());
        self.free.push(slot);
        self.in_flight -= 1;
        key.ok_or_else(no_slot)
    }

    fn execute_batch(&mut self, host: &mut dyn RecordHost<K, I>) -> Result<usize> {
        let slots = &self.slots;
        self.requests.execute_batch(self.limits.batch, |record| {
            let key = slots.get(record).and_then(|s| s.key.as_ref());
            host.enter_key(key.ok_or_else(no_slot)?)
        })
    }
}

#[cold]
fn no_slot() -> Error {
    Error::illegal_state("process asynchronously", "a record in flight has no slot")
}

#[cold]
fn stuck(in_flight: usize) -> Error {
    Error::illegal_state(
        "process asynchronously",
        "a function awaits something else than the state of its operator",
    )
    .with("in_flight", in_flight)
    .hint("await only the futures of asynchronous states, and combinations of them, in process_element and on_timer")
}
