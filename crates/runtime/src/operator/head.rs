//! The first operator of a task: it takes batches apart, and hides their types from the task.

use super::core::Core;
use super::{ChainLink, ChainOutput, ChainVisitor, OneInputOperator, TwoInputOperator};
use crate::element::{Batch, BatchIntoIter, RecordBatch, WatermarkStatus};
use crate::task::{Interrupt, RECORDS_BETWEEN_LOOKS, TaskChain};
use millpond_api::{InputStatus, Output, Watermark};
use millpond_core::{Error, OperatorId, Result};

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
    fn process_records(
        &mut self,
        _input: usize,
        records: RecordBatch,
        interrupt: Interrupt<'_>,
    ) -> Result<Option<RecordBatch>> {
        let ahead = self.link.lookahead();
        let stretch = if ahead == 0 { RECORDS_BETWEEN_LOOKS } else { ahead };
        let link = &mut self.link;
        in_stretches(records.downcast::<O::In>()?, interrupt, |upcoming| {
            if ahead > 0 {
                let all = upcoming.upcoming();
                link.expect(all.get(..ahead).unwrap_or(all));
            }
            upcoming
                .take(stretch)
                .try_for_each(|(value, timestamp)| link.collect(value, timestamp))
        })
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

/// Has `process` take the records of `batch`, some at a time, until it is interrupted. Returns what is left then.
fn in_stretches<T: Send + 'static>(
    batch: Batch<T>,
    interrupt: Interrupt<'_>,
    mut process: impl FnMut(&mut BatchIntoIter<T>) -> Result<()>,
) -> Result<Option<RecordBatch>> {
    let mut records = batch.into_iter();
    while !records.upcoming().is_empty() {
        if interrupt.is_due() {
            return Ok(Some(RecordBatch::new(records.into_batch())));
        }
        process(&mut records)?;
    }
    Ok(None)
}

/// A chain that begins with an operator of two inputs.
pub struct TwoInputHead<O: TwoInputOperator> {
    core: Core<O>,
}

impl<O: TwoInputOperator> TwoInputHead<O> {
    /// The chain that begins with `operator`.
    pub fn new(operator: O, id: OperatorId, out: Box<dyn ChainOutput<O::Out>>) -> Self {
        TwoInputHead {
            core: Core::new(operator, id, out),
        }
    }
}

impl<O: TwoInputOperator> TaskChain for TwoInputHead<O> {
    fn process_records(
        &mut self,
        input: usize,
        records: RecordBatch,
        interrupt: Interrupt<'_>,
    ) -> Result<Option<RecordBatch>> {
        self.core.with(|operator, out| {
            if input == 0 {
                in_stretches(records.downcast::<O::In1>()?, interrupt, |upcoming| {
                    upcoming
                        .take(RECORDS_BETWEEN_LOOKS)
                        .try_for_each(|(value, timestamp)| operator.process_element1(value, timestamp, out))
                })
            } else {
                in_stretches(records.downcast::<O::In2>()?, interrupt, |upcoming| {
                    upcoming
                        .take(RECORDS_BETWEEN_LOOKS)
                        .try_for_each(|(value, timestamp)| operator.process_element2(value, timestamp, out))
                })
            }
        })
    }
    fn process_watermark(&mut self, watermark: Watermark) -> Result<()> {
        self.core.process_watermark(watermark)
    }
    fn process_watermark_status(&mut self, status: WatermarkStatus) -> Result<()> {
        self.core.process_watermark_status(status)
    }
    fn poll_source(&mut self) -> Result<InputStatus> {
        Err(not_a_source())
    }
    fn visit(&mut self, visitor: &mut dyn ChainVisitor) -> Result<()> {
        self.core.visit(visitor)
    }
}

#[cold]
fn not_a_source() -> Error {
    Error::illegal_state("poll source", "the task does not begin with a source")
}
