//! Runs a sink's writer. Flink's `SinkWriterOperator` and `CommitterOperator` in one, as [`SinkWriter`] is both.

use super::meter::Meter;
use super::raw::refuse_raw_state;
use super::user_code::not_initialized;
use crate::operator::{ChainOutput, OneInputOperator, OperatorContext, SnapshotFuture};
use millpond_api::{Sink, SinkContext, SinkInitContext, SinkWriter, Watermark};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::Result;
use millpond_state::handle::OperatorSubtaskState;
use millpond_state::operator_state::OperatorStateBackend;
use std::sync::Arc;

/// Writes records into a sink.
pub(crate) struct SinkOperator<S: Sink> {
    sink: Arc<S>,
    opened: Option<Opened<S::Writer>>,
}

struct Opened<W> {
    name: String,
    writer: W,
    state: OperatorStateBackend,
    watermark: i64,
    meter: Meter,
}

impl<S: Sink> SinkOperator<S> {
    pub(crate) fn new(sink: Arc<S>) -> Self {
        SinkOperator { sink, opened: None }
    }
    fn opened(&mut self) -> Result<&mut Opened<S::Writer>> {
        self.opened.as_mut().ok_or_else(not_initialized)
    }
}

impl<S: Sink> OneInputOperator for SinkOperator<S> {
    type In = S::In;
    type Out = ();

    fn initialize(&mut self, ctx: OperatorContext, _out: &mut dyn ChainOutput<()>) -> Result<()> {
        refuse_raw_state(&ctx)?;
        let restored = ctx.restored.as_ref().map(|r| r.state.managed_operator.as_slice());
        let mut state = OperatorStateBackend::restore(restored.unwrap_or_default(), &*ctx.state_reader)?
            .with_serializers(Arc::clone(&ctx.serializers));
        let writer = self
            .sink
            .create_writer(&mut SinkInitContext {
                job_id: ctx.task.job_id,
                operator_name: &ctx.operator_name,
                subtask_index: ctx.task.subtask_index,
                parallelism: ctx.task.parallelism,
                restored_checkpoint_id: ctx.recovered_checkpoint_id,
                first_checkpoint_id: ctx.first_checkpoint_id,
                checkpointing_enabled: ctx.checkpointing_enabled,
                state: &mut state,
                clock: Arc::clone(&ctx.clock),
            })
            .map_err(|e| e.with("operator", &ctx.operator_name))?;
        self.opened = Some(Opened {
            writer,
            state,
            watermark: i64::MIN,
            meter: Meter::of(&ctx),
            name: ctx.operator_name,
        });
        Ok(())
    }
    fn process_element(
        &mut self,
        value: S::In,
        timestamp: i64,
        _out: &mut dyn ChainOutput<()>,
    ) -> Result<()> {
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        opened.meter.took_one();
        let ctx = SinkContext {
            timestamp,
            watermark: opened.watermark,
        };
        opened
            .writer
            .write(value, &ctx)
            .map_err(|e| e.with("operator", &opened.name))
    }
    fn process_watermark(&mut self, watermark: Watermark, out: &mut dyn ChainOutput<()>) -> Result<()> {
        self.opened()?.watermark = watermark.timestamp;
        out.emit_watermark(watermark)
    }
    /// The first phase of the commit, then a snapshot of what the writer noted of it.
    fn snapshot_state(&mut self, barrier: &CheckpointBarrier) -> Result<Option<SnapshotFuture>> {
        let opened = self.opened()?;
        opened
            .writer
            .prepare_commit(barrier.checkpoint)
            .map_err(|e| e.with("operator", &opened.name))?;
        let snapshot = opened.state.snapshot();
        let metrics = Arc::clone(opened.meter.metrics());
        Ok(Some(Box::new(move |streams| {
            let state = OperatorSubtaskState {
                managed_operator: snapshot.write(streams)?.into_iter().collect(),
                ..OperatorSubtaskState::default()
            };
            metrics.set_state_size(state.state_size());
            Ok(state)
        })))
    }
    fn notify_checkpoint_complete(&mut self, checkpoint_id: u64) -> Result<()> {
        let opened = self.opened()?;
        opened
            .writer
            .notify_checkpoint_complete(checkpoint_id)
            .map_err(|e| e.with("operator", &opened.name))
    }
    fn notify_checkpoint_aborted(&mut self, checkpoint_id: u64) -> Result<()> {
        let opened = self.opened()?;
        opened
            .writer
            .notify_checkpoint_aborted(checkpoint_id)
            .map_err(|e| e.with("operator", &opened.name))
    }
    fn end_input(&mut self, _out: &mut dyn ChainOutput<()>) -> Result<()> {
        let opened = self.opened()?;
        opened
            .writer
            .end_input()
            .map_err(|e| e.with("operator", &opened.name))
    }
}
