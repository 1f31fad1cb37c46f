//! What an asynchronous function is handed. Its futures outlive the call that made them, so they own what they are handed, and what
//! they emit and register is collected in [`AsyncEffects`] until the engine, which polls them, takes it.

use crate::NO_TIMESTAMP;
use crate::side_output::{OutputTag, SideOutputs};
use millpond_core::host::Clock;
use millpond_state::timer::TimeDomain;
use std::cell::RefCell;
use std::mem;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

/// For engines: what the futures of one operator instance did since the engine looked last. One is polled at a time, so it is clear
/// whose effects they are.
pub struct AsyncEffects<T> {
    results: RefCell<Vec<(T, i64)>>,
    timers: RefCell<Vec<TimerRequest>>,
}

/// Something that is asked of the timers of the current key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerRequest {
    /// Whether the watermark or the clock makes it due.
    pub domain: TimeDomain,
    /// When it is due, in milliseconds.
    pub timestamp: i64,
    /// Whether it is registered or deleted.
    pub register: bool,
}

impl<T> Default for AsyncEffects<T> {
    fn default() -> Self {
        AsyncEffects {
            results: RefCell::default(),
            timers: RefCell::default(),
        }
    }
}

impl<T> AsyncEffects<T> {
    /// The results with their timestamps, in their order.
    pub fn take_results(&self) -> Vec<(T, i64)> {
        mem::take(&mut *self.results.borrow_mut())
    }
    /// What was asked of the timers, in its order.
    pub fn take_timers(&self) -> Vec<TimerRequest> {
        mem::take(&mut *self.timers.borrow_mut())
    }
}

/// Takes an asynchronous function's results. See [`crate::Collector`]: results carry the timestamp of the record or timer that
/// caused them.
pub struct AsyncCollector<T> {
    effects: Rc<AsyncEffects<T>>,
    timestamp: i64,
}

impl<T> AsyncCollector<T> {
    /// For engines: a collector that stamps results with `timestamp`.
    pub fn new(effects: Rc<AsyncEffects<T>>, timestamp: i64) -> Self {
        AsyncCollector { effects, timestamp }
    }
    /// Emits a result.
    pub fn collect(&self, value: T) {
        self.collect_with_timestamp(value, self.timestamp);
    }
    /// Emits several results.
    pub fn collect_all(&self, values: impl IntoIterator<Item = T>) {
        values.into_iter().for_each(|value| self.collect(value));
    }
    /// Emits a result with a timestamp of its own (milliseconds since the epoch).
    pub fn collect_with_timestamp(&self, value: T, timestamp: i64) {
        self.effects.results.borrow_mut().push((value, timestamp));
    }
    /// Emits a result without a timestamp.
    pub fn collect_without_timestamp(&self, value: T) {
        self.collect_with_timestamp(value, NO_TIMESTAMP);
    }
}

/// Where the timers of a context go: the effects, without the type of the results.
trait TimerRequests {
    fn request(&self, request: TimerRequest);
}

impl<T> TimerRequests for AsyncEffects<T> {
    fn request(&self, request: TimerRequest) {
        self.timers.borrow_mut().push(request);
    }
}

/// For engines: what all contexts of an operator instance are made with.
pub struct AsyncContextParts {
    timers: Rc<dyn TimerRequests>,
    clock: Arc<dyn Clock>,
    side_outputs: SideOutputs,
}

impl AsyncContextParts {
    /// Timers go to `effects`, records of side outputs to `side_outputs`.
    pub fn new<T: 'static>(
        effects: &Rc<AsyncEffects<T>>,
        clock: Arc<dyn Clock>,
        side_outputs: SideOutputs,
    ) -> Rc<Self> {
        let timers: Rc<dyn TimerRequests> = Rc::<AsyncEffects<T>>::clone(effects);
        Rc::new(AsyncContextParts {
            timers,
            clock,
            side_outputs,
        })
    }
}

/// What an asynchronous function is handed with an element. See [`super::KeyedContext`].
pub struct AsyncKeyedContext<K> {
    key: K,
    timestamp: i64,
    watermark: i64,
    parts: Rc<AsyncContextParts>,
}

