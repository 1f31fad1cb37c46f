//! Fires again and again while event time goes on.

use super::{Trigger, TriggerContext, TriggerResult};
use crate::window::assigner::millis;
use crate::window::{Window, WindowStateStore};
use millpond_core::Result;
use millpond_state::descriptor::ReducingStateDescriptor;
use millpond_state::keyed::ReducingState;
use millpond_types::StateKey;
use std::time::Duration;

/// The name of the state, as in Flink.
const STATE_NAME: &str = "fire-time";

/// Computes a window with every `interval` of event time, and at its end. Flink's `ContinuousEventTimeTrigger`.
///
/// It fires at the multiples of the interval since the epoch, from the first element of the window on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContinuousEventTimeTrigger {
    interval_ms: i64,
}

impl ContinuousEventTimeTrigger {
    /// Fires with every `interval`; less than a millisecond is one.
    pub fn of(interval: Duration) -> Self {
        ContinuousEventTimeTrigger {
            interval_ms: millis(interval).max(1),
        }
    }

    /// Notes and registers the next time after `time`: never later than the window's end.
    fn register_next<W: Window>(
        self,
        time: i64,
        window: &W,
        ctx: &mut TriggerContext<'_, W, ReducingState<i64, W>>,
    ) -> Result<()> {
        let next = time.saturating_add(self.interval_ms).min(window.max_timestamp());
        ctx.state().add(next)?;
        ctx.register_event_time_timer(next)
    }
}

impl<T, W: Window> Trigger<T, W> for ContinuousEventTimeTrigger {
    type State = ReducingState<i64, W>;

    fn open<K: StateKey>(&self, states: &mut WindowStateStore<'_, K, W>) -> Result<Self::State> {
        // Of merged windows the one that is to fire first decides.
        let min = |min: &mut i64, time: i64| *min = time.min(*min);
        states.reducing_state(ReducingStateDescriptor::new(STATE_NAME, min))
    }
    fn on_element(
        &self,
        _element: &T,
        timestamp: i64,
        window: &W,
        ctx: &mut TriggerContext<'_, W, Self::State>,
    ) -> Result<TriggerResult> {
        if window.max_timestamp() <= ctx.current_watermark() {
            return Ok(TriggerResult::Fire);
        }
        ctx.register_event_time_timer(window.max_timestamp())?;
        if ctx.state().get()?.is_none() {
            // The interval is 1 at least.
            let start = timestamp - timestamp.checked_rem(self.interval_ms).unwrap_or(0);
            self.register_next(start, window, ctx)?;
        }
        Ok(TriggerResult::Continue)
    }
    fn on_event_time(
        &self,
        time: i64,
        window: &W,
        ctx: &mut TriggerContext<'_, W, Self::State>,
    ) -> Result<TriggerResult> {
        if time == window.max_timestamp() {
            return Ok(TriggerResult::Fire);
        }
        if ctx.state().get()? != Some(time) {
            return Ok(TriggerResult::Continue);
        }
        ctx.state().clear()?;
        self.register_next(time, window, ctx)?;
        Ok(TriggerResult::Fire)
    }
    fn clear(&self, _window: &W, ctx: &mut TriggerContext<'_, W, Self::State>) -> Result<()> {
        if let Some(time) = ctx.state().get()? {
            ctx.delete_event_time_timer(time)?;
            ctx.state().clear()?;
        }
        Ok(())
    }
    fn can_merge(&self) -> bool {
        true
    }
    fn on_merge(&self, window: &W, ctx: &mut TriggerContext<'_, W, Self::State>) -> Result<()> {
        ctx.state().merge_namespaces(window, ctx.merged_windows())?;
        match ctx.state().get()? {
            Some(time) => ctx.register_event_time_timer(time),
            None => Ok(()),
        }
    }
}
