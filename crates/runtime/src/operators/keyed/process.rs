//! Runs a [`KeyedProcessFunction`]. Flink's `KeyedProcessOperator`.

use super::super::user_code::not_initialized;
use super::core::KeyedCore;
use super::lifecycle::keyed_lifecycle;
use crate::graph::node::KeySelector;
use crate::operator::{ChainOutput, OneInputOperator};
use millpond_api::SideOutputs;
use millpond_api::function::{KeyedProcessFunction, TimeDomain};
use millpond_core::Result;

/// Runs a function over a keyed stream.
pub(crate) struct KeyedProcessOperator<F: KeyedProcessFunction> {
    function: F,
    selector: KeySelector<F::In, F::Key>,
    core: Option<KeyedCore<F::Key>>,
    side_outputs: SideOutputs,
}

impl<F: KeyedProcessFunction> KeyedProcessOperator<F> {
    pub(crate) fn new(function: F, selector: KeySelector<F::In, F::Key>) -> Self {
        KeyedProcessOperator {
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

impl<F: KeyedProcessFunction> OneInputOperator for KeyedProcessOperator<F> {
    type In = F::In;
    type Out = F::Out;

    keyed_lifecycle!();

    #[inline]
    fn process_element(
        &mut self,
        value: F::In,
        timestamp: i64,
        out: &mut dyn ChainOutput<F::Out>,
    ) -> Result<()> {
        let core = self.core.as_mut().ok_or_else(not_initialized)?;
        let function = &mut self.function;
        core.process((self.selector)(&value), timestamp, out, |ctx, out| {
            function.process_element(value, ctx, out)
        })
    }
}
