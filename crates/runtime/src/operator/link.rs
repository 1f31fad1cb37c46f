//! An operator together with what stands behind it.

use super::{
    ChainOutput, ChainVisitor, OneInputOperator, OperatorContext, SnapshotFuture, StreamOperator, VisitOrder,
    WatermarkGauge, blame,
};
use crate::element::WatermarkStatus;
use millpond_api::{Output, Watermark};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::{OperatorId, Result};
use millpond_state::handle::OperatorSubtaskState;
use millpond_state::query::{QueryAnswer, QueryKey};

/// An operator of one input and the output behind it: to whoever stands before, a [`ChainOutput`]; to the task, a
/// [`StreamOperator`].
pub struct ChainLink<O: OneInputOperator> {
    core: Core<O>,
}

struct Core<O: OneInputOperator> {
    operator: O,
    id: OperatorId,
    out: Box<dyn ChainOutput<O::Out>>,
    watermarks: WatermarkGauge,
}

impl<O: OneInputOperator> ChainLink<O> {
    /// Chains `operator` before `out`.
    pub fn new(operator: O, id: OperatorId, out: Box<dyn ChainOutput<O::Out>>) -> Self {
        ChainLink {
            core: Core {
                operator,
                id,
                out,
                watermarks: WatermarkGauge::default(),
            },
        }
    }
}

impl<O: OneInputOperator> ChainLink<O> {
    /// See [`OneInputOperator::lookahead`].
    pub(super) fn lookahead(&self) -> usize {
        self.core.operator.lookahead()
    }
    /// See [`OneInputOperator::expect`].
    #[inline]
    pub(super) fn expect(&mut self, upcoming: &[O::In]) {
        let Core { operator, id, .. } = &mut self.core;
        blame(id, || operator.expect(upcoming));
    }
}

impl<O: OneInputOperator> Output<O::In> for ChainLink<O> {
    #[inline]
    fn collect(&mut self, value: O::In, timestamp: i64) -> Result<()> {
        let Core {
            operator, id, out, ..
        } = &mut self.core;
        blame(id, || operator.process_element(value, timestamp, &mut **out))
    }
}

impl<O: OneInputOperator> ChainOutput<O::In> for ChainLink<O> {
    fn emit_watermark(&mut self, watermark: Watermark) -> Result<()> {
        let Core {
            operator,
            id,
            out,
            watermarks,
        } = &mut self.core;
        watermarks.set(watermark);
        blame(id, || operator.process_watermark(watermark, &mut **out))
    }
    fn emit_watermark_status(&mut self, status: WatermarkStatus) -> Result<()> {
        let Core {
            operator, id, out, ..
        } = &mut self.core;
        blame(id, || operator.process_watermark_status(status, &mut **out))
    }
    fn watermark_gauge(&self) -> WatermarkGauge {
        self.core.watermarks.clone()
    }
    fn visit(&mut self, visitor: &mut dyn ChainVisitor) -> Result<()> {
        match visitor.order() {
            VisitOrder::UpstreamFirst => {
                visitor.operator(&mut self.core)?;
                self.core.out.visit(visitor)
            }
            VisitOrder::DownstreamFirst => {
                self.core.out.visit(visitor)?;
                visitor.operator(&mut self.core)
            }
        }
    }
}

impl<O: OneInputOperator> StreamOperator for Core<O> {
    fn operator_id(&self) -> OperatorId {
        self.id
    }
    fn initialize(&mut self, ctx: OperatorContext) -> Result<()> {
        ctx.metrics
            .show_watermarks(Some(self.watermarks.clone()), self.out.watermark_gauge());
        self.operator.initialize(ctx, &mut *self.out)
    }
    fn prepare_snapshot_pre_barrier(&mut self) -> Result<()> {
        self.operator.prepare_snapshot_pre_barrier(&mut *self.out)
    }
    fn on_idle(&mut self) -> Result<bool> {
        self.operator.on_idle(&mut *self.out)
    }
    fn snapshot_state(&mut self, barrier: &CheckpointBarrier) -> Result<SnapshotFuture> {
        let future = self.operator.snapshot_state(barrier)?;
        Ok(future.unwrap_or_else(|| Box::new(|_| Ok(OperatorSubtaskState::default()))))
    }
    fn notify_checkpoint_complete(&mut self, checkpoint_id: u64) -> Result<()> {
        self.operator.notify_checkpoint_complete(checkpoint_id)
    }
    fn notify_checkpoint_aborted(&mut self, checkpoint_id: u64) -> Result<()> {
        self.operator.notify_checkpoint_aborted(checkpoint_id)
    }
    fn query_state(&mut self, state: &str, key: &QueryKey) -> Result<QueryAnswer> {
        self.operator.query_state(state, key)
    }
    fn end_input(&mut self) -> Result<()> {
        self.operator.end_input(&mut *self.out)
    }
    fn next_processing_timer(&self) -> Option<i64> {
        self.operator.next_processing_timer()
    }
    fn advance_processing_time(&mut self, now_ms: i64) -> Result<()> {
        self.operator.advance_processing_time(now_ms, &mut *self.out)
    }
    fn close(&mut self) -> Result<()> {
        self.operator.close()
    }
}
