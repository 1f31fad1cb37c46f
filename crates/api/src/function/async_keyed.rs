//! A function over a keyed stream whose accesses to state are futures.

use super::async_context::{AsyncCollector, AsyncKeyedContext, AsyncOnTimerContext};
use super::checkpointed::StateSnapshotContext;
use super::runtime_context::RuntimeContext;
use crate::Data;
use millpond_core::{CheckpointId, Result};
use millpond_types::StateKey;
use std::future::{Future, ready};

/// Processes the elements of a keyed stream, and awaits its state: while one record waits for storage, records of other keys are
/// processed. Flink's `KeyedProcessFunction` over a stream with `enableAsyncState()`, with the states of State V2.
///
/// # Contract
/// - The records and timers of one key are processed one after the other, in the order in which a [`super::KeyedProcessFunction`]
///   would see them; between them nothing else touches the state of the key. Records of different keys may overtake each other,
///   but never a watermark or a checkpoint.
/// - The function is shared by everything that is in flight. What it changes in itself (in a `Cell`) may be seen in the midst
///   of another record: keep what belongs to a record in the future, and what belongs to a key in its state.
/// - A future awaits accesses to state of its own operator, and combinations of them (`join!`). One that waits for anything else
///   may not be woken, and fails the task when a watermark or a checkpoint has to wait for it.
///
/// ```
/// use millpond_api::function::{AsyncCollector, AsyncKeyedContext, AsyncKeyedProcessFunction, RuntimeContext};
/// use millpond_core::Result;
/// use millpond_state::async_state::AsyncValueState;
/// use millpond_state::descriptor::ValueStateDescriptor;
///
/// #[derive(Default)]
/// struct CountWindow {
///     count: AsyncValueState<i64>,
/// }
///
/// impl AsyncKeyedProcessFunction for CountWindow {
///     type Key = String;
///     type In = String;
///     type Out = (String, i64);
///
///     fn open(&mut self, ctx: &mut RuntimeContext<'_, String>) -> Result<()> {
///         self.count = ctx.async_state(ValueStateDescriptor::new("count").default_value(0))?;
///         Ok(())
///     }
///
///     async fn process_element(
///         &self,
///         _word: String,
///         ctx: &AsyncKeyedContext<String>,
///         out: &AsyncCollector<(String, i64)>,
///     ) -> Result<()> {
///         let n = self.count.async_value().await? + 1;
///         if n >= 10 {
///             out.collect((ctx.current_key().clone(), n));
///             self.count.async_clear().await
///         } else {
///             self.count.async_update(n).await
///         }
///     }
/// }
/// ```
pub trait AsyncKeyedProcessFunction: 'static {
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

    /// Takes an element. An `async fn` implements it.
    ///
    /// # Errors
    /// As [`AsyncKeyedProcessFunction::open`].
    fn process_element(
        &self,
        value: Self::In,
        ctx: &AsyncKeyedContext<Self::Key>,
        out: &AsyncCollector<Self::Out>,
    ) -> impl Future<Output = Result<()>>;

    /// A timer that was registered through [`AsyncKeyedContext::timer_service`] is due. `timestamp` is what it was registered
    /// for. An `async fn` implements it.
    ///
    /// # Errors
    /// As [`AsyncKeyedProcessFunction::open`].
    fn on_timer(
        &self,
        _timestamp: i64,
        _ctx: &AsyncOnTimerContext<Self::Key>,
        _out: &AsyncCollector<Self::Out>,
    ) -> impl Future<Output = Result<()>> {
        ready(Ok(()))
    }

    /// A snapshot is taken, with nothing in flight: write raw state, or bring operator state up to date. Flink's
    /// `CheckpointedFunction#snapshotState`; what `initializeState` does there, `open` does here.
    ///
    /// # Errors
    /// The task fails and the job restarts from its last checkpoint: what the function put aside for this one is in none.
    fn snapshot_state(&self, _ctx: &mut StateSnapshotContext<'_>) -> Result<()> {
        Ok(())
    }

    /// The checkpoint is complete: what came before it won't be processed again, so effects that waited for it may show. Not told of
    /// savepoints, but for the one that the job stops with. The notice is missing where the job fails first; the next one covers
    /// the checkpoints before it. Flink's `CheckpointListener`.
    ///
    /// # Errors
    /// The task fails; the checkpoint stays complete.
    fn notify_checkpoint_complete(&self, _checkpoint_id: CheckpointId) -> Result<()> {
        Ok(())
    }

    /// The checkpoint or savepoint will never complete. What waits for it goes with the next one. Flink's `CheckpointListener`.
    ///
    /// # Errors
    /// The task fails.
    fn notify_checkpoint_aborted(&self, _checkpoint_id: CheckpointId) -> Result<()> {
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
