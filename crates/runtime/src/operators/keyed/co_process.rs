//! Runs a [`KeyedCoProcessFunction`]. Flink's `KeyedCoProcessOperator`.

use super::super::user_code::not_initialized;
use super::core::KeyedCore;
use super::lifecycle::keyed_lifecycle;
use crate::graph::node::KeySelector;
use crate::operator::{ChainOutput, ChainedOperator, TwoInputOperator};
use crate::task::Firing;
use millpond_api::SideOutputs;
use millpond_api::function::{KeyedCoProcessFunction, TimeDomain};
use millpond_core::Result;

/// Runs a function over two streams keyed alike.
pub(crate) struct KeyedCoProcessOperator<F: KeyedCoProcessFunction> {
    function: F,
    selector1: KeySelector<F::In1, F::Key>,
    selector2: KeySelector<F::In2, F::Key>,
    core: Option<KeyedCore<F::Key>>,
    side_outputs: SideOutputs,
}

impl<F: KeyedCoProcessFunction> KeyedCoProcessOperator<F> {
    pub(crate) fn new(
        function: F,
        selector1: KeySelector<F::In1, F::Key>,
        selector2: KeySelector<F::In2, F::Key>,
    ) -> Self {
        KeyedCoProcessOperator {
            function,
            selector1,
            selector2,
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

impl<F: KeyedCoProcessFunction> ChainedOperator for KeyedCoProcessOperator<F> {
    type Out = F::Out;

    keyed_lifecycle!();
}

impl<F: KeyedCoProcessFunction> TwoInputOperator for KeyedCoProcessOperator<F> {
    type In1 = F::In1;
    type In2 = F::In2;

    fn process_element1(
        &mut self,
        value: Self::In1,
        timestamp: i64,
        out: &mut dyn ChainOutput<F::Out>,
    ) -> Result<()> {
        let core = self.core.as_mut().ok_or_else(not_initialized)?;
        let function = &mut self.function;
        core.process((self.selector1)(&value), timestamp, out, |ctx, out| {
            function.process_element1(value, ctx, out)
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
        core.process((self.selector2)(&value), timestamp, out, |ctx, out| {
            function.process_element2(value, ctx, out)
        })
    }
}
