//! An operator in its chain: with its identity, what stands behind it, and the watermarks that reach it.

use super::{
    ChainOutput, ChainVisitor, ChainedOperator, OperatorContext, SnapshotFuture, StreamOperator, VisitOrder,
    WatermarkGauge, blame,
};
use crate::element::WatermarkStatus;
use crate::task::{Firing, Interrupt, interrupts_timers};
use millpond_api::Watermark;
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::{OperatorId, Result};
use millpond_state::handle::OperatorSubtaskState;
use millpond_state::query::{QueryAnswer, QueryKey};

pub(super) struct Core<O: ChainedOperator> {
    pub(super) operator: O,
    pub(super) id: OperatorId,
    pub(super) out: Box<dyn ChainOutput<O::Out>>,
    watermarks: WatermarkGauge,
    /// Whether watermarks are put off, so that the timers that they make due can be interrupted.
    puts_off: bool,
    /// The watermark that was put off. Flink's `MailboxWatermarkProcessor`.
    put_off: Option<Watermark>,
}

impl<O: ChainedOperator> Core<O> {
    pub(super) fn new(operator: O, id: OperatorId, out: Box<dyn ChainOutput<O::Out>>) -> Self {
        Core {
            operator,
            id,
            out,
            watermarks: WatermarkGauge::default(),
            puts_off: false,
            put_off: None,
        }
    }

    /// A call that is about a record.
    #[inline]
    pub(super) fn with<R>(&mut self, call: impl FnOnce(&mut O, &mut dyn ChainOutput<O::Out>) -> R) -> R {
        let Core {
            operator, id, out, ..
        } = self;
        blame(id, || call(operator, &mut **out))
    }

    pub(super) fn process_watermark(&mut self, watermark: Watermark) -> Result<()> {
        self.watermarks.set(watermark);
        if self.puts_off {
            self.put_off = Some(watermark);
            return Ok(());
        }
        self.with(|operator, out| operator.process_watermark(watermark, out))
    }

    pub(super) fn process_watermark_status(&mut self, status: WatermarkStatus) -> Result<()> {
        self.with(|operator, out| operator.process_watermark_status(status, out))
    }

    /// Shows the watermarks that reach the operator.
    pub(super) fn watermark_gauge(&self) -> WatermarkGauge {
        self.watermarks.clone()
    }

    pub(super) fn visit(&mut self, visitor: &mut dyn ChainVisitor) -> Result<()> {
        match visitor.order() {
            VisitOrder::UpstreamFirst => {
                visitor.operator(self)?;
                self.out.visit(visitor)
            }
            VisitOrder::DownstreamFirst => {
                self.out.visit(visitor)?;
                visitor.operator(self)
            }
        }
    }
}

impl<O: ChainedOperator> StreamOperator for Core<O> {
    fn operator_id(&self) -> OperatorId {
        self.id
    }
    fn initialize(&mut self, ctx: OperatorContext) -> Result<()> {
        ctx.metrics
            .show_watermarks(Some(self.watermarks.clone()), self.out.watermark_gauge());
        self.puts_off = self.operator.has_interruptible_timers() && interrupts_timers(&ctx.config)?;
        self.operator.initialize(ctx, &mut *self.out)
    }
    fn prepare_snapshot_pre_barrier(&mut self) -> Result<()> {
        self.operator.prepare_snapshot_pre_barrier(&mut *self.out)
    }
    fn on_idle(&mut self) -> Result<bool> {
        self.operator.on_idle(&mut *self.out)
    }
    fn advance_event_time(&mut self, interrupt: Interrupt<'_>) -> Result<bool> {
        let Some(watermark) = self.put_off else {
            return Ok(false);
        };
        let firing = Firing::Part(interrupt);
        if !self
            .operator
            .fire_event_timers(watermark, firing, &mut *self.out)?
        {
            return Ok(true);
        }
        self.put_off = None;
        self.operator.process_watermark(watermark, &mut *self.out)?;
        Ok(false)
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
