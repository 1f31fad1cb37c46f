//! Triggers: when a window's contents are computed.

mod continuous;
mod count;
mod event_time;
mod never;
mod processing_time;
mod purging;

pub use continuous::ContinuousEventTimeTrigger;
pub use count::CountTrigger;
pub use event_time::EventTimeTrigger;
pub use never::{EndOfStreamTrigger, NeverTrigger};
pub use processing_time::ProcessingTimeTrigger;
pub use purging::PurgingTrigger;

use super::{Window, WindowStateStore};
use millpond_core::{Error, Result};
use millpond_state::timer::TimerService;
use millpond_types::StateKey;

/// What is to be done with a window. Flink's `TriggerResult`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerResult {
    /// Nothing.
    Continue,
    /// Compute it and forget its contents.
    FireAndPurge,
    /// Compute it and keep its contents.
    Fire,
    /// Forget its contents.
    Purge,
}

impl TriggerResult {
    /// Whether the window is computed.
    pub fn is_fire(self) -> bool {
        matches!(self, TriggerResult::Fire | TriggerResult::FireAndPurge)
    }
    /// Whether the window's contents are forgotten.
    pub fn is_purge(self) -> bool {
        matches!(self, TriggerResult::Purge | TriggerResult::FireAndPurge)
    }
}

/// Decides when a window is computed. Flink's `Trigger`.
///
/// A trigger itself holds nothing that changes: all instances and all windows share it. What it remembers of a window is state
/// that it opens in [`Trigger::open`] and finds in [`TriggerContext::state`]; that state is always about the key and the
/// window of the call.
///
/// # Contract
/// `clear` forgets all state of the window and deletes the timers that were registered for it; else they stay behind (trusted).
/// A trigger for merging windows says so by `can_merge` and moves its state in `on_merge` (the first is checked when the job is
/// built).
///
/// ```
/// use millpond_api::window::{TimeWindow, Trigger, TriggerContext, TriggerResult, WindowStateStore};
/// use millpond_core::Result;
/// use millpond_types::StateKey;
///
/// /// Computes a window early, with its first element, and again at its end.
/// #[derive(Clone)]
/// struct FirstAndLast;
///
/// impl<T> Trigger<T, TimeWindow> for FirstAndLast {
///     type State = millpond_state::keyed::ReducingState<i64, TimeWindow>;
///
///     fn open<K: StateKey>(&self, states: &mut WindowStateStore<'_, K, TimeWindow>) -> Result<Self::State> {
///         let seen = |seen: &mut i64, n: i64| *seen += n;
///         states.reducing_state(millpond_state::descriptor::ReducingStateDescriptor::new("seen", seen))
///     }
///     fn on_element(
///         &self,
///         _: &T,
///         _: i64,
///         window: &TimeWindow,
///         ctx: &mut TriggerContext<'_, TimeWindow, Self::State>,
///     ) -> Result<TriggerResult> {
///         ctx.register_event_time_timer(window.max_timestamp())?;
///         if ctx.state().get()?.is_some() {
///             return Ok(TriggerResult::Continue);
///         }
///         ctx.state().add(1)?;
///         Ok(TriggerResult::Fire)
///     }
///     fn on_event_time(
///         &self,
///         time: i64,
///         window: &TimeWindow,
///         _: &mut TriggerContext<'_, TimeWindow, Self::State>,
///     ) -> Result<TriggerResult> {
///         Ok(if time == window.max_timestamp() { TriggerResult::Fire } else { TriggerResult::Continue })
///     }
///     fn clear(&self, window: &TimeWindow, ctx: &mut TriggerContext<'_, TimeWindow, Self::State>) -> Result<()> {
///         ctx.delete_event_time_timer(window.max_timestamp())?;
///         ctx.state().clear()
///     }
/// }
/// ```
pub trait Trigger<T, W: Window>: Clone + Send + Sync + 'static {
    /// The states that it opens, for one parallel instance; `()` for none.
    type State: 'static;

    /// Opens its states: once for each instance, before the first element.
    ///
    /// # Errors
    /// As the states' opening.
    fn open<K: StateKey>(&self, states: &mut WindowStateStore<'_, K, W>) -> Result<Self::State>;

    /// An element was put into the window. `timestamp` is [`crate::NO_TIMESTAMP`] for one without.
    ///
    /// # Errors
    /// The task fails.
    fn on_element(
        &self,
        element: &T,
        timestamp: i64,
        window: &W,
        ctx: &mut TriggerContext<'_, W, Self::State>,
    ) -> Result<TriggerResult>;

    /// An event-time timer of the window is due.
    ///
    /// # Errors
    /// The task fails.
    fn on_event_time(
        &self,
        _time: i64,
        _window: &W,
        _ctx: &mut TriggerContext<'_, W, Self::State>,
    ) -> Result<TriggerResult> {
        Ok(TriggerResult::Continue)
    }

    /// A processing-time timer of the window is due.
    ///
    /// # Errors
    /// The task fails.
    fn on_processing_time(
        &self,
        _time: i64,
        _window: &W,
        _ctx: &mut TriggerContext<'_, W, Self::State>,
    ) -> Result<TriggerResult> {
        Ok(TriggerResult::Continue)
    }

    /// The window is over: forget what was kept for it.
    ///
    /// # Errors
    /// The task fails.
    fn clear(&self, window: &W, ctx: &mut TriggerContext<'_, W, Self::State>) -> Result<()>;

    /// Whether it works with windows that merge.
    fn can_merge(&self) -> bool {
        false
    }

    /// Windows ([`TriggerContext::merged_windows`]) became `window`: move their state, by the states' `merge_namespaces`, and
    /// register timers for the new window.
    ///
    /// # Errors
    /// The task fails.
    fn on_merge(&self, _window: &W, _ctx: &mut TriggerContext<'_, W, Self::State>) -> Result<()> {
        Err(Error::illegal_state(
            "merge windows",
            "the trigger does not support merging",
        ))
    }
}

/// What a trigger is handed: time, the timers of the window, its state. Flink's `TriggerContext` and `OnMergeContext`.
pub struct TriggerContext<'a, W, S> {
    timers: &'a mut dyn TimerService,
    state: &'a S,
    merged: &'a [W],
}

