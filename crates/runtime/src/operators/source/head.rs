//! A source as the head of a chain.

use super::operator::{SharedSource, SourceOperator};
use super::splits::Enumeration;
use crate::element::{RecordBatch, WatermarkStatus};
use crate::graph::node::{ErasedOutput, NodeFactory, never_chained};
use crate::operator::{
    ChainOutput, ChainVisitor, OperatorContext, SnapshotFuture, StreamOperator, VisitOrder, blame,
};
use crate::task::{Interrupt, TaskChain};
use millpond_api::{InputStatus, Source, Watermark, WatermarkStrategy};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::{Error, OperatorId, Result};
use std::sync::Arc;

/// Builds the instances of a source.
pub(crate) struct SourceNode<S: Source> {
    shared: Arc<SharedSource<S>>,
}

impl<S: Source> SourceNode<S> {
    pub(crate) fn shared(source: S, strategy: WatermarkStrategy<S::Out>) -> Arc<dyn NodeFactory> {
        Arc::new(SourceNode {
            shared: Arc::new(SharedSource {
                source,
                strategy,
                enumeration: Enumeration::new(),
            }),
        })
    }
}

impl<S: Source> NodeFactory for SourceNode<S> {
    fn chain(&self, _id: OperatorId, _outputs: Vec<ErasedOutput>) -> Result<ErasedOutput> {
        Err(never_chained("a source"))
    }
    fn head(&self, id: OperatorId, outputs: Vec<ErasedOutput>) -> Result<Box<dyn TaskChain>> {
        Ok(Box::new(SourceHead {
            core: Core {
                operator: SourceOperator::new(Arc::clone(&self.shared)),
                id,
                // A source has no side outputs: nothing is emitted to them.
                out: ErasedOutput::all(outputs)?.0,
            },
        }))
    }
}

struct SourceHead<S: Source> {
    core: Core<S>,
}

struct Core<S: Source> {
    operator: SourceOperator<S>,
    id: OperatorId,
    out: Box<dyn ChainOutput<S::Out>>,
}

impl<S: Source> TaskChain for SourceHead<S> {
    fn process_records(
        &mut self,
        _input: usize,
        _records: RecordBatch,
        _interrupt: Interrupt<'_>,
    ) -> Result<Option<RecordBatch>> {
        Err(Error::illegal_state("receive records", "a source has no input"))
    }
    fn process_watermark(&mut self, watermark: Watermark) -> Result<()> {
        let Core { operator, id, out } = &mut self.core;
        blame(id, || operator.pass_watermark(watermark, &mut **out))
    }
    fn process_watermark_status(&mut self, status: WatermarkStatus) -> Result<()> {
        self.core.out.emit_watermark_status(status)
    }
    fn poll_source(&mut self) -> Result<InputStatus> {
        let Core { operator, id, out } = &mut self.core;
        blame(id, || operator.poll(&mut **out))
    }
    fn is_processing_backlog(&self) -> bool {
        self.core.operator.is_processing_backlog()
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

impl<S: Source> StreamOperator for Core<S> {
    fn operator_id(&self) -> OperatorId {
        self.id
    }
    fn initialize(&mut self, ctx: OperatorContext) -> Result<()> {
        ctx.metrics.show_watermarks(None, self.out.watermark_gauge());
        self.operator.initialize(&ctx)
    }
    fn snapshot_state(&mut self, barrier: &CheckpointBarrier) -> Result<SnapshotFuture> {
        self.operator.snapshot(barrier)
    }
    fn notify_checkpoint_complete(&mut self, checkpoint_id: u64) -> Result<()> {
        self.operator.notify_checkpoint_complete(checkpoint_id)
    }
    fn notify_checkpoint_aborted(&mut self, checkpoint_id: u64) -> Result<()> {
        self.operator.notify_checkpoint_aborted(checkpoint_id)
    }
    fn end_input(&mut self) -> Result<()> {
        Ok(())
    }
    fn next_processing_timer(&self) -> Option<i64> {
        self.operator.next_processing_timer()
    }
    fn advance_processing_time(&mut self, now_ms: i64) -> Result<()> {
        self.operator.advance_processing_time(now_ms, &mut *self.out)
    }
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
