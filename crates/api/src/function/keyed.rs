//! A function over a keyed stream, with state and timers.

use super::checkpointed::StateSnapshotContext;
use super::context::{KeyedContext, OnTimerContext};
use super::runtime_context::RuntimeContext;
use crate::{Collector, Data};
use millpond_core::{CheckpointId, Result};
use millpond_types::StateKey;

/// Processes the elements of a keyed stream. Flink's `KeyedProcessFunction`.
///
/// # Contract
/// State handles and timers belong to the key of the element or timer at hand ([`KeyedContext::current_key`]). Results carry
/// the timestamp of the element or timer that caused them.
///
/// ```
/// use millpond_api::Collector;
/// use millpond_api::function::{KeyedContext, KeyedProcessFunction, RuntimeContext};
/// use millpond_core::Result;
/// use millpond_state::descriptor::ValueStateDescriptor;
/// use millpond_state::keyed::ValueState;
///
/// #[derive(Default)]
/// struct CountWindow {
///     count: ValueState<i64>,
/// }
///
/// impl KeyedProcessFunction for CountWindow {
///     type Key = String;
///     type In = String;
///     type Out = (String, i64);
///
///     fn open(&mut self, ctx: &mut RuntimeContext<'_, String>) -> Result<()> {
///         self.count = ctx.state(ValueStateDescriptor::new("count").default_value(0))?;
///         Ok(())
///     }
///
///     fn process_element(
///         &mut self,
///         _word: String,
///         ctx: &mut KeyedContext<'_, String>,
///         out: &mut Collector<'_, (String, i64)>,
///     ) -> Result<()> {
///         let n = self.count.value()? + 1;
///         if n >= 10 {
///             out.collect((ctx.current_key().clone(), n));
///             self.count.clear()
///         } else {
///             self.count.update(n)
///         }
///     }
/// }
/// ```
pub trait KeyedProcessFunction: 'static {
    /// The key that the stream is keyed by.
    type Key: StateKey;
    /// The elements.
    type In: Data;
    /// The results.
    type Out: Data;

    /// Opens states and counters: once, before the first element.
    ///
    /// # Errors
    /// Whatever keeps the function from working; the job restarts by its restart strategy.
    fn open(&mut self, _ctx: &mut RuntimeContext<'_, Self::Key>) -> Result<()> {
        Ok(())
    }

    /// Takes an element.
    ///
    /// # Errors
    /// As [`KeyedProcessFunction::open`].
    fn process_element(
        &mut self,
        value: Self::In,
        ctx: &mut KeyedContext<'_, Self::Key>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()>;

    /// A timer that was registered through [`KeyedContext::timer_service`] is due. `timestamp` is what it was registered for.
    ///
    /// # Errors
    /// As [`KeyedProcessFunction::open`].
    fn on_timer(
        &mut self,
        _timestamp: i64,
        _ctx: &mut OnTimerContext<'_, Self::Key>,
        _out: &mut Collector<'_, Self::Out>,
    ) -> Result<()> {
        Ok(())
    }

    /// A snapshot is taken, between two records: write raw state, or bring operator state up to date. Flink's
    /// `CheckpointedFunction#snapshotState`; what `initializeState` does there, `open` does here.
    ///
    /// # Errors
    /// The task fails and the job restarts from its last checkpoint: what the function put aside for this one is in none.
    fn snapshot_state(&mut self, _ctx: &mut StateSnapshotContext<'_>) -> Result<()> {
        Ok(())
    }

    /// The checkpoint is complete: what came before it won't be processed again, so effects that waited for it may show. Not told of
    /// savepoints, but for the one that the job stops with. The notice is missing where the job fails first; the next one covers
    /// the checkpoints before it. Flink's `CheckpointListener`.
    ///
    /// # Errors
    /// The task fails; the checkpoint stays complete.
    fn notify_checkpoint_complete(&mut self, _checkpoint_id: CheckpointId) -> Result<()> {
        Ok(())
    }

    /// The checkpoint or savepoint will never complete. What waits for it goes with the next one. Flink's `CheckpointListener`.
    ///
    /// # Errors
    /// The task fails.
    fn notify_checkpoint_aborted(&mut self, _checkpoint_id: CheckpointId) -> Result<()> {
        Ok(())
    }

    /// The end, also after a failure: release what is held outside of the state.
    ///
    /// # Errors
    /// Logged.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
