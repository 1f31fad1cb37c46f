//! The first phase: writing, and making durable what was written.

use millpond_core::host::Clock;
use millpond_core::{JobId, Result};
use millpond_state::operator_state::OperatorStateBackend;
use millpond_types::StateType;
use std::sync::Arc;

/// What a writer gets when it is created. Flink's `WriterInitContext`.
pub struct WriterInitContext<'a> {
    /// The job's id: the same when the job comes back after a crash.
    pub job_id: JobId,
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
    /// Whether checkpoints will come. Without them everything is committed when the input ends.
    pub checkpointing_enabled: bool,
    /// The writer's own state: list state, redistributed when the job is rescaled. What a writer stores here during
    /// [`SinkWriter::prepare_commit`] is in that checkpoint.
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

/// Writes the records of one parallel instance. Flink's `SinkWriter` and `CommittingSinkWriter`.
///
/// # Contract
/// Between two barriers comes any number of `write`s. At a barrier comes `flush(false)`, then `prepare_commit`. When no record
/// will follow comes `flush(true)` once, followed by the `prepare_commit` of the last checkpoint, or, in a job without
/// checkpoints, by `prepare_commit(0)`, whose committables are committed at once.
pub trait SinkWriter: 'static {
    /// The type of the records.
    type In;
    /// What the committer needs to publish what was staged. It is stored in checkpoints, so it is a format. `()` for a sink
    /// without a second phase.
    type Committable: StateType;

    /// Takes a record.
    ///
    /// # Errors
    /// The task fails and the job restarts from its last checkpoint.
    fn write(&mut self, value: Self::In, ctx: &SinkContext) -> Result<()>;

    /// Sends out what is buffered: for a sink without a second phase this is what makes it lose nothing.
    ///
    /// # Errors
    /// The task fails and the job restarts from its last checkpoint.
    fn flush(&mut self, _end_of_input: bool) -> Result<()> {
        Ok(())
    }

    /// The first phase of the commit: makes what was staged since the last call durable, without showing it, and answers what
    /// it takes to show it.
    ///
    /// # Errors
    /// The task fails and the job restarts from its last checkpoint: what was staged and is in none is not asked for again.
    fn prepare_commit(&mut self, _checkpoint_id: u64) -> Result<Vec<Self::Committable>> {
        Ok(Vec::new())
    }
}
