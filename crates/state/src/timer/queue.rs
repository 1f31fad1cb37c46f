//! The timers of one service in one time domain: what a keyed backend snapshots and restores with its own states.

use super::element::TimerElement;
use super::frozen::FrozenTimers;
use super::key_grouped::KeyGroupedTimers;
use super::serializer::TimerSerializer;
use super::service::Timer;
use crate::snapshot::meta_info::VALUE_SERIALIZER;
use crate::snapshot::{KeyGroupSnapshot, SnapshotableKeyGroupState, StateMetaInfoSnapshot};
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

/// The queue of one domain. The service and the backend share it: one changes it, the other freezes and restores it. Nothing
/// is called while it is borrowed, so the borrows never meet.
#[derive(Debug)]
pub(super) struct TimerQueue<K, N> {
    state_name: String,
    serializer: Rc<TimerSerializer<K, N>>,
    timers: RefCell<KeyGroupedTimers>,
}

impl<K: StateKey, N: 'static> TimerQueue<K, N> {
    /// An empty queue.
    pub(super) fn new(domain: TimeDomain, service: &str, serializer: &Rc<TimerSerializer<K, N>>) -> Rc<Self> {
        Rc::new(TimerQueue {
            state_name: format!("{}{service}", domain.state_name_prefix()),
            serializer: Rc::clone(serializer),
            timers: RefCell::new(KeyGroupedTimers::new(serializer.range)),
        })
    }

    /// The name that the timers are stored under.
    pub(super) fn state_name(&self) -> &str {
        &self.state_name
    }

    /// Adds a timer; false when it is there already.
    pub(super) fn insert(&self, key_group: u32, timer: TimerElement) -> bool {
        self.timers.borrow_mut().insert(key_group, timer)
    }

    /// Takes a timer out; false when it is not there.
    pub(super) fn remove(&self, key_group: u32, timer: &TimerElement) -> bool {
        self.timers.borrow_mut().remove(key_group, timer)
    }

    /// Takes out the next timer due at or before `time`.
    pub(super) fn poll(&self, time: i64) -> Result<Option<Timer<K, N>>> {
        let due = self.timers.borrow_mut().pop_due(time);
        let Some((key_group, timer)) = due else {
            return Ok(None);
        };
        let (key, namespace) = self.serializer.read_tail(&mut DataInput::new(timer.tail()))?;
        Ok(Some(Timer {
            timestamp: timer.timestamp(),
            key,
            namespace,
            key_group,
        }))
    }

    /// When the next timer is due.
    pub(super) fn next_timestamp(&self) -> Option<i64> {
        self.timers.borrow().next_timestamp()
    }

    /// How many timers there are.
    pub(super) fn len(&self) -> usize {
        self.timers.borrow().len()
    }

    /// The timers as they are now.
    pub(super) fn frozen(&self) -> FrozenTimers {
        FrozenTimers {
            state_name: self.state_name.clone(),
            serializer: self.serializer.snapshot(),
            timers: self.timers.borrow().clone(),
        }
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
        let expected = self.serializer.key_group(&key);
        if expected != key_group {
            return Err(Error::corrupt(
                "restore timers",
                "a timer lies in another key group than its key's",
            )
            .with("state", &self.state_name)
            .with("key_group", key_group)
            .with("expected", expected));
        }
        self.insert(key_group, timer);
        Ok(())
    }
}

impl<K: StateKey, N: 'static> SnapshotableKeyGroupState for TimerQueue<K, N> {
    fn meta_info(&self) -> StateMetaInfoSnapshot {
        StateMetaInfoSnapshot::priority_queue(self.state_name.as_str(), self.serializer.snapshot())
    }
    fn freeze(&self) -> Box<dyn KeyGroupSnapshot> {
        Box::new(self.frozen())
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
        if key.is_empty() {
            return Ok(());
        }
        Err(
            Error::corrupt("restore timers", "bytes are left over after a timer")
                .with("state", &self.state_name)
                .with("bytes", key.remaining()),
        )
    }
}
