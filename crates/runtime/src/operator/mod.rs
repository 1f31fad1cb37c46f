//! The contracts of operators, and how they are chained.
//!
//! A chain is a tree of operators inside one task: each [`ChainLink`] owns an operator and the outputs behind it, down to
//! [`ChainOutput`]s that write into channels. Records go down by one call for each operator; the task reaches the operators
//! themselves by [`ChainOutput::visit`].

mod blame;
mod chained;
mod context;
mod core;
mod fan_out;
mod head;
mod link;
mod one_input;
mod two_input;
mod watermark_gauge;

pub(crate) use blame::{blame, take_blamed};
pub use chained::ChainedOperator;
pub use context::{OperatorContext, OperatorMetrics, RestoredState, TaskInfo};
pub use fan_out::FanOut;
pub use head::{OneInputHead, TwoInputHead};
pub use link::ChainLink;
pub use one_input::OneInputOperator;
pub use two_input::TwoInputOperator;
pub use watermark_gauge::WatermarkGauge;

use crate::element::{StreamElement, WatermarkStatus};
use crate::task::Interrupt;
use crate::task::query::not_keyed;
use millpond_api::{Output, Watermark};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::{OperatorId, Result};
use millpond_state::handle::OperatorSubtaskState;
use millpond_state::query::{QueryAnswer, QueryKey};
use millpond_state::stream::CheckpointStreamFactory;

/// What stands behind an operator in its chain: another operator, a channel writer, or several of them.
pub trait ChainOutput<T>: Output<T> {
    /// Passes a watermark on.
    ///
    /// # Errors
    /// As [`Output::collect`].
    fn emit_watermark(&mut self, watermark: Watermark) -> Result<()>;

    /// Passes on whether this chain is idle.
    ///
    /// # Errors
    /// As [`Output::collect`].
    fn emit_watermark_status(&mut self, status: WatermarkStatus) -> Result<()>;

    /// Shows the watermarks that pass here.
    fn watermark_gauge(&self) -> WatermarkGauge;

    /// Shows `visitor` every operator and every channel writer from here on, in the order that it asks for.
    ///
    /// # Errors
    /// The first error of the visitor; the rest is not visited then.
    fn visit(&mut self, visitor: &mut dyn ChainVisitor) -> Result<()>;
}

/// Which end of a chain a visitor begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisitOrder {
    /// Operators before those that they feed (`end_input`, snapshots).
    UpstreamFirst,
    /// Operators after those that they feed (`initialize`: whoever emits must find its consumers open).
    DownstreamFirst,
}

/// Something that the task does with every operator or channel writer of its chain.
pub trait ChainVisitor {
    /// The order to visit in.
    fn order(&self) -> VisitOrder {
        VisitOrder::UpstreamFirst
    }
    /// An operator.
    ///
    /// # Errors
    /// Ends the visit.
    fn operator(&mut self, _operator: &mut dyn StreamOperator) -> Result<()> {
        Ok(())
    }
    /// A writer into channels.
    ///
    /// # Errors
    /// Ends the visit.
    fn writer(&mut self, _writer: &mut dyn ChannelWriter) -> Result<()> {
        Ok(())
    }
}

/// A writer into the channels of one edge, as the task sees it.
pub trait ChannelWriter {
    /// Sends `element` (an event, not records) into every channel, behind all records written so far.
    ///
    /// # Errors
    /// Cancelled when the job is being torn down.
    fn broadcast(&mut self, element: &mut dyn FnMut() -> StreamElement) -> Result<()>;
    /// Sends what is buffered.
    ///
    /// # Errors
    /// Cancelled when the job is being torn down.
    fn flush(&mut self) -> Result<()>;
    /// Whether every channel has room. A task doesn't take new input while one has not.
    fn is_available(&self) -> bool;
}

/// An operator as the task sees it: its life, without its types. Flink's `StreamOperator`.
///
/// # Contract
/// `initialize` once, then records, watermarks, timers and snapshots (each after its `prepare_snapshot_pre_barrier`) in any order, then `end_input` once when every input
/// ended (not when the job is cancelled), possibly more snapshots and notices, then `close` (always, also after failures).
pub trait StreamOperator {
    /// Its identity: what its state is stored under.
    fn operator_id(&self) -> OperatorId;
    /// Restores state and opens the user function.
    ///
    /// # Errors
    /// Incompatible or Corrupt when the restored state doesn't fit; what the user function fails with.
    fn initialize(&mut self, ctx: OperatorContext) -> Result<()>;
    /// A barrier is about to be sent: emit what has to come before it.
    ///
    /// # Errors
    /// The task fails.
    fn prepare_snapshot_pre_barrier(&mut self) -> Result<()> {
        Ok(())
    }
    /// The task has no input at hand: do some of what was put off. Returns whether anything was done; it is asked again then.
    ///
    /// # Errors
    /// The task fails.
    fn on_idle(&mut self) -> Result<bool> {
        Ok(false)
    }
    /// Goes on with the watermark that it took and put off, if it did: fires some of the event-time timers that are due, and passes the
    /// watermark on behind the last. Returns whether there is more to do; it is asked again then, and takes no record before.
    ///
    /// # Errors
    /// The task fails.
    fn advance_event_time(&mut self, _interrupt: Interrupt<'_>) -> Result<bool> {
        Ok(false)
    }
    /// The synchronous part of a snapshot. Returns what is left to do elsewhere.
    ///
    /// # Errors
    /// The task fails: what the operator put aside for this checkpoint is in none. What fails later, in the future, declines the
    /// checkpoint, and the task goes on.
    fn snapshot_state(&mut self, barrier: &CheckpointBarrier) -> Result<SnapshotFuture>;
    /// The checkpoint is complete.
    ///
    /// # Errors
    /// The task fails.
    fn notify_checkpoint_complete(&mut self, checkpoint_id: u64) -> Result<()>;
    /// The checkpoint will never complete.
    ///
    /// # Errors
    /// The task fails.
    fn notify_checkpoint_aborted(&mut self, checkpoint_id: u64) -> Result<()>;
    /// What a key has in a state of this operator.
    ///
    /// # Errors
    /// Answered to whoever asked; the task goes on.
    fn query_state(&mut self, _state: &str, _key: &QueryKey) -> Result<QueryAnswer> {
        Err(not_keyed())
    }
    /// No input will follow: emit what is left. Flink's `finish`.
    ///
    /// # Errors
    /// The task fails.
    fn end_input(&mut self) -> Result<()>;
    /// When its next processing-time timer is due (milliseconds since the epoch).
    fn next_processing_timer(&self) -> Option<i64>;
    /// Fires the processing-time timers that are due at `now_ms`.
    ///
    /// # Errors
    /// The task fails.
    fn advance_processing_time(&mut self, now_ms: i64) -> Result<()>;
    /// Releases what it holds.
    ///
    /// # Errors
    /// Logged; the task is over anyway.
    fn close(&mut self) -> Result<()>;
}

/// What is left of a snapshot after its synchronous part: runs on another thread and writes the state.
pub type SnapshotFuture =
    Box<dyn FnOnce(&dyn CheckpointStreamFactory) -> Result<OperatorSubtaskState> + Send>;
