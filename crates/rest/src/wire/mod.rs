//! The JSON that server and client exchange: Flink's field names as plain structs.
//!
//! Both sides use the same structs, so they can't drift apart; the tests compare the names with Flink's. Reading ignores fields
//! it doesn't know, so that the client also understands a newer server.

mod checkpoints;
mod config;
mod jobs;
mod metrics;
mod operations;
mod subtasks;

pub use checkpoints::{
    Checkpoint, CheckpointTask, Checkpoints, Counts, Latest, MinMaxAvg, Quantiles, Restored, Summary,
};
pub use config::{CheckpointConfigInfo, Externalization};
pub use jobs::{
    ExceptionEntry, ExceptionHistory, Exceptions, Job, JobSummary, JobsOverview, Overview, TaskShares,
    Vertex, VertexMetrics,
};
pub use metrics::MetricEntry;
pub use operations::{
    CheckpointOutcome, CheckpointRequest, DisposalOutcome, DisposalRequest, FailureCause, OperationStatus,
    SavepointOutcome, SavepointRequest, StatusId, StopRequest, Triggered,
};

pub use subtasks::{
    AlignmentSummary, CheckpointAlignment, CheckpointDuration, CheckpointSubtask, CheckpointSubtasks,
    CompletedSubtask, DurationSummary, SubtaskSummary,
};

use serde::{Deserialize, Serialize};

/// A request that was refused. Flink's `ErrorResponseBody`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errors {
    /// What is wrong, for people.
    pub errors: Vec<String>,
}
