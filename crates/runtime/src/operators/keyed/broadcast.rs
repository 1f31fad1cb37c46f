//! Runs a [`KeyedBroadcastProcessFunction`]. Flink's `CoBroadcastWithKeyedOperator`.

use super::super::user_code::not_initialized;
use super::core::KeyedCore;
use super::lifecycle::keyed_lifecycle;
use crate::graph::node::KeySelector;
use crate::operator::{ChainOutput, ChainedOperator, TwoInputOperator};
use crate::task::Firing;
use millpond_api::SideOutputs;
use millpond_api::function::{BroadcastContext, KeyedBroadcastProcessFunction, TimeDomain};
use millpond_core::Result;
use millpond_state::operator_state::BroadcastWritePermit;

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

    fn fire(
        &mut self,
        domain: TimeDomain,
        time: i64,
        firing: Firing<'_>,
        out: &mut dyn ChainOutput<F::Out>,
    ) -> Result<bool> {
        let core = self.core.as_mut().ok_or_else(not_initialized)?;
        let function = &mut self.function;
        core.fire(domain, time, firing, out, |timestamp, ctx, out| {
            function.on_timer(timestamp, ctx, out)
        })
    }
}

impl<F: KeyedBroadcastProcessFunction> ChainedOperator for KeyedBroadcastOperator<F> {
    type Out = F::Out;

    keyed_lifecycle!();
}

impl<F: KeyedBroadcastProcessFunction> TwoInputOperator for KeyedBroadcastOperator<F> {
    type In1 = F::In;
    type In2 = F::Broadcast;

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
        core.process_unkeyed(timestamp, out, |keyed, watermark, clock, side_outputs, out| {
            let permit = BroadcastWritePermit::for_broadcast_element();
            let mut ctx = BroadcastContext::new(&permit, keyed, timestamp, watermark, clock)
                .with_side_outputs(side_outputs);
            function.process_broadcast_element(value, &mut ctx, out)
        })
    }
}
