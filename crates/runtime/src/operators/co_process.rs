//! Runs a [`CoProcessFunction`]. Flink's `CoProcessOperator`.

use super::process::Opened;
use super::user_code::{finish_call, not_initialized, user_error};
use crate::operator::{ChainOutput, ChainedOperator, OperatorContext, SnapshotFuture, TwoInputOperator};
use millpond_api::function::{CoProcessFunction, ProcessContext};
use millpond_api::{Collector, SideOutputs, Watermark};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::Result;

/// Runs a function over two streams without keys.
pub(crate) struct CoProcessOperator<F> {
    function: F,
    opened: Option<Opened>,
    side_outputs: SideOutputs,
}

impl<F: CoProcessFunction> CoProcessOperator<F> {
    pub(crate) fn new(function: F) -> Self {
        CoProcessOperator {
            function,
            opened: None,
            side_outputs: SideOutputs::default(),
        }
    }
}

impl<F: CoProcessFunction> ChainedOperator for CoProcessOperator<F> {
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

impl<F: CoProcessFunction> TwoInputOperator for CoProcessOperator<F> {
    type In1 = F::In1;
    type In2 = F::In2;

    fn process_element1(
        &mut self,
        value: F::In1,
        timestamp: i64,
        out: &mut dyn ChainOutput<F::Out>,
    ) -> Result<()> {
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        opened.meter.took_one();
        let mut ctx = ProcessContext::new(timestamp, opened.watermark, &*opened.clock)
            .with_side_outputs(&opened.side_outputs);
        let mut collector = Collector::new(out, timestamp);
        let result = self.function.process_element1(value, &mut ctx, &mut collector);
        finish_call(
            result,
            collector,
            &opened.side_outputs,
            &mut opened.meter,
            &opened.name,
        )
    }
    fn process_element2(
        &mut self,
        value: F::In2,
        timestamp: i64,
        out: &mut dyn ChainOutput<F::Out>,
    ) -> Result<()> {
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        opened.meter.took_one();
        let mut ctx = ProcessContext::new(timestamp, opened.watermark, &*opened.clock)
            .with_side_outputs(&opened.side_outputs);
        let mut collector = Collector::new(out, timestamp);
        let result = self.function.process_element2(value, &mut ctx, &mut collector);
        finish_call(
            result,
            collector,
            &opened.side_outputs,
            &mut opened.meter,
            &opened.name,
        )
    }
}
