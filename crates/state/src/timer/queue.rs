//! The timers of one service in one time domain: what a keyed backend snapshots and restores with its own states.

use super::element::TimerElement;
use super::frozen::FrozenTimers;
use super::key_grouped::KeyGroupedTimers;
use super::serializer::TimerSerializer;
use super::service::Timer;
use super::stored::StoredTimers;
use crate::snapshot::meta_info::VALUE_SERIALIZER;
use crate::snapshot::{
    KeyGroupSnapshot, SnapshotableKeyGroupState, SortedKeyGroupState, SortedStore, StateMetaInfoSnapshot,
};
use millpond_core::{Error, Result};
use millpond_types::{DataInput, SerializerSnapshot, StateKey};
use std::cell::RefCell;
use std::rc::Rc;

/// What a timer is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimeDomain {
    /// The watermark: the progress of the records' own timestamps.
    EventTime,
    /// The clock.
    ProcessingTime,
}

impl TimeDomain {
    /// The prefix of the name that a service's timers of this domain are stored under. The service's name follows.
    pub fn state_name_prefix(self) -> &'static str {
        match self {
            TimeDomain::EventTime => "_timer_state/event_",
            TimeDomain::ProcessingTime => "_timer_state/processing_",
        }
    }
}

/// Where the timers of a queue are.
#[derive(Debug)]
enum Timers {
    Memory(KeyGroupedTimers),
    Store(StoredTimers),
}

impl Timers {
    fn insert(&mut self, key_group: u32, timer: TimerElement) -> Result<()> {
        match self {
            Timers::Memory(timers) => {
                timers.insert(key_group, timer);
                Ok(())
            }
            Timers::Store(timers) => timers.insert(key_group, timer),
        }
    }
}

/// The queue of one domain. The service and the backend share it: one changes it, the other freezes and restores it. Nothing
/// is called while it is borrowed, so the borrows never meet.
#[derive(Debug)]
pub(super) struct TimerQueue<K, N> {
    state_name: String,
    serializer: Rc<TimerSerializer<K, N>>,
    timers: RefCell<Timers>,
}

