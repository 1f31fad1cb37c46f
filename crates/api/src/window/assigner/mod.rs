//! Window assigners: which windows an element belongs to.

mod global;
mod session;
mod sliding;
mod tumbling;

pub use global::GlobalWindows;
pub use session::{EventTimeSessionWindows, ProcessingTimeSessionWindows};
pub use sliding::{SlidingEventTimeWindows, SlidingProcessingTimeWindows};
pub use tumbling::{TumblingEventTimeWindows, TumblingProcessingTimeWindows};

use super::{Trigger, Window};
use crate::NO_TIMESTAMP;
use millpond_core::host::Clock;
use millpond_core::{Error, Result};
use std::time::Duration;

/// Puts elements into windows. Flink's `WindowAssigner`, and its `MergingWindowAssigner` where [`WindowAssigner::is_merging`].
///
/// # Contract
/// The windows of an element depend on the element, its timestamp and, for an assigner in processing time, the clock alone
/// (trusted). `merge_windows` gives disjoint results, and each window is in at most one of them (trusted).
pub trait WindowAssigner<T>: Clone + Send + Sync + 'static {
    /// The windows.
    type Window: Window;
    /// What computes them unless another trigger is set.
    type DefaultTrigger: Trigger<T, Self::Window>;

    /// What the operator is called: Flink's name of the assigner.
    fn name(&self) -> &'static str;

    /// Appends the windows of an element; `timestamp` is [`NO_TIMESTAMP`] for one without.
    ///
    /// # Errors
    /// User, when the element has no timestamp and needs one.
    fn assign_windows(
        &self,
        element: &T,
        timestamp: i64,
        ctx: &WindowAssignerContext<'_>,
        windows: &mut Vec<Self::Window>,
    ) -> Result<()>;

    /// The trigger that is used unless another is set.
    fn default_trigger(&self) -> Self::DefaultTrigger;

    /// Whether windows end by the watermark; else they end by the clock, or not at all.
    fn is_event_time(&self) -> bool;

    /// Whether windows of one key can grow together ([`WindowAssigner::merge_windows`]).
    fn is_merging(&self) -> bool {
        false
    }

    /// Which of `windows` are to become one: for each result, the windows that it takes the place of, two at least.
    fn merge_windows(&self, _windows: &[Self::Window]) -> Vec<(Self::Window, Vec<Self::Window>)> {
        Vec::new()
    }

    /// Whether the assigner was made with values that it can work with.
    ///
    /// # Errors
    /// Config, saying which are allowed. The job is not built then.
    fn validate(&self) -> Result<()> {
        Ok(())
    }
}

/// What an assigner can ask for. Flink's `WindowAssignerContext`.
pub struct WindowAssignerContext<'a> {
    clock: &'a dyn Clock,
}

impl<'a> WindowAssignerContext<'a> {
    /// For engines: a context over the operator's clock.
    pub fn new(clock: &'a dyn Clock) -> Self {
        WindowAssignerContext { clock }
    }
    /// The clock's time, in milliseconds since the epoch.
    pub fn current_processing_time(&self) -> i64 {
        self.clock.now_ms()
    }
}

/// A duration in milliseconds; one that an `i64` can't hold is as long as it can.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The timestamp of an element that must have one.
fn timestamp_of(timestamp: i64) -> Result<i64> {
    if timestamp == NO_TIMESTAMP {
        return Err(no_timestamp());
    }
    Ok(timestamp)
}

#[cold]
fn no_timestamp() -> Error {
    Error::user("a record without a timestamp can't be put into an event-time window").hint(
        "give the source a WatermarkStrategy with a timestamp assigner, or call assign_timestamps_and_watermarks before key_by",
    )
}

/// The refusal of an assigner's values.
fn refuse(name: &'static str, rule: &'static str) -> Error {
    Error::config("build windows", rule).with("assigner", name)
}
