//! An operator of one input together with what stands behind it.

use super::core::Core;
use super::{ChainOutput, ChainVisitor, OneInputOperator, WatermarkGauge};
use crate::element::WatermarkStatus;
use millpond_api::{Output, Watermark};
use millpond_core::{OperatorId, Result};

/// An operator of one input and the output behind it: to whoever stands before, a [`ChainOutput`]; to the task, a
/// [`super::StreamOperator`].
pub struct ChainLink<O: OneInputOperator> {
    core: Core<O>,
}

impl<O: OneInputOperator> ChainLink<O> {
    /// Chains `operator` before `out`.
    pub fn new(operator: O, id: OperatorId, out: Box<dyn ChainOutput<O::Out>>) -> Self {
        ChainLink {
            core: Core::new(operator, id, out),
        }
    }

    /// See [`OneInputOperator::lookahead`].
    pub(super) fn lookahead(&self) -> usize {
        self.core.operator.lookahead()
    }

    /// See [`OneInputOperator::expect`].
    #[inline]
    pub(super) fn expect(&mut self, upcoming: &[O::In]) {
        self.core.with(|operator, _| operator.expect(upcoming));
    }
}

impl<O: OneInputOperator> Output<O::In> for ChainLink<O> {
    #[inline]
    fn collect(&mut self, value: O::In, timestamp: i64) -> Result<()> {
        self.core
            .with(|operator, out| operator.process_element(value, timestamp, out))
    }
}

impl<O: OneInputOperator> ChainOutput<O::In> for ChainLink<O> {
    fn emit_watermark(&mut self, watermark: Watermark) -> Result<()> {
        self.core.process_watermark(watermark)
    }
    fn emit_watermark_status(&mut self, status: WatermarkStatus) -> Result<()> {
        self.core.process_watermark_status(status)
    }
    fn watermark_gauge(&self) -> WatermarkGauge {
        self.core.watermark_gauge()
    }
    fn visit(&mut self, visitor: &mut dyn ChainVisitor) -> Result<()> {
        self.core.visit(visitor)
    }
}
