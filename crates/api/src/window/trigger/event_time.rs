//! Fires when the watermark passes a window's end.

use super::{Trigger, TriggerContext, TriggerResult};
use crate::window::{TimeWindow, WindowStateStore};
use millpond_core::Result;
use millpond_types::StateKey;

/// Computes a window when the watermark passes its end, and again with each late element that is still allowed.
/// Flink's `EventTimeTrigger`, the default one of event-time windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTimeTrigger(());

impl EventTimeTrigger {
    /// The trigger.
    pub fn create() -> Self {
        EventTimeTrigger(())
    }
}

impl<T> Trigger<T, TimeWindow> for EventTimeTrigger {
    type State = ();

    fn open<K: StateKey>(&self, _states: &mut WindowStateStore<'_, K, TimeWindow>) -> Result<()> {
        Ok(())
    }
    #[inline]
    fn on_element(
        &self,
        _element: &T,
        _timestamp: i64,
        window: &TimeWindow,
        ctx: &mut TriggerContext<'_, TimeWindow, ()>,
    ) -> Result<TriggerResult> {
        if window.max_timestamp() <= ctx.current_watermark() {
            return Ok(TriggerResult::Fire);
        }
        ctx.register_event_time_timer(window.max_timestamp())?;
        Ok(TriggerResult::Continue)
    }
    fn on_event_time(
        &self,
        time: i64,
        window: &TimeWindow,
        _ctx: &mut TriggerContext<'_, TimeWindow, ()>,
    ) -> Result<TriggerResult> {
        Ok(if time == window.max_timestamp() {
            TriggerResult::Fire
        } else {
            TriggerResult::Continue
        })
    }
    fn clear(&self, window: &TimeWindow, ctx: &mut TriggerContext<'_, TimeWindow, ()>) -> Result<()> {
        ctx.delete_event_time_timer(window.max_timestamp())
    }
    fn can_merge(&self) -> bool {
        true
    }
    fn on_merge(&self, window: &TimeWindow, ctx: &mut TriggerContext<'_, TimeWindow, ()>) -> Result<()> {
        // A window that is past its end is computed by `on_element`; a timer would compute it a second time.
        if window.max_timestamp() > ctx.current_watermark() {
            ctx.register_event_time_timer(window.max_timestamp())?;
        }
        Ok(())
    }
}
