//! What a task and the job master say to each other.

use millpond_checkpoint::{CheckpointBarrier, SubtaskReport, TaskId};
use millpond_core::Error;

/// What the master says to a task.
pub enum TaskControl {
    /// Begin this checkpoint: only to sources, others begin by their barriers.
    TriggerCheckpoint(CheckpointBarrier),
    /// The checkpoint is complete.
    NotifyComplete(u64),
    /// The checkpoint will never complete.
    NotifyAborted(u64),
    /// Finish: the final checkpoint or the stop-with-savepoint is complete.
    Finish,
    /// Stop at once.
    Cancel,
}

/// What a task says to the master.
pub struct TaskEvent {
    /// Which task.
    pub task: TaskId,
    /// Which attempt of it: news of an earlier attempt is ignored.
    pub attempt: u32,
    /// What happened.
    pub kind: TaskEventKind,
}

/// What happened in a task.
pub enum TaskEventKind {
    /// Its operators are open; it takes records now.
    Running,
    /// It has its part of the checkpoint.
    Acknowledge(Box<SubtaskReport>),
    /// It can't take part in the checkpoint.
    Decline {
        /// Which checkpoint.
        checkpoint_id: u64,
        /// Why.
        reason: Error,
    },
    /// All its inputs ended.
    EndOfData,
    /// It is over, well.
    Finished,
    /// It was cancelled.
    Cancelled,
    /// It failed.
    Failed(Error),
}
