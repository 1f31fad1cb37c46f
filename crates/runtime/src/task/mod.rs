//! One parallel instance of a vertex: a step function over its inputs (decision D4).
//!
//! In production a thread drives [`StreamTask::step`]; in tests a seeded scheduler does.

mod event;

pub use event::{TaskControl, TaskEvent, TaskEventKind};

use crate::element::{RecordBatch, WatermarkStatus};
use crate::operator::ChainVisitor;
use millpond_api::{InputStatus, Watermark};
use millpond_core::Result;

/// The operators of one task, as the task sees them: the types are hidden in it.
pub trait TaskChain {
    /// Takes records of the input `input`.
    ///
    /// # Errors
    /// The task fails.
    fn process_records(&mut self, input: usize, records: RecordBatch) -> Result<()>;
    /// Takes the combined watermark of all inputs.
    ///
    /// # Errors
    /// The task fails.
    fn process_watermark(&mut self, watermark: Watermark) -> Result<()>;
    /// Takes the combined status of all inputs.
    ///
    /// # Errors
    /// The task fails.
    fn process_watermark_status(&mut self, status: WatermarkStatus) -> Result<()>;
    /// Lets a source emit some records. Never called on a chain without one.
    ///
    /// # Errors
    /// The task fails.
    fn poll_source(&mut self) -> Result<InputStatus>;
    /// Shows the visitor every operator and channel writer.
    ///
    /// # Errors
    /// The visitor's first.
    fn visit(&mut self, visitor: &mut dyn ChainVisitor) -> Result<()>;
}
