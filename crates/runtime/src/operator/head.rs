//! The first operator of a task: it takes batches apart, and hides their types from the task.

use super::core::Core;
use super::{ChainLink, ChainOutput, ChainVisitor, OneInputOperator, TwoInputOperator};
use crate::element::{RecordBatch, WatermarkStatus};
use crate::task::TaskChain;
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

impl<O: TwoInputOperator> TwoInputHead<O> {
    /// The chain that begins with `operator`.
    pub fn new(operator: O, id: OperatorId, out: Box<dyn ChainOutput<O::Out>>) -> Self {
        TwoInputHead {
            core: Core::new(operator, id, out),
        }
    }
}

impl<O: TwoInputOperator> TaskChain for TwoInputHead<O> {
    fn process_records(&mut self, input: usize, records: RecordBatch) -> Result<()> {
        self.core.with(|operator, out| {
            if input == 0 {
                for (value, timestamp) in records.downcast::<O::In1>()? {
                    operator.process_element1(value, timestamp, out)?;
                }
            } else {
                for (value, timestamp) in records.downcast::<O::In2>()? {
                    operator.process_element2(value, timestamp, out)?;
                }
            }
            Ok(())
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
