//! Runs a [`KeyedProcessFunction`]. Flink's `KeyedProcessOperator`.

use super::super::user_code::not_initialized;
use super::core::KeyedCore;
use super::lifecycle::keyed_lifecycle;
use crate::graph::node::KeySelector;
use crate::operator::{ChainOutput, ChainedOperator, OneInputOperator};
use crate::task::Firing;
use millpond_api::SideOutputs;
use millpond_api::function::{KeyedProcessFunction, TimeDomain};
use millpond_core::Result;
use millpond_state::keyed::PREFETCH_BATCH;

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

impl<F: KeyedProcessFunction> ChainedOperator for KeyedProcessOperator<F> {
    type Out = F::Out;

    keyed_lifecycle!();
}

impl<F: KeyedProcessFunction> OneInputOperator for KeyedProcessOperator<F> {
    type In = F::In;

    fn lookahead(&self) -> usize {
        PREFETCH_BATCH
    }
    #[inline]
    fn expect(&mut self, upcoming: &[F::In]) {
        if let Some(core) = &mut self.core {
            core.expect(upcoming.iter().map(&*self.selector));
        }
    }
    #[inline]
    fn process_element(
        &mut self,
        value: F::In,
        timestamp: i64,
        out: &mut dyn ChainOutput<F::Out>,
    ) -> Result<()> {
        let core = self.core.as_mut().ok_or_else(not_initialized)?;
        let function = &mut self.function;
        let key = core.next_key(|| (self.selector)(&value));
        core.process_prepared(key, timestamp, out, |ctx, out| {
            function.process_element(value, ctx, out)
        })
    }
}
