//! Fires with every so many elements.

use super::{Trigger, TriggerContext, TriggerResult};
use crate::window::{Window, WindowStateStore};
use millpond_core::Result;
use millpond_state::descriptor::ReducingStateDescriptor;
use millpond_state::keyed::ReducingState;
use millpond_types::StateKey;

/// The name of the state, as in Flink.
const STATE_NAME: &str = "count";

/// Computes a window with every `max_count` elements, and keeps its contents. Flink's `CountTrigger`.
///
/// It takes the place of the assigner's own trigger: a time window is then not computed at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountTrigger {
    max_count: i64,
}

impl CountTrigger {
    /// Fires with every `max_count` elements; 0 is as 1.
    pub fn of(max_count: i64) -> Self {
        CountTrigger { max_count }
    }
}

impl<T, W: Window> Trigger<T, W> for CountTrigger {
    type State = ReducingState<i64, W>;

    fn open<K: StateKey>(&self, states: &mut WindowStateStore<'_, K, W>) -> Result<Self::State> {
        let sum = |sum: &mut i64, n: i64| *sum = sum.saturating_add(n);
        states.reducing_state(ReducingStateDescriptor::new(STATE_NAME, sum))
    }
    fn on_element(
        &self,
        _element: &T,
        _timestamp: i64,
        _window: &W,
        ctx: &mut TriggerContext<'_, W, Self::State>,
    ) -> Result<TriggerResult> {
        let count = ctx.state();
        count.add(1)?;
        if count.get()?.unwrap_or(0) < self.max_count {
            return Ok(TriggerResult::Continue);
        }
        count.clear()?;
        Ok(TriggerResult::Fire)
    }
    fn clear(&self, _window: &W, ctx: &mut TriggerContext<'_, W, Self::State>) -> Result<()> {
        ctx.state().clear()
    }
    fn can_merge(&self) -> bool {
        true
    }
    fn on_merge(&self, window: &W, ctx: &mut TriggerContext<'_, W, Self::State>) -> Result<()> {
        ctx.state().merge_namespaces(window, ctx.merged_windows())
    }
}
