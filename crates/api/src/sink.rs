//! Sinks: where records end. A simplified form of Flink's Sink V2: writer and committer are one object that takes part
//! in checkpoints.

use millpond_core::Result;
use millpond_core::host::Clock;
use millpond_state::operator_state::OperatorStateBackend;
use std::sync::Arc;

/// A sink.
pub trait Sink: Send + Sync + 'static {
    /// The type of its records.
    type In: crate::Data;
    /// The writer of one parallel instance.
    type Writer: SinkWriter<In = Self::In>;

    /// The writer of one instance. It is created on the thread that uses it, before the first record; what it registers with
    /// `ctx.state` is restored already, so this is where what a crash left half done is finished or undone.
    ///
    /// # Errors
    /// Io or Config naming what cannot be written.
    fn create_writer(&self, ctx: &mut SinkInitContext<'_>) -> Result<Self::Writer>;
}

/// What a writer gets when it is created.
pub struct SinkInitContext<'a> {
    /// The job's id: the same when the job comes back after a crash.
    pub job_id: millpond_core::JobId,
    /// The sink's uid, or its name where it has none: tells two sinks of one job apart.
    pub operator_name: &'a str,
    /// Which parallel instance this is, from 0.
    pub subtask_index: u32,
    /// How many there are.
    pub parallelism: u32,
    /// The checkpoint that the job was restored from, if it was restored by itself (recovery of this very job).
    /// `None` for a job that starts afresh or from a savepoint.
    pub restored_checkpoint_id: Option<u64>,
    /// The id that this run's first checkpoint will have: every checkpoint of this job with an id at or above
    /// `restored_checkpoint_id + 1` and below this one has been given up, and what it committed must be taken back.
    pub first_checkpoint_id: u64,
    /// Whether checkpoints will come. Without them a writer commits when the input ends.
    pub checkpointing_enabled: bool,
    /// The writer's own state: list state, redistributed when the job is rescaled.
    pub state: &'a mut OperatorStateBackend,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// What a writer may know of the record it writes.
#[derive(Clone, Copy, Debug)]
pub struct SinkContext {
    /// The record's event time, [`crate::NO_TIMESTAMP`] if it has none.
    pub timestamp: i64,
    /// The current watermark.
    pub watermark: i64,
}

/// Writes the records of one parallel instance.
///
/// # Contract
/// Between two barriers comes any number of `write`s; then `prepare_commit(id)` (everything written must be durable and noted
/// in the writer's state when it returns, but not yet visible), later `notify_checkpoint_complete(id)` (make everything
/// noted up to `id` visible; it may come late, come once for several checkpoints, or never, and must be idempotent), or
/// `notify_checkpoint_aborted(id)` (keep what was noted for the next one). `end_input` comes once when no record will
/// follow; with checkpoints one more `prepare_commit` follows it.
pub trait SinkWriter: 'static {
    /// The type of the records.
    type In;

    /// Takes a record.
    ///
    /// # Errors
    /// The task fails and the job restarts from its last checkpoint.
    fn write(&mut self, value: Self::In, ctx: &SinkContext) -> Result<()>;

    /// Makes what was written durable and notes it in state: the first phase of the commit.
    ///
    /// # Errors
    /// The checkpoint is declined.
    fn prepare_commit(&mut self, _checkpoint_id: u64) -> Result<()> {
        Ok(())
    }

    /// Makes what was noted up to this checkpoint visible: the second phase.
    ///
    /// # Errors
    /// The task fails; the commit is tried again after the restart.
    fn notify_checkpoint_complete(&mut self, _checkpoint_id: u64) -> Result<()> {
        Ok(())
    }

    /// The checkpoint will never complete.
    ///
    /// # Errors
    /// The task fails.
    fn notify_checkpoint_aborted(&mut self, _checkpoint_id: u64) -> Result<()> {
        Ok(())
    }

    /// No record will follow.
    ///
    /// # Errors
    /// The task fails.
    fn end_input(&mut self) -> Result<()> {
        Ok(())
    }
}
