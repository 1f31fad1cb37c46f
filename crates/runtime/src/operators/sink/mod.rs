//! Runs a sink: its writer, and the committer beside it. Flink's `SinkWriterOperator` and `CommitterOperator`, here one operator,
//! since nothing stands between them.

#[cfg(test)]
mod tests;

use super::meter::Meter;
use super::raw::refuse_raw_state;
use super::user_code::not_initialized;
use crate::operator::{ChainOutput, ChainedOperator, OneInputOperator, OperatorContext, SnapshotFuture};
use millpond_api::sink::{CommittableCollector, CommittableOf};
use millpond_api::{CommitterInitContext, Sink, SinkContext, SinkWriter, Watermark, WriterInitContext};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::config::options;
use millpond_core::{Error, Result};
use millpond_state::handle::OperatorSubtaskState;
use millpond_state::operator_state::OperatorStateBackend;
use std::sync::Arc;

/// Writes records into a sink.
pub(crate) struct SinkOperator<S: Sink> {
    sink: Arc<S>,
    opened: Option<Opened<S>>,
}

struct Opened<S: Sink> {
    name: String,
    writer: S::Writer,
    committables: Option<CommittableCollector<CommittableOf<S>>>,
    state: OperatorStateBackend,
    checkpointing_enabled: bool,
    watermark: i64,
    meter: Meter,
}

impl<S: Sink> SinkOperator<S> {
    pub(crate) fn new(sink: Arc<S>) -> Self {
        SinkOperator { sink, opened: None }
    }

    fn opened(&mut self) -> Result<&mut Opened<S>> {
        self.opened.as_mut().ok_or_else(not_initialized)
    }

    /// Calls something of the sink; an error gets the operator's name.
    fn with<R>(&mut self, call: impl FnOnce(&mut Opened<S>) -> Result<R>) -> Result<R> {
        let opened = self.opened()?;
        call(opened).map_err(|e| e.with("operator", &opened.name))
    }

    /// Commits what was restored, then makes the writer: what it finds staged after that is in no checkpoint.
    fn open(&self, ctx: &OperatorContext) -> Result<Opened<S>> {
        let mut state = ctx.operator_state()?;
        let committer = self.sink.create_committer(&CommitterInitContext {
            job_id: ctx.task.job_id,
            operator_name: &ctx.operator_name,
            subtask_index: ctx.task.subtask_index,
            parallelism: ctx.task.parallelism,
            restored_checkpoint_id: ctx.recovered_checkpoint_id,
            clock: Arc::clone(&ctx.clock),
        })?;
        let place = (ctx.task.subtask_index, ctx.task.parallelism);
        let retries_max = ctx.config.require(&options::COMMITTER_RETRIES)?;
        let committables = committer
            .map(|c| CommittableCollector::open(c, &mut state, place, retries_max, &ctx.metrics.user))
            .transpose()?;
        let writer = self.sink.create_writer(&mut WriterInitContext {
            job_id: ctx.task.job_id,
            operator_name: &ctx.operator_name,
            subtask_index: ctx.task.subtask_index,
            parallelism: ctx.task.parallelism,
            restored_checkpoint_id: ctx.recovered_checkpoint_id,
            first_checkpoint_id: ctx.first_checkpoint_id,
            checkpointing_enabled: ctx.checkpointing_enabled,
            state: &mut state,
            clock: Arc::clone(&ctx.clock),
        })?;
        Ok(Opened {
            writer,
            committables,
            state,
            checkpointing_enabled: ctx.checkpointing_enabled,
            watermark: i64::MIN,
            meter: Meter::of(ctx),
            name: ctx.operator_name.clone(),
        })
    }
}

impl<S: Sink> Opened<S> {
    /// The first phase of the commit.
    fn prepare(&mut self, checkpoint_id: u64) -> Result<()> {
        let committables = self.writer.prepare_commit(checkpoint_id)?;
        match &mut self.committables {
            Some(collector) => collector.add(checkpoint_id, committables),
            None if committables.is_empty() => Ok(()),
            None => Err(Error::illegal_state(
                "prepare commit",
                "the sink's writer has something to commit, but the sink has no committer",
            )
            .hint("let `create_committer` answer one")),
        }
    }
}

impl<S: Sink> ChainedOperator for SinkOperator<S> {
    type Out = ();

    fn initialize(&mut self, ctx: OperatorContext, _out: &mut dyn ChainOutput<()>) -> Result<()> {
        refuse_raw_state(&ctx)?;
        self.opened = Some(
            self.open(&ctx)
                .map_err(|e| e.with("operator", &ctx.operator_name))?,
        );
        Ok(())
    }
    fn process_watermark(&mut self, watermark: Watermark, out: &mut dyn ChainOutput<()>) -> Result<()> {
        self.opened()?.watermark = watermark.timestamp;
        out.emit_watermark(watermark)
    }
    /// The first phase of the commit, then a snapshot of what there is to commit and of what the writer noted.
    fn snapshot_state(&mut self, barrier: &CheckpointBarrier) -> Result<Option<SnapshotFuture>> {
        self.with(|opened| {
            opened.writer.flush(false)?;
            opened.prepare(barrier.checkpoint)
        })?;
        let opened = self.opened()?;
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
        self.with(|opened| match &mut opened.committables {
            Some(collector) => collector.complete(checkpoint_id),
            None => Ok(()),
        })
    }
    fn end_input(&mut self, _out: &mut dyn ChainOutput<()>) -> Result<()> {
        self.with(|opened| {
            opened.writer.flush(true)?;
            if opened.checkpointing_enabled {
                return Ok(());
            }
            // No checkpoint will come that could commit it.
            opened.prepare(0)?;
            match &mut opened.committables {
                Some(collector) => collector.complete(0),
                None => Ok(()),
            }
        })
    }
}

impl<S: Sink> OneInputOperator for SinkOperator<S> {
    type In = S::In;

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
}
