//! Runs a [`ProcessFunction`]. Flink's `ProcessOperator`.

use super::opened::{Opened, unkeyed_lifecycle};
use super::user_code::not_initialized;
use crate::operator::{ChainOutput, ChainedOperator, OneInputOperator};
use millpond_api::SideOutputs;
use millpond_api::function::ProcessFunction;
use millpond_core::Result;

/// Runs a function over records without keys.
pub(crate) struct ProcessOperator<F> {
    function: F,
    opened: Option<Opened>,
    side_outputs: SideOutputs,
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

    unkeyed_lifecycle!();
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
        let function = &mut self.function;
        opened.process(timestamp, out, |ctx, out| {
            function.process_element(value, ctx, out)
        })
    }
}
