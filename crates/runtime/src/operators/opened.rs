//! What operators without keys have, whatever their inputs: operator state, the clock, the watermark, and their life around a user
//! function.

use super::meter::Meter;
use super::raw::{RawOutputs, raw_inputs, refuse_unclaimed};
use super::user_code::{finish_call, runtime_info, user_error};
use crate::operator::{ChainOutput, OperatorContext, SnapshotFuture};
use millpond_api::function::{ProcessContext, RuntimeContext, StateSnapshotContext};
use millpond_api::{Collector, SideOutputs};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::Result;
use millpond_core::host::Clock;
use millpond_state::handle::OperatorSubtaskState;
use millpond_state::operator_state::OperatorStateBackend;
use std::sync::Arc;

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

    /// Lets `call` process an element.
    pub(super) fn process<T>(
        &mut self,
        timestamp: i64,
        out: &mut dyn ChainOutput<T>,
        call: impl FnOnce(&mut ProcessContext<'_>, &mut Collector<'_, T>) -> Result<()>,
    ) -> Result<()> {
        self.meter.took_one();
        let mut ctx = ProcessContext::new(timestamp, self.watermark, &*self.clock)
            .with_side_outputs(&self.side_outputs);
        let mut collector = Collector::new(out, timestamp);
        let result = call(&mut ctx, &mut collector);
        finish_call(result, collector, &self.side_outputs, &mut self.meter, &self.name)
    }

    /// Tells the function how a checkpoint ended.
    pub(super) fn notify(&self, told: Result<()>) -> Result<()> {
        told.map_err(|e| user_error(&self.name, e))
    }
}

/// Everything of `ChainedOperator` but the type. The operator has the fields `function`, `opened` and `side_outputs`.
macro_rules! unkeyed_lifecycle {
    () => {
        fn set_side_outputs(&mut self, side_outputs: SideOutputs) {
            self.side_outputs = side_outputs;
        }
        fn initialize(
            &mut self,
            ctx: crate::operator::OperatorContext,
            _out: &mut dyn crate::operator::ChainOutput<Self::Out>,
        ) -> Result<()> {
            self.opened = Some(Opened::open(&ctx, &self.side_outputs, |runtime| {
                self.function.open(runtime)
            })?);
            Ok(())
        }
        fn process_watermark(
            &mut self,
            watermark: millpond_api::Watermark,
            out: &mut dyn crate::operator::ChainOutput<Self::Out>,
        ) -> Result<()> {
            if let Some(opened) = &mut self.opened {
                opened.watermark = watermark.timestamp;
            }
            out.emit_watermark(watermark)
        }
        fn snapshot_state(
            &mut self,
            barrier: &millpond_checkpoint::barrier::CheckpointBarrier,
        ) -> Result<Option<crate::operator::SnapshotFuture>> {
            let opened = self.opened.as_ref().ok_or_else(not_initialized)?;
            let function = &mut self.function;
            let snapshot = opened.snapshot(barrier, |ctx| function.snapshot_state(ctx));
            snapshot.map(Some)
        }
        fn notify_checkpoint_complete(&mut self, checkpoint_id: u64) -> Result<()> {
            let opened = self.opened.as_ref().ok_or_else(not_initialized)?;
            opened.notify(self.function.notify_checkpoint_complete(checkpoint_id))
        }
        fn notify_checkpoint_aborted(&mut self, checkpoint_id: u64) -> Result<()> {
            let opened = self.opened.as_ref().ok_or_else(not_initialized)?;
            opened.notify(self.function.notify_checkpoint_aborted(checkpoint_id))
        }
        fn close(&mut self) -> Result<()> {
            self.function.close()
        }
    };
}

pub(super) use unkeyed_lifecycle;