impl<K: StateKey, N: 'static> TimerQueue<K, N> {
    /// An empty queue.
    pub(super) fn new(domain: TimeDomain, service: &str, serializer: &Rc<TimerSerializer<K, N>>) -> Rc<Self> {
        Rc::new(TimerQueue {
            state_name: format!("{}{service}", domain.state_name_prefix()),
            serializer: Rc::clone(serializer),
            timers: RefCell::new(Timers::Memory(KeyGroupedTimers::new(serializer.range))),
        })
    }

    /// The name that the timers are stored under.
    pub(super) fn state_name(&self) -> &str {
        &self.state_name
    }

    /// Adds a timer; nothing happens when it is there already.
    pub(super) fn insert(&self, key_group: u32, timer: TimerElement) -> Result<()> {
        self.timers.borrow_mut().insert(key_group, timer)
    }

    /// Takes a timer out, if it is there.
    pub(super) fn remove(&self, key_group: u32, timer: &TimerElement) -> Result<()> {
        match &mut *self.timers.borrow_mut() {
            Timers::Memory(timers) => {
                timers.remove(key_group, timer);
                Ok(())
            }
            Timers::Store(timers) => timers.remove(key_group, timer),
        }
    }

    /// Takes out the next timer due at or before `time`.
    pub(super) fn poll(&self, time: i64) -> Result<Option<Timer<K, N>>> {
        let due = match &mut *self.timers.borrow_mut() {
            Timers::Memory(timers) => timers.pop_due(time),
            Timers::Store(timers) => timers.pop_due(time)?,
        };
        let Some((key_group, timer)) = due else {
            return Ok(None);
        };
        let mut tail = DataInput::new(timer.tail());
        let (key, namespace) = self.serializer.read_tail(&mut tail)?;
        // A restored store is not read as a whole before its timers are due.
        self.check_key_group(key_group, &key)?;
        self.check_all_read(&tail)?;
        Ok(Some(Timer {
            timestamp: timer.timestamp(),
            key,
            namespace,
            key_group,
        }))
    }

    /// When the next timer is due.
    pub(super) fn next_timestamp(&self) -> Option<i64> {
        match &*self.timers.borrow() {
            Timers::Memory(timers) => timers.next_timestamp(),
            Timers::Store(timers) => timers.next_timestamp(),
        }
    }

    /// How many timers there are. Those in a store are read for that.
    pub(super) fn count(&self) -> Result<usize> {
        match &mut *self.timers.borrow_mut() {
            Timers::Memory(timers) => Ok(timers.len()),
            Timers::Store(timers) => timers.count(),
        }
    }

    /// The timers as they are now. Those in a store are read into memory.
    pub(super) fn frozen(&self) -> Result<FrozenTimers> {
        Ok(FrozenTimers {
            state_name: self.state_name.clone(),
            serializer: self.serializer.snapshot(),
            timers: match &mut *self.timers.borrow_mut() {
                Timers::Memory(timers) => timers.clone(),
                Timers::Store(timers) => timers.read_all()?,
            },
        })
    }

    /// Whether timers stored under this serializer snapshot can be restored.
    pub(super) fn check_compatibility(&self, stored: &SerializerSnapshot) -> Result<()> {
        let checked = self.serializer.check(stored);
        checked.map_err(|e| e.with("state", &self.state_name))
    }

    /// Restores the timer at the front of `input`. One of a key group that is not ours is read and dropped.
    pub(super) fn restore_element(&self, key_group: u32, input: &mut DataInput<'_>) -> Result<()> {
        let read = self.serializer.read(input);
        let (key, timer) = read.map_err(|e| e.with("state", &self.state_name))?;
        self.check_key_group(key_group, &key)?;
        self.insert(key_group, timer)
    }

    fn check_key_group(&self, key_group: u32, key: &K) -> Result<()> {
        let expected = self.serializer.key_group(key);
        if expected == key_group {
            return Ok(());
        }
        Err(Error::corrupt(
            "restore timers",
            "a timer lies in another key group than its key's",
        )
        .with("state", &self.state_name)
        .with("key_group", key_group)
        .with("expected", expected))
    }

    fn check_all_read(&self, input: &DataInput<'_>) -> Result<()> {
        if input.is_empty() {
            return Ok(());
        }
        Err(
            Error::corrupt("restore timers", "bytes are left over after a timer")
                .with("state", &self.state_name)
                .with("bytes", input.remaining()),
        )
    }
}

impl<K: StateKey, N: 'static> SnapshotableKeyGroupState for TimerQueue<K, N> {
    fn meta_info(&self) -> StateMetaInfoSnapshot {
        StateMetaInfoSnapshot::priority_queue(self.state_name.as_str(), self.serializer.snapshot())
    }
    fn freeze(&self) -> Result<Box<dyn KeyGroupSnapshot>> {
        Ok(Box::new(self.frozen()?))
    }
    fn check_restored(&self, stored: &StateMetaInfoSnapshot) -> Result<()> {
        self.check_compatibility(stored.serializer(VALUE_SERIALIZER)?)
    }
    fn restore_entry(
        &self,
        _stored: &StateMetaInfoSnapshot,
        key_group: u32,
        mut key: DataInput<'_>,
        _value: &[u8],
    ) -> Result<()> {
        self.restore_element(key_group, &mut key)?;
        self.check_all_read(&key)
    }
    fn as_sorted(&self) -> Option<&dyn SortedKeyGroupState> {
        Some(self)
    }
}

impl<K: StateKey, N: 'static> SortedKeyGroupState for TimerQueue<K, N> {
    fn move_to(&self, store: Box<dyn SortedStore>, head_size: usize) -> Result<()> {
        let mut stored = StoredTimers::new(self.serializer.range, store, head_size)?;
        let in_memory = self.frozen()?.timers;
        for key_group in self.serializer.range.iter() {
            in_memory
                .group(key_group)
                .try_for_each(|timer| stored.insert(key_group, timer.clone()))?;
        }
        *self.timers.borrow_mut() = Timers::Store(stored);
        Ok(())
    }
    fn hand_over(&self) -> Result<()> {
        match &mut *self.timers.borrow_mut() {
            Timers::Memory(_) => Ok(()),
            Timers::Store(timers) => timers.hand_over(),
        }
    }
}
