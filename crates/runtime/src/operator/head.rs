//! The first operator of a task: it takes batches apart, and hides their types from the task.

use super::{
    ChainLink, ChainOutput, ChainVisitor, OneInputOperator, OperatorContext, SnapshotFuture, StreamOperator,
    TwoInputOperator, VisitOrder, WatermarkGauge, blame,
};
use crate::element::{RecordBatch, WatermarkStatus};
use crate::task::TaskChain;
use millpond_api::{InputStatus, Output, Watermark};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::{Error, OperatorId, Result};
use millpond_state::handle::OperatorSubtaskState;
use millpond_state::query::{QueryAnswer, QueryKey};

/// A chain that begins with an operator of one input.
pub struct OneInputHead<O: OneInputOperator> {
    link: ChainLink<O>,
}

impl<O: OneInputOperator> OneInputHead<O> {
    /// The chain that begins with `link`.
    pub fn new(link: ChainLink<O>) -> Self {
        OneInputHead { link }
    }
}

impl<O: OneInputOperator> TaskChain for OneInputHead<O> {
    fn process_records(&mut self, _input: usize, records: RecordBatch) -> Result<()> {
        let mut records = records.downcast::<O::In>()?.into_iter();
        let ahead = self.link.lookahead();
        if ahead == 0 {
            return records.try_for_each(|(value, timestamp)| self.link.collect(value, timestamp));
        }
        while !records.upcoming().is_empty() {
            let upcoming = records.upcoming();
            self.link.expect(upcoming.get(..ahead).unwrap_or(upcoming));
            for (value, timestamp) in records.by_ref().take(ahead) {
                self.link.collect(value, timestamp)?;
            }
        }
        Ok(())
    }
    fn process_watermark(&mut self, watermark: Watermark) -> Result<()> {
        self.link.emit_watermark(watermark)
    }
    fn process_watermark_status(&mut self, status: WatermarkStatus) -> Result<()> {
        self.link.emit_watermark_status(status)
    }
    fn poll_source(&mut self) -> Result<InputStatus> {
        Err(not_a_source())
    }
    fn visit(&mut self, visitor: &mut dyn ChainVisitor) -> Result<()> {
        self.link.visit(visitor)
    }
}

/// A chain that begins with an operator of two inputs.
pub struct TwoInputHead<O: TwoInputOperator> {
    core: Core<O>,
}

struct Core<O: TwoInputOperator> {
    operator: O,
    id: OperatorId,
    out: Box<dyn ChainOutput<O::Out>>,
    /// Of both inputs together.
    watermarks: WatermarkGauge,
}

impl<O: TwoInputOperator> TwoInputHead<O> {
    /// The chain that begins with `operator`.
    pub fn new(operator: O, id: OperatorId, out: Box<dyn ChainOutput<O::Out>>) -> Self {
        TwoInputHead {
            core: Core {
                operator,
                id,
                out,
                watermarks: WatermarkGauge::default(),
            },
        }
    }
}

impl<O: TwoInputOperator> TaskChain for TwoInputHead<O> {
    fn process_records(&mut self, input: usize, records: RecordBatch) -> Result<()> {
        let Core {
            operator, id, out, ..
        } = &mut self.core;
        blame(id, || {
            if input == 0 {
                for (value, timestamp) in records.downcast::<O::In1>()? {
                    operator.process_element1(value, timestamp, &mut **out)?;
                }
            } else {
                for (value, timestamp) in records.downcast::<O::In2>()? {
                    operator.process_element2(value, timestamp, &mut **out)?;
                }
            }
            Ok(())
        })
    }
    fn process_watermark(&mut self, watermark: Watermark) -> Result<()> {
        let Core {
            operator,
            id,
            out,
            watermarks,
        } = &mut self.core;
        watermarks.set(watermark);
        blame(id, || operator.process_watermark(watermark, &mut **out))
    }
    fn process_watermark_status(&mut self, status: WatermarkStatus) -> Result<()> {
        let Core {
            operator, id, out, ..
        } = &mut self.core;
        blame(id, || operator.process_watermark_status(status, &mut **out))
    }
    fn poll_source(&mut self) -> Result<InputStatus> {
        Err(not_a_source())
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

impl<O: TwoInputOperator> StreamOperator for Core<O> {
    fn operator_id(&self) -> OperatorId {
        self.id
    }
    fn initialize(&mut self, ctx: OperatorContext) -> Result<()> {
        ctx.metrics
            .show_watermarks(Some(self.watermarks.clone()), self.out.watermark_gauge());
        self.operator.initialize(ctx, &mut *self.out)
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

#[cold]
fn not_a_source() -> Error {
    Error::illegal_state("poll source", "the task does not begin with a source")
}
