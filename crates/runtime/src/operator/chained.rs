//! What operators of one and of two inputs have in common.

use super::{ChainOutput, OperatorContext, SnapshotFuture};
use crate::element::WatermarkStatus;
use crate::task::Firing;
use crate::task::query::not_keyed;
use millpond_api::{SideOutputs, Watermark};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::Result;
use millpond_state::query::{QueryAnswer, QueryKey};

/// An operator by the type that it emits, whatever its inputs: all of its life but the records. Its kinds are
/// [`super::OneInputOperator`] and [`super::TwoInputOperator`]; the chain makes a [`super::StreamOperator`] of it.
///
/// Every method gets the output behind the operator, so that timers, ends and opens can emit too.
pub trait ChainedOperator: 'static {
    /// The records that it emits.
    type Out: 'static;

    /// Gives it its side outputs, before `initialize`. The watermarks and events of the main output reach what stands behind
    /// them, too.
    fn set_side_outputs(&mut self, _side_outputs: SideOutputs) {}
    /// See [`StreamOperator::initialize`](super::StreamOperator::initialize).
    ///
    /// # Errors
    /// The task fails.
    fn initialize(&mut self, _ctx: OperatorContext, _out: &mut dyn ChainOutput<Self::Out>) -> Result<()> {
        Ok(())
    }
    /// Takes a watermark, of both inputs together where there are two; fires event-time timers before it passes it on.
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
    /// Whether [`ChainedOperator::fire_event_timers`] fires its event-time timers. Flink's `useInterruptibleTimers`.
    fn has_interruptible_timers(&self) -> bool {
        false
    }
    /// Fires event-time timers that are due at `watermark`, as many as `firing` says. Returns whether those were all.
    ///
    /// # Errors
    /// The task fails.
    fn fire_event_timers(
        &mut self,
        _watermark: Watermark,
        _firing: Firing<'_>,
        _out: &mut dyn ChainOutput<Self::Out>,
    ) -> Result<bool> {
        Ok(true)
    }
    /// Takes a change between idle and active.
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
    /// See [`StreamOperator::prepare_snapshot_pre_barrier`](super::StreamOperator::prepare_snapshot_pre_barrier).
    ///
    /// # Errors
    /// The task fails.
    fn prepare_snapshot_pre_barrier(&mut self, _out: &mut dyn ChainOutput<Self::Out>) -> Result<()> {
        Ok(())
    }
    /// See [`StreamOperator::on_idle`](super::StreamOperator::on_idle).
    ///
    /// # Errors
    /// The task fails.
    fn on_idle(&mut self, _out: &mut dyn ChainOutput<Self::Out>) -> Result<bool> {
        Ok(false)
    }
    /// See [`StreamOperator::snapshot_state`](super::StreamOperator::snapshot_state). `None`: the operator has no state.
    ///
    /// # Errors
    /// The task fails.
    fn snapshot_state(&mut self, _barrier: &CheckpointBarrier) -> Result<Option<SnapshotFuture>> {
        Ok(None)
    }
    /// See [`StreamOperator::notify_checkpoint_complete`](super::StreamOperator::notify_checkpoint_complete).
    ///
    /// # Errors
    /// The task fails.
    fn notify_checkpoint_complete(&mut self, _checkpoint_id: u64) -> Result<()> {
        Ok(())
    }
    /// See [`StreamOperator::notify_checkpoint_aborted`](super::StreamOperator::notify_checkpoint_aborted).
    ///
    /// # Errors
    /// The task fails.
    fn notify_checkpoint_aborted(&mut self, _checkpoint_id: u64) -> Result<()> {
        Ok(())
    }
    /// See [`StreamOperator::query_state`](super::StreamOperator::query_state).
    ///
    /// # Errors
    /// Answered to whoever asked.
    fn query_state(&mut self, _state: &str, _key: &QueryKey) -> Result<QueryAnswer> {
        Err(not_keyed())
    }
    /// See [`StreamOperator::end_input`](super::StreamOperator::end_input).
    ///
    /// # Errors
    /// The task fails.
    fn end_input(&mut self, _out: &mut dyn ChainOutput<Self::Out>) -> Result<()> {
        Ok(())
    }
    /// See [`StreamOperator::next_processing_timer`](super::StreamOperator::next_processing_timer).
    fn next_processing_timer(&self) -> Option<i64> {
        None
    }
    /// See [`StreamOperator::advance_processing_time`](super::StreamOperator::advance_processing_time).
    ///
    /// # Errors
    /// The task fails.
    fn advance_processing_time(&mut self, _now_ms: i64, _out: &mut dyn ChainOutput<Self::Out>) -> Result<()> {
        Ok(())
    }
    /// See [`StreamOperator::close`](super::StreamOperator::close).
    ///
    /// # Errors
    /// Logged.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
