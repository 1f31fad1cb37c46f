//! Runs a [`ProcessFunction`]. Flink's `ProcessOperator`.

use super::meter::Meter;
use super::raw::{RawOutputs, raw_inputs, refuse_unclaimed};
use super::user_code::{finish_call, not_initialized, runtime_info, user_error};
use crate::operator::{ChainOutput, ChainedOperator, OneInputOperator, OperatorContext, SnapshotFuture};
use millpond_api::function::{ProcessContext, ProcessFunction, RuntimeContext, StateSnapshotContext};
use millpond_api::{Collector, SideOutputs, Watermark};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::Result;
use millpond_core::host::Clock;
use millpond_state::handle::OperatorSubtaskState;
use millpond_state::operator_state::OperatorStateBackend;
use std::sync::Arc;

/// Runs a function over records without keys.
pub(crate) struct ProcessOperator<F> {
    function: F,
    opened: Option<Opened>,
    side_outputs: SideOutputs,
}

/// What an operator without keys has once it is initialized.
pub(super) struct Opened {
    pub(super) name: String,
    pub(super) state: OperatorStateBackend,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) watermark: i64,
    pub(super) meter: Meter,
    pub(super) side_outputs: SideOutputs,
}

impl Opened {
    /// Restores operator state and lets `open` have it.
    pub(super) fn open(
        ctx: &OperatorContext,
        side_outputs: &SideOutputs,
        open: impl FnOnce(&mut RuntimeContext<'_>) -> Result<()>,
    ) -> Result<Self> {
        let mut opened = Opened {
            name: ctx.operator_name.clone(),
            state: ctx.operator_state()?,
            clock: Arc::clone(&ctx.clock),
            watermark: i64::MIN,
            meter: Meter::of(ctx),
            side_outputs: side_outputs.clone(),
        };
        let info = runtime_info(ctx);
        let raw = raw_inputs(ctx, None)?;
        let mut runtime = RuntimeContext::new(
            &info,
            None,
            &mut opened.state,
            &ctx.metrics.user,
            ctx.restored.is_some(),
        )
        .with_raw_state(&raw);
        open(&mut runtime).map_err(|e| user_error(&ctx.operator_name, e))?;
        refuse_unclaimed(&raw, &ctx.operator_name)?;
        Ok(opened)
    }

    /// Lets `function` take its part, then freezes operator state.
    pub(super) fn snapshot(
        &self,
        barrier: &CheckpointBarrier,
        function: impl FnOnce(&mut StateSnapshotContext<'_>) -> Result<()>,
    ) -> Result<SnapshotFuture> {
        let raw = RawOutputs::of(barrier, None, &self.name, function)?;
        let snapshot = self.state.snapshot();
        let metrics = Arc::clone(self.meter.metrics());
        Ok(Box::new(move |streams| {
            let mut state = OperatorSubtaskState {
                managed_operator: snapshot.write(streams)?.into_iter().collect(),
                ..OperatorSubtaskState::default()
            };
            raw.write(streams, &mut state)?;
            metrics.set_state_size(state.state_size());
            Ok(state)
        }))
    }
}

impl<F: ProcessFunction> ProcessOperator<F> {
    pub(crate) fn new(function: F) -> Self {
        ProcessOperator {
            function,
            opened: None,
            side_outputs: SideOutputs::default(),
        }
    }
}

impl<F: ProcessFunction> ChainedOperator for ProcessOperator<F> {
    type Out = F::Out;

    fn set_side_outputs(&mut self, side_outputs: SideOutputs) {
        self.side_outputs = side_outputs;
    }
    fn initialize(&mut self, ctx: OperatorContext, _out: &mut dyn ChainOutput<F::Out>) -> Result<()> {
        self.opened = Some(Opened::open(&ctx, &self.side_outputs, |runtime| {
            self.function.open(runtime)
        })?);
        Ok(())
    }
    fn process_watermark(&mut self, watermark: Watermark, out: &mut dyn ChainOutput<F::Out>) -> Result<()> {
        if let Some(opened) = &mut self.opened {
            opened.watermark = watermark.timestamp;
        }
        out.emit_watermark(watermark)
    }
    fn snapshot_state(&mut self, barrier: &CheckpointBarrier) -> Result<Option<SnapshotFuture>> {
        let opened = self.opened.as_ref().ok_or_else(not_initialized)?;
        let function = &mut self.function;
        let snapshot = opened.snapshot(barrier, |ctx| function.snapshot_state(ctx));
        snapshot.map(Some)
    }
    fn notify_checkpoint_complete(&mut self, checkpoint_id: u64) -> Result<()> {
        let opened = self.opened.as_ref().ok_or_else(not_initialized)?;
        let told = self.function.notify_checkpoint_complete(checkpoint_id);
        told.map_err(|e| user_error(&opened.name, e))
    }
    fn notify_checkpoint_aborted(&mut self, checkpoint_id: u64) -> Result<()> {
        let opened = self.opened.as_ref().ok_or_else(not_initialized)?;
        let told = self.function.notify_checkpoint_aborted(checkpoint_id);
        told.map_err(|e| user_error(&opened.name, e))
    }
    fn close(&mut self) -> Result<()> {
        self.function.close()
    }
}

impl<F: ProcessFunction> OneInputOperator for ProcessOperator<F> {
    type In = F::In;

    fn process_element(
        &mut self,
        value: F::In,
        timestamp: i64,
        out: &mut dyn ChainOutput<F::Out>,
    ) -> Result<()> {
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        opened.meter.took_one();
        let mut ctx = ProcessContext::new(timestamp, opened.watermark, &*opened.clock)
            .with_side_outputs(&opened.side_outputs);
        let mut collector = Collector::new(out, timestamp);
        let result = self.function.process_element(value, &mut ctx, &mut collector);
        finish_call(
            result,
            collector,
            &opened.side_outputs,
            &mut opened.meter,
            &opened.name,
        )
    }
}