impl<K> AsyncKeyedContext<K> {
    /// For engines: the context of an element of `key`; `timestamp` is [`NO_TIMESTAMP`] for an element without one.
    pub fn new(key: K, timestamp: i64, watermark: i64, parts: Rc<AsyncContextParts>) -> Self {
        AsyncKeyedContext {
            key,
            timestamp,
            watermark,
            parts,
        }
    }
    /// Emits a record to a side output, with the timestamp of the element or timer. What nobody reads is dropped.
    pub fn output<T: 'static>(&self, tag: &OutputTag<T>, value: T) {
        self.parts.side_outputs.emit(tag, value, self.timestamp);
    }
    /// The element's key.
    pub fn current_key(&self) -> &K {
        &self.key
    }
    /// The element's event time in milliseconds, if it has one.
    pub fn timestamp(&self) -> Option<i64> {
        (self.timestamp != NO_TIMESTAMP).then_some(self.timestamp)
    }
    /// Time, and the timers of the current key.
    pub fn timer_service(&self) -> AsyncTimerService<'_> {
        AsyncTimerService {
            watermark: self.watermark,
            parts: &self.parts,
        }
    }
    /// The watermark; `i64::MIN` before the first. It doesn't move while the element is being processed.
    pub fn current_watermark(&self) -> i64 {
        self.watermark
    }
    /// The clock's time, in milliseconds since the epoch.
    pub fn current_processing_time(&self) -> i64 {
        self.parts.clock.now_ms()
    }
}

/// What an asynchronous function is handed with a timer: an [`AsyncKeyedContext`], whose timestamp is what the timer was registered
/// for, and the time domain. See [`super::OnTimerContext`].
pub struct AsyncOnTimerContext<K> {
    ctx: AsyncKeyedContext<K>,
    domain: TimeDomain,
}

impl<K> AsyncOnTimerContext<K> {
    /// For engines: the context of a timer.
    pub fn new(ctx: AsyncKeyedContext<K>, domain: TimeDomain) -> Self {
        AsyncOnTimerContext { ctx, domain }
    }
    /// Whether the watermark or the clock made it due.
    pub fn time_domain(&self) -> TimeDomain {
        self.domain
    }
}

impl<K> Deref for AsyncOnTimerContext<K> {
    type Target = AsyncKeyedContext<K>;
    fn deref(&self) -> &AsyncKeyedContext<K> {
        &self.ctx
    }
}

/// Time and timers for the key of the record, or timer, that is being processed. See [`millpond_state::timer::TimerService`].
///
/// Timers are registered and deleted when the future that asks for it waits or ends. None fires before that.
pub struct AsyncTimerService<'a> {
    watermark: i64,
    parts: &'a AsyncContextParts,
}

impl AsyncTimerService<'_> {
    /// The clock's time, in milliseconds since the epoch.
    pub fn current_processing_time(&self) -> i64 {
        self.parts.clock.now_ms()
    }
    /// The watermark; `i64::MIN` before the first.
    pub fn current_watermark(&self) -> i64 {
        self.watermark
    }
    /// Asks for `on_timer` when the watermark reaches `timestamp`. Asking twice is asking once.
    pub fn register_event_time_timer(&self, timestamp: i64) {
        self.request(TimeDomain::EventTime, timestamp, true);
    }
    /// Asks for `on_timer` when the clock reaches `timestamp`. Asking twice is asking once.
    pub fn register_processing_time_timer(&self, timestamp: i64) {
        self.request(TimeDomain::ProcessingTime, timestamp, true);
    }
    /// Takes such a request back; nothing happens if there is none.
    pub fn delete_event_time_timer(&self, timestamp: i64) {
        self.request(TimeDomain::EventTime, timestamp, false);
    }
    /// Takes such a request back; nothing happens if there is none.
    pub fn delete_processing_time_timer(&self, timestamp: i64) {
        self.request(TimeDomain::ProcessingTime, timestamp, false);
    }

    fn request(&self, domain: TimeDomain, timestamp: i64, register: bool) {
        self.parts.timers.request(TimerRequest {
            domain,
            timestamp,
            register,
        });
    }
}
