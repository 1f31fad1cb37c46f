//! What a function is handed with each element and timer.

use crate::NO_TIMESTAMP;
use crate::side_output::{OutputTag, SideOutputs};
use millpond_core::host::Clock;
use millpond_state::timer::{TimeDomain, TimerService};
use std::ops::{Deref, DerefMut};

/// What a function over a keyed stream is handed with an element. Flink's `KeyedProcessFunction.Context`.
pub struct KeyedContext<'a, K> {
    key: &'a K,
    timestamp: i64,
    timers: &'a mut dyn TimerService,
    side_outputs: Option<&'a SideOutputs>,
}

impl<'a, K> KeyedContext<'a, K> {
    /// For engines: the context of an element of `key`; `timestamp` is [`NO_TIMESTAMP`] for an element without one.
    #[inline]
    pub fn new(key: &'a K, timestamp: i64, timers: &'a mut dyn TimerService) -> Self {
        KeyedContext {
            key,
            timestamp,
            timers,
            side_outputs: None,
        }
    }
    /// For engines: where records of side outputs go. Without, they are dropped.
    #[inline]
    #[must_use]
    pub fn with_side_outputs(mut self, side_outputs: &'a SideOutputs) -> Self {
        self.side_outputs = Some(side_outputs);
        self
    }
    /// Emits a record to a side output, with the timestamp of the element or timer. What nobody reads is dropped.
    pub fn output<T: 'static>(&mut self, tag: &OutputTag<T>, value: T) {
        if let Some(side_outputs) = self.side_outputs {
            side_outputs.emit(tag, value, self.timestamp);
        }
    }
    /// The key of the element or timer. The reference outlives the borrow of the context, so timers can be registered beside it.
    #[inline]
    pub fn current_key(&self) -> &'a K {
        self.key
    }
    /// The element's event time in milliseconds, if it has one.
    #[inline]
    pub fn timestamp(&self) -> Option<i64> {
        (self.timestamp != NO_TIMESTAMP).then_some(self.timestamp)
    }
    /// Time, and the timers of the current key.
    #[inline]
    pub fn timer_service(&mut self) -> &mut dyn TimerService {
        self.timers
    }
    /// The watermark; `i64::MIN` before the first.
    pub fn current_watermark(&self) -> i64 {
        self.timers.current_watermark()
    }
    /// The clock's time, in milliseconds since the epoch.
    pub fn current_processing_time(&self) -> i64 {
        self.timers.current_processing_time()
    }
}

/// What a function is handed with a timer. Flink's `OnTimerContext`: a [`KeyedContext`] of the timer's key that says when and why.
pub struct OnTimerContext<'a, K> {
    context: KeyedContext<'a, K>,
    domain: TimeDomain,
}

impl<'a, K> OnTimerContext<'a, K> {
    /// For engines: the context of a timer of `key`.
    pub fn new(key: &'a K, timestamp: i64, domain: TimeDomain, timers: &'a mut dyn TimerService) -> Self {
        OnTimerContext {
            context: KeyedContext::new(key, timestamp, timers),
            domain,
        }
    }
    /// For engines: where records of side outputs go. Without, they are dropped.
    #[inline]
    #[must_use]
    pub fn with_side_outputs(mut self, side_outputs: &'a SideOutputs) -> Self {
        self.context = self.context.with_side_outputs(side_outputs);
        self
    }
    /// What the timer was registered for, in milliseconds.
    #[inline]
    pub fn timestamp(&self) -> i64 {
        self.context.timestamp
    }
    /// Whether the watermark or the clock made it due.
    #[inline]
    pub fn time_domain(&self) -> TimeDomain {
        self.domain
    }
}

impl<'a, K> Deref for OnTimerContext<'a, K> {
    type Target = KeyedContext<'a, K>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.context
    }
}

impl<K> DerefMut for OnTimerContext<'_, K> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.context
    }
}

/// What a function over a stream without keys is handed with an element. Flink's `ProcessFunction.Context`.
pub struct ProcessContext<'a> {
    timestamp: i64,
    watermark: i64,
    clock: &'a dyn Clock,
    side_outputs: Option<&'a SideOutputs>,
}

impl<'a> ProcessContext<'a> {
    /// For engines: the context of an element; `timestamp` is [`NO_TIMESTAMP`] for an element without one.
    #[inline]
    pub fn new(timestamp: i64, watermark: i64, clock: &'a dyn Clock) -> Self {
        ProcessContext {
            timestamp,
            watermark,
            clock,
            side_outputs: None,
        }
    }
    /// For engines: where records of side outputs go. Without, they are dropped.
    #[inline]
    #[must_use]
    pub fn with_side_outputs(mut self, side_outputs: &'a SideOutputs) -> Self {
        self.side_outputs = Some(side_outputs);
        self
    }
    /// Emits a record to a side output, with the timestamp of the element or timer. What nobody reads is dropped.
    pub fn output<T: 'static>(&mut self, tag: &OutputTag<T>, value: T) {
        if let Some(side_outputs) = self.side_outputs {
            side_outputs.emit(tag, value, self.timestamp);
        }
    }
    /// The element's event time in milliseconds, if it has one.
    #[inline]
    pub fn timestamp(&self) -> Option<i64> {
        (self.timestamp != NO_TIMESTAMP).then_some(self.timestamp)
    }
    /// The watermark; `i64::MIN` before the first.
    pub fn current_watermark(&self) -> i64 {
        self.watermark
    }
    /// The clock's time, in milliseconds since the epoch.
    pub fn current_processing_time(&self) -> i64 {
        self.clock.now_ms()
    }
}
