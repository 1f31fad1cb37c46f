//! One parallel instance of a vertex: a step function over its inputs (decision D4).
//!
//! | part | what it is |
//! |---|---|
//! | [`TaskChain`] | the operators of a task, their types hidden |
//! | [`TaskDeployment`] | all that a task needs to start, put together by the master |
//! | [`StreamTask`] | the step function |
//! | [`run_task_thread`] | drives a task on a thread of its own: production |
//! | [`scheduler::SeededScheduler`] | drives many tasks on one thread in a seeded order: tests |
//!
//! A task talks to the master by [`TaskControl`] and [`TaskEvent`] alone.

mod accounts;
mod checkpointing;
mod core;
mod deployment;
mod driver;
mod event;
mod interrupt;
mod metrics;
mod put_off;
pub(crate) mod query;
pub mod scheduler;
mod stream_task;
#[cfg(test)]
mod tests;
mod upload;
mod visit;

pub use crate::channel::{ChannelSender, TaskMailbox};
pub use deployment::{
    CheckpointStorageAccess, OperatorDeployment, SnapshotExecutor, SnapshotJob, TaskCheckpointing,
    TaskDeployment, TaskEventSink,
};
pub use driver::{Driven, drive, run_task_thread};
pub use event::{SubtaskReport, TaskControl, TaskEvent, TaskEventKind};
pub use interrupt::{Firing, Interrupt, RECORDS_BETWEEN_LOOKS};
pub use metrics::TaskMetrics;
pub(crate) use put_off::interrupts_timers;
pub use query::StateQuery;
pub use stream_task::{Step, StreamTask};

use crate::element::{RecordBatch, WatermarkStatus};
use crate::operator::ChainVisitor;
use millpond_api::{InputStatus, Watermark};
use millpond_core::Result;

/// The operators of one task, as the task sees them: the types are hidden in it.
pub trait TaskChain {
    /// Takes records of the input `input`. Returns those that it left for later because it was interrupted.
    ///
    /// # Errors
    /// The task fails.
    fn process_records(
        &mut self,
        input: usize,
        records: RecordBatch,
        interrupt: Interrupt<'_>,
    ) -> Result<Option<RecordBatch>>;
    /// Takes the combined watermark of all inputs. A source's chain is given [`Watermark::MAX`] when its input ended, and
    /// passes it on to what stands behind the source.
    ///
    /// # Errors
    /// The task fails.
    fn process_watermark(&mut self, watermark: Watermark) -> Result<()>;
    /// Takes the combined status of all inputs; a source's chain passes it on, too.
    ///
    /// # Errors
    /// The task fails.
    fn process_watermark_status(&mut self, status: WatermarkStatus) -> Result<()>;
    /// Lets a source emit some records. Never called on a chain without one.
    ///
    /// # Errors
    /// The task fails.
    fn poll_source(&mut self) -> Result<InputStatus>;
    /// Whether a source works off a backlog, so that freshness doesn't matter now. False on a chain without one.
    fn is_processing_backlog(&self) -> bool {
        false
    }
    /// Shows the visitor every operator (a source's own one, too) and every channel writer.
    ///
    /// # Errors
    /// The visitor's first.
    fn visit(&mut self, visitor: &mut dyn ChainVisitor) -> Result<()>;
}
