//! The contract of operators with two inputs.

use super::{ChainOutput, OperatorContext, SnapshotFuture};
use crate::element::WatermarkStatus;
use crate::task::query::not_keyed;
use millpond_api::{SideOutputs, Watermark};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::Result;
use millpond_state::query::{QueryAnswer, QueryKey};

/// An operator with two inputs, by its types. It always begins a task, whose inputs are the two streams.
///
/// Watermarks and statuses arrive combined over both inputs. The other methods are as those of
/// [`super::OneInputOperator`].
pub trait TwoInputOperator: 'static {
    /// The records of the first input.
    type In1: 'static;
    /// The records of the second input.
    type In2: 'static;
    /// The records that it emits.
    type Out: 'static;

    /// See [`super::OneInputOperator::set_side_outputs`].
    fn set_side_outputs(&mut self, _side_outputs: SideOutputs) {}
    /// See [`super::StreamOperator::initialize`].
    ///
    /// # Errors
    /// The task fails.
    fn initialize(&mut self, ctx: OperatorContext, out: &mut dyn ChainOutput<Self::Out>) -> Result<()>;
    /// Takes a record of the first input.
    ///
    /// # Errors
    /// The task fails.
    fn process_element1(
        &mut self,
        value: Self::In1,
        timestamp: i64,
        out: &mut dyn ChainOutput<Self::Out>,
    ) -> Result<()>;
    /// Takes a record of the second input.
    ///
    /// # Errors
    /// The task fails.
    fn process_element2(
        &mut self,
        value: Self::In2,
        timestamp: i64,
        out: &mut dyn ChainOutput<Self::Out>,
    ) -> Result<()>;
    /// Takes the combined watermark.
    ///
    /// # Errors
    /// The task fails.
    fn process_watermark(
        &mut self,
        watermark: Watermark,
        out: &mut dyn ChainOutput<Self::Out>,
    ) -> Result<()> {
        out.emit_watermark(watermark)
    }
    /// Takes a change of the combined status.
    ///
    /// # Errors
    /// The task fails.
    fn process_watermark_status(
        &mut self,
        status: WatermarkStatus,
        out: &mut dyn ChainOutput<Self::Out>,
    ) -> Result<()> {
        out.emit_watermark_status(status)
    }
    /// See [`super::StreamOperator::snapshot_state`]. `None`: the operator has no state.
    ///
    /// # Errors
    /// The checkpoint is declined.
    fn snapshot_state(&mut self, _barrier: &CheckpointBarrier) -> Result<Option<SnapshotFuture>> {
        Ok(None)
    }
    /// See [`super::StreamOperator::notify_checkpoint_complete`].
    ///
    /// # Errors
    /// The task fails.
    fn notify_checkpoint_complete(&mut self, _checkpoint_id: u64) -> Result<()> {
        Ok(())
    }
    /// See [`super::StreamOperator::notify_checkpoint_aborted`].
    ///
    /// # Errors
    /// The task fails.
    fn notify_checkpoint_aborted(&mut self, _checkpoint_id: u64) -> Result<()> {
        Ok(())
    }
    /// See [`super::StreamOperator::query_state`].
    ///
    /// # Errors
    /// Answered to whoever asked.
    fn query_state(&mut self, _state: &str, _key: &QueryKey) -> Result<QueryAnswer> {
        Err(not_keyed())
    }
    /// See [`super::StreamOperator::end_input`]: both inputs ended.
    ///
    /// # Errors
    /// The task fails.
    fn end_input(&mut self, _out: &mut dyn ChainOutput<Self::Out>) -> Result<()> {
        Ok(())
    }
    /// See [`super::StreamOperator::next_processing_timer`].
    fn next_processing_timer(&self) -> Option<i64> {
        None
    }
    /// See [`super::StreamOperator::advance_processing_time`].
    ///
    /// # Errors
    /// The task fails.
    fn advance_processing_time(&mut self, _now_ms: i64, _out: &mut dyn ChainOutput<Self::Out>) -> Result<()> {
        Ok(())
    }
    /// See [`super::StreamOperator::close`].
    ///
    /// # Errors
    /// Logged.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
