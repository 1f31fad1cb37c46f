//! Fires when the clock passes a window's end.

use super::{Trigger, TriggerContext, TriggerResult};
use crate::window::{TimeWindow, WindowStateStore};
use millpond_core::Result;
use millpond_types::StateKey;

/// Computes a window when the clock passes its end. Flink's `ProcessingTimeTrigger`, the default one of processing-time windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessingTimeTrigger(());

impl ProcessingTimeTrigger {
    /// The trigger.
    pub fn create() -> Self {
        ProcessingTimeTrigger(())
    }
}

impl<T> Trigger<T, TimeWindow> for ProcessingTimeTrigger {
    type State = ();

    fn open<K: StateKey>(&self, _states: &mut WindowStateStore<'_, K, TimeWindow>) -> Result<()> {
        Ok(())
    }
    fn on_element(
        &self,
        _element: &T,
        _timestamp: i64,
        window: &TimeWindow,
        ctx: &mut TriggerContext<'_, TimeWindow, ()>,
    ) -> Result<TriggerResult> {
        ctx.register_processing_time_timer(window.max_timestamp())?;
        Ok(TriggerResult::Continue)
    }
    fn on_processing_time(
        &self,
        _time: i64,
        _window: &TimeWindow,
        _ctx: &mut TriggerContext<'_, TimeWindow, ()>,
    ) -> Result<TriggerResult> {
        Ok(TriggerResult::Fire)
    }
    fn clear(&self, window: &TimeWindow, ctx: &mut TriggerContext<'_, TimeWindow, ()>) -> Result<()> {
        ctx.delete_processing_time_timer(window.max_timestamp())
    }
    fn can_merge(&self) -> bool {
        true
    }
    fn on_merge(&self, window: &TimeWindow, ctx: &mut TriggerContext<'_, TimeWindow, ()>) -> Result<()> {
        if window.max_timestamp() > ctx.current_processing_time() {
            ctx.register_processing_time_timer(window.max_timestamp())?;
        }
        Ok(())
    }
}
