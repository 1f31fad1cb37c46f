//! The timers of one operator instance under one name: registered by key and namespace, handed out when they are due.

use super::element::TimerElement;
use super::frozen::FrozenTimers;
use super::queue::{TimeDomain, TimerQueue};
use super::serializer::TimerSerializer;
use crate::snapshot::SnapshotableKeyGroupState;
use millpond_core::{Error, Result};
use millpond_types::{DataInput, DataOutput, KeyGroupRange, SerializerSnapshot, SharedSerializer, StateKey};
use std::rc::Rc;

/// A timer that is due. Flink's `InternalTimer`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer<K, N> {
    /// When it was due, in milliseconds.
    pub timestamp: i64,
    /// The key that it was registered for.
    pub key: K,
    /// The namespace that it was registered for.
    pub namespace: N,
    /// The key group of `key`.
    pub key_group: u32,
}

/// Keyed event-time and processing-time timers of one operator instance. Flink's `InternalTimerServiceImpl`.
///
/// # Contract
/// - A timer is (timestamp, key, namespace) in one time domain; registering it twice is registering it once.
/// - Due timers come in the order of their timestamps. Among equal timestamps the lower key group comes first, then the
///   lower serialized key, then the lower serialized namespace: an order that depends on the data alone, and so is the same
///   in every run and after a restore.
/// - They come one at a time, so that whoever handles one may register and delete others, the same timestamp included;
///   the next poll sees that.
/// - Registering and deleting take O(log n), and so does taking the next one. In memory, unless the backend has a store for
///   timers and is told to use it.
/// - Neither the watermark nor the clock is state: a restored service starts at the lowest watermark.
///
/// ```
/// use millpond_state::timer::InternalTimerService;
/// use millpond_types::{KeyGroupRange, StateType, VoidNamespace};
/// # fn main() -> millpond_core::Result<()> {
/// let range = KeyGroupRange::new(0, 127)?;
/// let mut timers = InternalTimerService::new("user-timers", i64::serializer(), VoidNamespace::serializer(), range, 128);
/// timers.register_event_time_timer(&7, &VoidNamespace, 1_000)?;
/// timers.register_event_time_timer(&7, &VoidNamespace, 500)?;
/// timers.advance_watermark(800);
/// while let Some(timer) = timers.poll_event_timer(800)? {
///     assert_eq!((timer.key, timer.timestamp), (7, 500));
///     timers.register_event_time_timer(&timer.key, &VoidNamespace, timer.timestamp + 1_000)?;
/// }
/// assert_eq!(timers.num_event_time_timers()?, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct InternalTimerService<K, N> {
    name: String,
    serializer: Rc<TimerSerializer<K, N>>,
    event: Rc<TimerQueue<K, N>>,
    processing: Rc<TimerQueue<K, N>>,
    current_watermark: i64,
    buffer: DataOutput,
}