impl<'a, W, S> TriggerContext<'a, W, S> {
    /// For engines: the context of one call. `timers` are those of its key and window.
    pub fn new(timers: &'a mut dyn TimerService, state: &'a S, merged: &'a [W]) -> Self {
        TriggerContext {
            timers,
            state,
            merged,
        }
    }
    /// What [`Trigger::open`] returned, about the key and the window of the call. Flink's `getPartitionedState`.
    #[inline]
    pub fn state(&self) -> &'a S {
        self.state
    }
    /// The windows that were merged; none outside of [`Trigger::on_merge`].
    pub fn merged_windows(&self) -> &'a [W] {
        self.merged
    }
    /// The watermark; `i64::MIN` before the first.
    #[inline]
    pub fn current_watermark(&self) -> i64 {
        self.timers.current_watermark()
    }
    /// The clock's time, in milliseconds since the epoch.
    pub fn current_processing_time(&self) -> i64 {
        self.timers.current_processing_time()
    }
    /// Asks for [`Trigger::on_event_time`] when the watermark reaches `time`.
    ///
    /// # Errors
    /// As the key's serializer; so for the others.
    #[inline]
    pub fn register_event_time_timer(&mut self, time: i64) -> Result<()> {
        self.timers.register_event_time_timer(time)
    }
    /// Asks for [`Trigger::on_processing_time`] when the clock reaches `time`.
    ///
    /// # Errors
    /// As the key's serializer.
    pub fn register_processing_time_timer(&mut self, time: i64) -> Result<()> {
        self.timers.register_processing_time_timer(time)
    }
    /// Takes such a request back.
    ///
    /// # Errors
    /// As the key's serializer.
    pub fn delete_event_time_timer(&mut self, time: i64) -> Result<()> {
        self.timers.delete_event_time_timer(time)
    }
    /// Takes such a request back.
    ///
    /// # Errors
    /// As the key's serializer.
    pub fn delete_processing_time_timer(&mut self, time: i64) -> Result<()> {
        self.timers.delete_processing_time_timer(time)
    }
}
