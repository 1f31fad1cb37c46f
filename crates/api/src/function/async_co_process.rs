//! A function over two streams keyed alike whose accesses to state are futures.

use super::async_context::{AsyncCollector, AsyncKeyedContext, AsyncOnTimerContext};
use super::checkpointed::StateSnapshotContext;
use super::runtime_context::RuntimeContext;
use crate::Data;
use millpond_core::{CheckpointId, Result};
use millpond_types::StateKey;
use std::future::{Future, ready};

/// Processes two streams keyed alike, and awaits its state: both see the same state and timers of a key. Flink's
/// `KeyedCoProcessFunction` over streams with `enableAsyncState()`, with the states of State V2.
///
/// # Contract
/// That of [`super::AsyncKeyedProcessFunction`]; the records of a key from both streams are one order.
pub trait AsyncKeyedCoProcessFunction: 'static {
    /// The key that both streams are keyed by.
    type Key: StateKey;
    /// The elements of the first stream.
    type In1: Data;
    /// The elements of the second stream.
    type In2: Data;
    /// The results.
    type Out: Data;

    /// Opens states and counters: once, before the first element.
    ///
    /// # Errors
    /// Whatever keeps the function from working; the job restarts by its restart strategy.
    fn open(&mut self, _ctx: &mut RuntimeContext<'_, Self::Key>) -> Result<()> {
        Ok(())
    }

    /// Takes an element of the first stream. An `async fn` implements it.
    ///
    /// # Errors
    /// As [`AsyncKeyedCoProcessFunction::open`].
    fn process_element1(
        &self,
        value: Self::In1,
        ctx: &AsyncKeyedContext<Self::Key>,
        out: &AsyncCollector<Self::Out>,
    ) -> impl Future<Output = Result<()>>;

    /// Takes an element of the second stream. An `async fn` implements it.
    ///
    /// # Errors
    /// As [`AsyncKeyedCoProcessFunction::open`].
    fn process_element2(
        &self,
        value: Self::In2,
        ctx: &AsyncKeyedContext<Self::Key>,
        out: &AsyncCollector<Self::Out>,
    ) -> impl Future<Output = Result<()>>;

    /// A timer is due. An `async fn` implements it.
    ///
    /// # Errors
    /// As [`AsyncKeyedCoProcessFunction::open`].
    fn on_timer(
        &self,
        _timestamp: i64,
        _ctx: &AsyncOnTimerContext<Self::Key>,
        _out: &AsyncCollector<Self::Out>,
    ) -> impl Future<Output = Result<()>> {
        ready(Ok(()))
    }

    /// As [`super::AsyncKeyedProcessFunction::snapshot_state`].
    ///
    /// # Errors
    /// The task fails.
    fn snapshot_state(&self, _ctx: &mut StateSnapshotContext<'_>) -> Result<()> {
        Ok(())
    }

    /// As [`super::AsyncKeyedProcessFunction::notify_checkpoint_complete`].
    ///
    /// # Errors
    /// The task fails; the checkpoint stays complete.
    fn notify_checkpoint_complete(&self, _checkpoint_id: CheckpointId) -> Result<()> {
        Ok(())
    }

    /// As [`super::AsyncKeyedProcessFunction::notify_checkpoint_aborted`].
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
