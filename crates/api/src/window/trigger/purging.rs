//! Forgets a window's contents whenever another trigger fires.

use super::{Trigger, TriggerContext, TriggerResult};
use crate::window::{Window, WindowStateStore};
use millpond_core::Result;
use millpond_types::StateKey;

/// Turns every firing of another trigger into one that also forgets the contents. Flink's `PurgingTrigger`.
///
/// ```
/// use millpond_api::window::{CountTrigger, PurgingTrigger};
/// let every_hundred = PurgingTrigger::of(CountTrigger::of(100));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurgingTrigger<Tr> {
    nested: Tr,
}

impl<Tr> PurgingTrigger<Tr> {
    /// Purges when `nested` fires.
    pub fn of(nested: Tr) -> Self {
        PurgingTrigger { nested }
    }
}

fn purging(result: TriggerResult) -> TriggerResult {
    if result.is_fire() {
        TriggerResult::FireAndPurge
    } else {
        result
    }
}

impl<T, W: Window, Tr: Trigger<T, W>> Trigger<T, W> for PurgingTrigger<Tr> {
    type State = Tr::State;

    fn open<K: StateKey>(&self, states: &mut WindowStateStore<'_, K, W>) -> Result<Self::State> {
        self.nested.open(states)
    }
    fn on_element(
        &self,
        element: &T,
        timestamp: i64,
        window: &W,
        ctx: &mut TriggerContext<'_, W, Self::State>,
    ) -> Result<TriggerResult> {
        self.nested
            .on_element(element, timestamp, window, ctx)
            .map(purging)
    }
    fn on_event_time(
        &self,
        time: i64,
        window: &W,
        ctx: &mut TriggerContext<'_, W, Self::State>,
    ) -> Result<TriggerResult> {
        self.nested.on_event_time(time, window, ctx).map(purging)
    }
    fn on_processing_time(
        &self,
        time: i64,
        window: &W,
        ctx: &mut TriggerContext<'_, W, Self::State>,
    ) -> Result<TriggerResult> {
        self.nested.on_processing_time(time, window, ctx).map(purging)
    }
    fn clear(&self, window: &W, ctx: &mut TriggerContext<'_, W, Self::State>) -> Result<()> {
        self.nested.clear(window, ctx)
    }
    fn can_merge(&self) -> bool {
        self.nested.can_merge()
    }
    fn on_merge(&self, window: &W, ctx: &mut TriggerContext<'_, W, Self::State>) -> Result<()> {
        self.nested.on_merge(window, ctx)
    }
}
