//! What a task does with all the operators or all the channel writers of its chain.

use super::TaskChain;
use crate::element::StreamElement;
use crate::operator::{ChainVisitor, ChannelWriter, StreamOperator, VisitOrder, blame};
use millpond_core::Result;

struct Operators<F> {
    order: VisitOrder,
    each: F,
}

impl<F: FnMut(&mut dyn StreamOperator) -> Result<()>> ChainVisitor for Operators<F> {
    fn order(&self) -> VisitOrder {
        self.order
    }
    fn operator(&mut self, operator: &mut dyn StreamOperator) -> Result<()> {
        blame(&operator.operator_id(), || (self.each)(operator))
    }
}

struct Writers<F>(F);

impl<F: FnMut(&mut dyn ChannelWriter) -> Result<()>> ChainVisitor for Writers<F> {
    fn writer(&mut self, writer: &mut dyn ChannelWriter) -> Result<()> {
        (self.0)(writer)
    }
}

pub(super) fn each_operator(
    chain: &mut dyn TaskChain,
    order: VisitOrder,
    each: impl FnMut(&mut dyn StreamOperator) -> Result<()>,
) -> Result<()> {
    chain.visit(&mut Operators { order, each })
}

/// Sends an event down every edge, behind all records written so far.
pub(super) fn broadcast(chain: &mut dyn TaskChain, mut element: impl FnMut() -> StreamElement) -> Result<()> {
    chain.visit(&mut Writers(|writer: &mut dyn ChannelWriter| {
        writer.broadcast(&mut element)
    }))
}

pub(super) fn flush(chain: &mut dyn TaskChain) -> Result<()> {
    chain.visit(&mut Writers(|writer: &mut dyn ChannelWriter| writer.flush()))
}

/// Whether every channel of every edge has room.
pub(super) fn outputs_available(chain: &mut dyn TaskChain) -> Result<bool> {
    let mut available = true;
    chain.visit(&mut Writers(|writer: &mut dyn ChannelWriter| {
        available &= writer.is_available();
        Ok(())
    }))?;
    Ok(available)
}

/// When the next processing-time timer of the chain is due.
pub(super) fn next_processing_timer(chain: &mut dyn TaskChain) -> Result<Option<i64>> {
    let mut next: Option<i64> = None;
    each_operator(chain, VisitOrder::UpstreamFirst, |operator| {
        next = next.into_iter().chain(operator.next_processing_timer()).min();
        Ok(())
    })?;
    Ok(next)
}

/// Lets the operators do what they put off; whether any had something to do.
pub(super) fn use_idle_time(chain: &mut dyn TaskChain) -> Result<bool> {
    let mut done = false;
    each_operator(chain, VisitOrder::UpstreamFirst, |operator| {
        done |= operator.on_idle()?;
        Ok(())
    })?;
    Ok(done)
}
