//! What a task and the job master say to each other.

use super::query::StateQuery;
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_checkpoint::coordinator::{FailureKind, SubtaskMetrics, TaskId};
use millpond_core::{CheckpointId, Error, OperatorId};
use millpond_state::handle::OperatorSubtaskState;

/// What the master says to a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskControl {
    /// Begin this checkpoint: only to sources, others begin by their barriers.
    TriggerCheckpoint(CheckpointBarrier),
    /// The checkpoint is complete.
    NotifyComplete(CheckpointId),
    /// The checkpoint will never complete.
    NotifyAborted(CheckpointId),
    /// Finish: the final checkpoint or the stop-with-savepoint is complete.
    Finish,
    /// Stop at once.
    Cancel,
    /// Say what a key has.
    Query(StateQuery),
}

/// What a task says to the master.
#[derive(Debug)]
pub struct TaskEvent {
    /// Which task.
    pub task: TaskId,
    /// Which attempt of it: news of an earlier attempt is ignored.
    pub attempt: u32,
    /// What happened.
    pub kind: TaskEventKind,
}

/// What happened in a task.
#[derive(Debug)]
pub enum TaskEventKind {
    /// Its operators are open; it takes records now.
    Running,
    /// It has its part of the checkpoint.
    Acknowledge(Box<SubtaskReport>),
    /// It can't take part in the checkpoint.
    Decline {
        /// Which checkpoint.
        checkpoint_id: CheckpointId,
        /// Why, as the coordinator counts it.
        kind: FailureKind,
        /// Why, for people.
        reason: Error,
    },
    /// Its part of the checkpoint was stopped or failed half way: what it had written by then is nobody's.
    Unwanted {
        /// Which checkpoint.
        checkpoint_id: CheckpointId,
        /// The operators whose state was written.
        operators: Vec<(OperatorId, OperatorSubtaskState)>,
    },
    /// All its inputs ended.
    EndOfData,
    /// Its source began or ended to work off a backlog.
    ProcessingBacklog(bool),
    /// It is over, well.
    Finished,
    /// It was cancelled.
    Cancelled,
    /// It failed.
    Failed(Error),
    /// The key of a query is another task's.
    QueryElsewhere {
        /// The query.
        query: StateQuery,
        /// The key group that its key belongs to.
        key_group: u32,
    },
}

/// One task's part of a checkpoint. Flink's `TaskStateSnapshot` with its `CheckpointMetrics`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubtaskReport {
    /// The checkpoint.
    pub checkpoint: CheckpointId,
    /// The state of every operator of the task, upstream first; empty for those without state.
    pub operators: Vec<(OperatorId, OperatorSubtaskState)>,
    /// How long it took and how large it is.
    pub metrics: SubtaskMetrics,
}
