//! Runs a [`KeyedBroadcastProcessFunction`]. Flink's `CoBroadcastWithKeyedOperator`.

use super::super::user_code::not_initialized;
use super::core::KeyedCore;
use crate::graph::node::KeySelector;
use crate::operator::{ChainOutput, OperatorContext, SnapshotFuture, TwoInputOperator};
use millpond_api::function::{BroadcastContext, KeyedBroadcastProcessFunction, TimeDomain};
use millpond_api::{SideOutputs, Watermark};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::Result;
use millpond_state::operator_state::BroadcastWritePermit;
use millpond_state::query::{QueryAnswer, QueryKey};

/// Runs a function over a keyed stream and a broadcast one.
pub(crate) struct KeyedBroadcastOperator<F: KeyedBroadcastProcessFunction> {
    function: F,
    selector: KeySelector<F::In, F::Key>,
    core: Option<KeyedCore<F::Key>>,
    side_outputs: SideOutputs,
}

impl<F: KeyedBroadcastProcessFunction> KeyedBroadcastOperator<F> {
    pub(crate) fn new(function: F, selector: KeySelector<F::In, F::Key>) -> Self {
        KeyedBroadcastOperator {
            function,
            selector,
            core: None,
            side_outputs: SideOutputs::default(),
        }
    }

    fn fire(&mut self, domain: TimeDomain, time: i64, out: &mut dyn ChainOutput<F::Out>) -> Result<()> {
        let core = self.core.as_mut().ok_or_else(not_initialized)?;
        let function = &mut self.function;
        core.fire(domain, time, out, |timestamp, ctx, out| {
            function.on_timer(timestamp, ctx, out)
        })
    }
}

impl<F: KeyedBroadcastProcessFunction> TwoInputOperator for KeyedBroadcastOperator<F> {
    type In1 = F::In;
    type In2 = F::Broadcast;
    type Out = F::Out;

    fn set_side_outputs(&mut self, side_outputs: SideOutputs) {
        self.side_outputs = side_outputs;
    }
    fn initialize(&mut self, ctx: OperatorContext, _out: &mut dyn ChainOutput<F::Out>) -> Result<()> {
        self.core = Some(KeyedCore::open(&ctx, &self.side_outputs, |runtime| {
            self.function.open(runtime)
        })?);
        Ok(())
    }
    fn process_element1(
        &mut self,
        value: Self::In1,
        timestamp: i64,
        out: &mut dyn ChainOutput<F::Out>,
    ) -> Result<()> {
        let core = self.core.as_mut().ok_or_else(not_initialized)?;
        let function = &mut self.function;
        core.process((self.selector)(&value), timestamp, out, |ctx, out| {
            function.process_element(value, ctx, out)
        })
    }
    fn process_element2(
        &mut self,
        value: Self::In2,
        timestamp: i64,
        out: &mut dyn ChainOutput<F::Out>,
    ) -> Result<()> {
        let core = self.core.as_mut().ok_or_else(not_initialized)?;
        let function = &mut self.function;
        core.process_unkeyed(timestamp, out, |watermark, clock, side_outputs, out| {
            let permit = BroadcastWritePermit::for_broadcast_element();
            let mut ctx =
                BroadcastContext::new(&permit, timestamp, watermark, clock).with_side_outputs(side_outputs);
            function.process_broadcast_element(value, &mut ctx, out)
        })
    }
    fn process_watermark(&mut self, watermark: Watermark, out: &mut dyn ChainOutput<F::Out>) -> Result<()> {
        self.fire(TimeDomain::EventTime, watermark.timestamp, out)?;
        out.emit_watermark(watermark)
    }
    fn snapshot_state(&mut self, barrier: &CheckpointBarrier) -> Result<Option<SnapshotFuture>> {
        let core = self.core.as_mut().ok_or_else(not_initialized)?;
        core.snapshot(barrier).map(Some)
    }
    fn query_state(&mut self, state: &str, key: &QueryKey) -> Result<QueryAnswer> {
        let core = self.core.as_ref().ok_or_else(not_initialized)?;
        core.query(state, key)
    }
    fn notify_checkpoint_complete(&mut self, checkpoint_id: u64) -> Result<()> {
        if let Some(core) = &mut self.core {
            core.notify_checkpoint_complete(checkpoint_id);
        }
        Ok(())
    }
    fn notify_checkpoint_aborted(&mut self, checkpoint_id: u64) -> Result<()> {
        if let Some(core) = &mut self.core {
            core.notify_checkpoint_aborted(checkpoint_id);
        }
        Ok(())
    }
    fn next_processing_timer(&self) -> Option<i64> {
        self.core.as_ref().and_then(KeyedCore::next_processing_timer)
    }
    fn advance_processing_time(&mut self, now_ms: i64, out: &mut dyn ChainOutput<F::Out>) -> Result<()> {
        self.fire(TimeDomain::ProcessingTime, now_ms, out)
    }
    fn close(&mut self) -> Result<()> {
        self.function.close()
    }
}
