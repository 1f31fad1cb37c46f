//! The triggers of global windows: never, and at the end of the input.

use super::{Trigger, TriggerContext, TriggerResult};
use crate::window::{GlobalWindow, Window, WindowStateStore};
use millpond_core::Result;
use millpond_types::StateKey;

/// Never fires. Flink's `GlobalWindows.NeverTrigger`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NeverTrigger;

impl<T> Trigger<T, GlobalWindow> for NeverTrigger {
    type State = ();

    fn open<K: StateKey>(&self, _states: &mut WindowStateStore<'_, K, GlobalWindow>) -> Result<()> {
        Ok(())
    }
    fn on_element(
        &self,
        _element: &T,
        _timestamp: i64,
        _window: &GlobalWindow,
        _ctx: &mut TriggerContext<'_, GlobalWindow, ()>,
    ) -> Result<TriggerResult> {
        Ok(TriggerResult::Continue)
    }
    fn clear(&self, _window: &GlobalWindow, _ctx: &mut TriggerContext<'_, GlobalWindow, ()>) -> Result<()> {
        Ok(())
    }
}

/// Fires once, when the input has ended. Flink's `GlobalWindows.EndOfStreamTrigger`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndOfStreamTrigger;

impl<T> Trigger<T, GlobalWindow> for EndOfStreamTrigger {
    type State = ();

    fn open<K: StateKey>(&self, _states: &mut WindowStateStore<'_, K, GlobalWindow>) -> Result<()> {
        Ok(())
    }
    fn on_element(
        &self,
        _element: &T,
        _timestamp: i64,
        window: &GlobalWindow,
        ctx: &mut TriggerContext<'_, GlobalWindow, ()>,
    ) -> Result<TriggerResult> {
        ctx.register_event_time_timer(window.max_timestamp())?;
        Ok(TriggerResult::Continue)
    }
    fn on_event_time(
        &self,
        time: i64,
        window: &GlobalWindow,
        _ctx: &mut TriggerContext<'_, GlobalWindow, ()>,
    ) -> Result<TriggerResult> {
        Ok(if time == window.max_timestamp() {
            TriggerResult::Fire
        } else {
            TriggerResult::Continue
        })
    }
    fn clear(&self, _window: &GlobalWindow, _ctx: &mut TriggerContext<'_, GlobalWindow, ()>) -> Result<()> {
        Ok(())
    }
}
