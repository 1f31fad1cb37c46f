//! Names of the coordinator's counterparts: the parallel tasks of a job, and which of them are sources.

use std::collections::BTreeSet;
use std::fmt;

/// One parallel task: a subtask of a job vertex. Flink's `ExecutionVertexID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// The job vertex (a chain of operators), counted in the job graph.
    pub vertex: u32,
    /// The parallel instance, counted from 0.
    pub subtask: u32,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.vertex, self.subtask)
    }
}

/// The tasks that a checkpoint of one job needs. Flink's `CheckpointPlan`, where every task stays alive until the
/// final checkpoint, so that all of them always take part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckpointPlan {
    /// Every task: each must acknowledge, and each is told of completion.
    pub tasks: BTreeSet<TaskId>,
    /// The tasks that barriers start from.
    pub sources: BTreeSet<TaskId>,
}

impl CheckpointPlan {
    /// A plan over `sources` and `others`.
    pub fn new(
        sources: impl IntoIterator<Item = TaskId>,
        others: impl IntoIterator<Item = TaskId>,
    ) -> CheckpointPlan {
        let sources: BTreeSet<TaskId> = sources.into_iter().collect();
        let tasks = sources.iter().copied().chain(others).collect();
        CheckpointPlan { tasks, sources }
    }
}
