//! Functions over two connected streams.

use super::checkpointed::StateSnapshotContext;
use super::context::{KeyedContext, OnTimerContext, ProcessContext};
use super::runtime_context::RuntimeContext;
use crate::{Collector, Data};
use millpond_core::{CheckpointId, Result};
use millpond_types::StateKey;

/// Processes two streams together, neither of them keyed. Flink's `CoProcessFunction`.
pub trait CoProcessFunction: 'static {
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
    fn open(&mut self, _ctx: &mut RuntimeContext<'_>) -> Result<()> {
        Ok(())
    }

    /// Takes an element of the first stream.
    ///
    /// # Errors
    /// As [`CoProcessFunction::open`].
    fn process_element1(
        &mut self,
        value: Self::In1,
        ctx: &mut ProcessContext<'_>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()>;

    /// Takes an element of the second stream.
    ///
    /// # Errors
    /// As [`CoProcessFunction::open`].
    fn process_element2(
        &mut self,
        value: Self::In2,
        ctx: &mut ProcessContext<'_>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()>;

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

    /// The end, also after a failure.
    ///
    /// # Errors
    /// Logged.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Processes two streams keyed alike: both see the same state and timers of a key. Flink's `KeyedCoProcessFunction`.
pub trait KeyedCoProcessFunction: 'static {
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

    /// Takes an element of the first stream.
    ///
    /// # Errors
    /// As [`KeyedCoProcessFunction::open`].
    fn process_element1(
        &mut self,
        value: Self::In1,
        ctx: &mut KeyedContext<'_, Self::Key>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()>;

    /// Takes an element of the second stream.
    ///
    /// # Errors
    /// As [`KeyedCoProcessFunction::open`].
    fn process_element2(
        &mut self,
        value: Self::In2,
        ctx: &mut KeyedContext<'_, Self::Key>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()>;

    /// A timer is due.
    ///
    /// # Errors
    /// As [`KeyedCoProcessFunction::open`].
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

    /// The end, also after a failure.
    ///
    /// # Errors
    /// Logged.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