impl<K: StateKey, N: 'static> InternalTimerService<K, N> {
    /// No timers, for the key groups of `range` out of `max_parallelism`.
    pub fn new(
        name: impl Into<String>,
        key_serializer: SharedSerializer<K>,
        namespace_serializer: SharedSerializer<N>,
        range: KeyGroupRange,
        max_parallelism: u32,
    ) -> Self {
        let name = name.into();
        let serializer = Rc::new(TimerSerializer {
            key: key_serializer,
            namespace: namespace_serializer,
            range,
            max_parallelism: max_parallelism.max(1),
        });
        InternalTimerService {
            event: TimerQueue::new(TimeDomain::EventTime, &name, &serializer),
            processing: TimerQueue::new(TimeDomain::ProcessingTime, &name, &serializer),
            name,
            serializer,
            current_watermark: i64::MIN,
            buffer: DataOutput::new(),
        }
    }

    /// What a keyed backend has to snapshot and restore with its own states: the queue of each time domain. To be given to
    /// [`crate::backend::KeyedStateBackend::register_key_group_state`] before the first record; restored timers are there
    /// afterwards.
    pub fn key_group_states(&self) -> [Rc<dyn SnapshotableKeyGroupState>; 2] {
        [self.event.clone(), self.processing.clone()]
    }

    /// The name that the service has in the operator (`user-timers` for a process function, as in Flink).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Registers a timer that is due when the watermark reaches `timestamp`; nothing happens when it is registered already.
    /// One whose timestamp the watermark has passed is handed out by the next poll.
    ///
    /// # Errors
    /// IllegalState when the key belongs to another operator instance; as the serializers of key and namespace, and as the
    /// backend's store where timers are in one.
    pub fn register_event_time_timer(&mut self, key: &K, namespace: &N, timestamp: i64) -> Result<()> {
        let (key_group, timer) = self.element(key, namespace, timestamp)?;
        self.event.insert(key_group, timer)
    }

    /// Deletes such a timer; nothing happens when there is none.
    ///
    /// # Errors
    /// As [`Self::register_event_time_timer`].
    pub fn delete_event_time_timer(&mut self, key: &K, namespace: &N, timestamp: i64) -> Result<()> {
        let (key_group, timer) = self.element(key, namespace, timestamp)?;
        self.event.remove(key_group, &timer)
    }

    /// Registers a timer that is due when the clock reaches `timestamp`; nothing happens when it is registered already.
    /// The engine asks [`Self::next_processing_time_timer`] afterwards and sets its alarm.
    ///
    /// # Errors
    /// As [`Self::register_event_time_timer`].
    pub fn register_processing_time_timer(&mut self, key: &K, namespace: &N, timestamp: i64) -> Result<()> {
        let (key_group, timer) = self.element(key, namespace, timestamp)?;
        self.processing.insert(key_group, timer)
    }

    /// Deletes such a timer; nothing happens when there is none.
    ///
    /// # Errors
    /// As [`Self::register_event_time_timer`].
    pub fn delete_processing_time_timer(&mut self, key: &K, namespace: &N, timestamp: i64) -> Result<()> {
        let (key_group, timer) = self.element(key, namespace, timestamp)?;
        self.processing.remove(key_group, &timer)
    }

    /// Moves the watermark; one that goes back is ignored. Due timers are then taken with [`Self::poll_event_timer`].
    pub fn advance_watermark(&mut self, watermark: i64) {
        self.current_watermark = self.current_watermark.max(watermark);
    }

    /// The watermark; `i64::MIN` before the first.
    pub fn current_watermark(&self) -> i64 {
        self.current_watermark
    }

    /// Takes the next event-time timer due at `watermark`, and moves the watermark there first.
    ///
    /// # Errors
    /// As the serializers of key and namespace, and as the backend's store where timers are in one.
    pub fn poll_event_timer(&mut self, watermark: i64) -> Result<Option<Timer<K, N>>> {
        self.advance_watermark(watermark);
        self.event.poll(watermark)
    }

    /// Takes the next processing-time timer due at `time`.
    ///
    /// # Errors
    /// As the serializers of key and namespace, and as the backend's store where timers are in one.
    pub fn poll_processing_timer(&mut self, time: i64) -> Result<Option<Timer<K, N>>> {
        self.processing.poll(time)
    }

    /// When the next event-time timer is due.
    pub fn next_event_time_timer(&self) -> Option<i64> {
        self.event.next_timestamp()
    }

    /// When the next processing-time timer is due: what the engine sets its alarm to.
    pub fn next_processing_time_timer(&self) -> Option<i64> {
        self.processing.next_timestamp()
    }

    /// How many event-time timers are registered. Where timers are in a backend's store, it reads all of them.
    ///
    /// # Errors
    /// Those of that store.
    pub fn num_event_time_timers(&self) -> Result<usize> {
        self.event.count()
    }

    /// How many processing-time timers are registered.
    ///
    /// # Errors
    /// As [`Self::num_event_time_timers`].
    pub fn num_processing_time_timers(&self) -> Result<usize> {
        self.processing.count()
    }

    /// The timers of one domain as they are now, for a snapshot. It takes one reference count a key group, however many
    /// timers there are; later changes copy what they touch. Timers in a backend's store are read into memory: that backend's
    /// own snapshots don't do so.
    ///
    /// # Errors
    /// Those of that store.
    pub fn freeze(&self, domain: TimeDomain) -> Result<FrozenTimers> {
        self.queue(domain).frozen()
    }

    /// The name that the timers of a domain are stored under.
    pub fn state_name(&self, domain: TimeDomain) -> &str {
        self.queue(domain).state_name()
    }

    /// Whether timers stored under this serializer snapshot can be restored.
    ///
    /// # Errors
    /// Incompatible, naming the key's or the namespace's type, unless both are read as they are.
    pub fn check_compatibility(&self, stored: &SerializerSnapshot) -> Result<()> {
        self.event.check_compatibility(stored)
    }

    /// Restores one timer, as [`FrozenTimers::for_each_element`] wrote it, from the front of `input`. One of a key group
    /// that is not ours is read and dropped.
    ///
    /// # Errors
    /// Corrupt when it is not a timer, or one of another key group.
    pub fn restore_element(
        &mut self,
        domain: TimeDomain,
        key_group: u32,
        input: &mut DataInput<'_>,
    ) -> Result<()> {
        self.queue(domain).restore_element(key_group, input)
    }

    fn queue(&self, domain: TimeDomain) -> &TimerQueue<K, N> {
        match domain {
            TimeDomain::EventTime => &self.event,
            TimeDomain::ProcessingTime => &self.processing,
        }
    }

    fn element(&mut self, key: &K, namespace: &N, timestamp: i64) -> Result<(u32, TimerElement)> {
        let key_group = self.serializer.key_group(key);
        if !self.serializer.range.contains(key_group) {
            return Err(Error::illegal_state(
                "use timer",
                "the key belongs to another operator instance; its hash must not change while it is a key",
            )
            .with("timer_service", &self.name)
            .with("key_group", key_group)
            .with("key_groups", self.serializer.range));
        }
        self.buffer.clear();
        self.serializer.write_tail(key, namespace, &mut self.buffer)?;
        Ok((key_group, TimerElement::new(timestamp, self.buffer.as_slice())))
    }
}
