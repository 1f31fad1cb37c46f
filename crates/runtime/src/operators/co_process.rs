//! Runs a [`CoProcessFunction`]. Flink's `CoProcessOperator`.

use super::opened::{Opened, unkeyed_lifecycle};
use super::user_code::not_initialized;
use crate::operator::{ChainOutput, ChainedOperator, TwoInputOperator};
use millpond_api::SideOutputs;
use millpond_api::function::CoProcessFunction;
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

    unkeyed_lifecycle!();
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
        let function = &mut self.function;
        opened.process(timestamp, out, |ctx, out| {
            function.process_element1(value, ctx, out)
        })
    }
    fn process_element2(
        &mut self,
        value: F::In2,
        timestamp: i64,
        out: &mut dyn ChainOutput<F::Out>,
    ) -> Result<()> {
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        let function = &mut self.function;
        opened.process(timestamp, out, |ctx, out| {
            function.process_element2(value, ctx, out)
        })
    }
}
