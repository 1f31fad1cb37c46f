//! One vertex's part of a checkpoint, task by task. Flink's `TaskCheckpointStatisticsWithSubtaskDetails`.

use super::checkpoints::{CheckpointTask, Quantiles};
use serde::{Deserialize, Serialize};

/// `/jobs/:jobid/checkpoints/details/:checkpointid/subtasks/:vertexid`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointSubtasks {
    /// The vertex as a whole.
    #[serde(flatten)]
    pub task: CheckpointTask,
    /// Over the tasks that acknowledged.
    pub summary: SubtaskSummary,
    /// Its tasks in their order.
    pub subtasks: Vec<CheckpointSubtask>,
}

/// Flink's `TaskCheckpointStatisticsWithSubtaskDetails.Summary`. Times are in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubtaskSummary {
    /// Bytes written.
    pub checkpointed_size: Quantiles,
    /// Bytes of state.
    pub state_size: Quantiles,
    /// From the trigger to the acknowledgement.
    pub end_to_end_duration: Quantiles,
    /// The snapshot's two parts.
    pub checkpoint_duration: DurationSummary,
    /// What happened between the first barrier and the last.
    pub alignment: AlignmentSummary,
    /// From the trigger to the first barrier.
    pub start_delay: Quantiles,
}

/// Flink's `CheckpointDuration`, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DurationSummary {
    /// While the stream stood still.
    pub sync: Quantiles,
    /// Beside the stream.
    #[serde(rename = "async")]
    pub asynchronous: Quantiles,
}

/// Flink's `CheckpointAlignment`, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlignmentSummary {
    /// Always 0.
    pub buffered: Quantiles,
    /// Bytes of records processed.
    pub processed: Quantiles,
    /// Bytes of records stored.
    pub persisted: Quantiles,
    /// How long it took.
    pub duration: Quantiles,
}

/// One task. Flink's `SubtaskCheckpointStatistics` in its two shapes, completed and pending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointSubtask {
    /// Which task.
    pub index: u32,
    /// completed or pending_or_failed.
    pub status: String,
    /// What it reported, once it did.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<CompletedSubtask>,
}

/// Flink's `CompletedSubtaskCheckpointStatistics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedSubtask {
    /// When it acknowledged, in milliseconds since the epoch.
    pub ack_timestamp: i64,
    /// From the trigger to that.
    pub end_to_end_duration: i64,
    /// Bytes of state.
    pub state_size: u64,
    /// Bytes written.
    pub checkpointed_size: u64,
    /// The snapshot's two parts.
    pub checkpoint: CheckpointDuration,
    /// What happened between the first barrier and the last.
    pub alignment: CheckpointAlignment,
    /// From the trigger to the first barrier.
    pub start_delay: u64,
    /// Whether barriers overtook records.
    pub unaligned_checkpoint: bool,
    /// Always false: a task that gave up has acknowledged nothing.
    pub aborted: bool,
}

/// Flink's `CheckpointDuration`, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointDuration {
    /// While the stream stood still.
    pub sync: u64,
    /// Beside the stream.
    #[serde(rename = "async")]
    pub asynchronous: u64,
}

/// Flink's `CheckpointAlignment`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointAlignment {
    /// Always 0.
    pub buffered: u64,
    /// Bytes of records processed.
    pub processed: u64,
    /// Bytes of records stored.
    pub persisted: u64,
    /// How long it took, in milliseconds.
    pub duration: u64,
}
