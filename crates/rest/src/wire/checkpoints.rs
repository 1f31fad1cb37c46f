//! Checkpoints in numbers. Flink's `CheckpointingStatistics` and `CheckpointStatistics`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `/jobs/:jobid/checkpoints`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoints {
    /// How many there were since the job was started.
    pub counts: Counts,
    /// Over the completed ones in the history.
    pub summary: Summary,
    /// The latest of each sort.
    pub latest: Latest,
    /// The last ones, newest first.
    pub history: Vec<Checkpoint>,
}

/// Flink's `CheckpointingStatistics.Counts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Restores.
    pub restored: u64,
    /// Checkpoints and savepoints triggered.
    pub total: u64,
    /// Of them, under way.
    pub in_progress: u64,
    /// Of them, completed.
    pub completed: u64,
    /// Of them, failed.
    pub failed: u64,
}

/// Flink's `CheckpointingStatistics.Summary`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Bytes written for a checkpoint.
    pub checkpointed_size: Quantiles,
    /// Bytes of state that a checkpoint holds.
    pub state_size: Quantiles,
    /// From the trigger to the end, in milliseconds.
    pub end_to_end_duration: Quantiles,
}

/// Flink's `StatsSummaryDto`. All zero when there is nothing to sum up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "p50 to p999 are the quantiles that they name")]
pub struct Quantiles {
    /// The lowest.
    pub min: i64,
    /// The highest.
    pub max: i64,
    /// The mean, rounded down.
    pub avg: i64,
    pub p50: i64,
    pub p90: i64,
    pub p95: i64,
    pub p99: i64,
    pub p999: i64,
}

/// The latest of each sort; null where there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest {
    /// The latest completed checkpoint that is no savepoint.
    pub completed: Option<Checkpoint>,
    /// The latest completed savepoint.
    pub savepoint: Option<Checkpoint>,
    /// The latest failed one.
    pub failed: Option<Checkpoint>,
    /// The latest restore.
    pub restored: Option<Restored>,
}

/// A restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The checkpoint that the job continued from.
    pub id: u64,
    /// When, in milliseconds since the epoch.
    pub restore_timestamp: i64,
}

/// One checkpoint or savepoint. Times are in milliseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Which of Flink's three shapes this is: completed, failed or in_progress.
    #[serde(rename = "className")]
    pub class_name: String,
    /// Its id.
    pub id: u64,
    /// IN_PROGRESS, COMPLETED or FAILED.
    pub status: String,
    /// Whether it belongs to the user.
    pub is_savepoint: bool,
    /// CHECKPOINT, UNALIGNED_CHECKPOINT, SAVEPOINT, or SYNC_SAVEPOINT: one that the job stops with.
    pub checkpoint_type: String,
    /// When it was triggered.
    pub trigger_timestamp: i64,
    /// When the last task acknowledged; -1: none did yet.
    pub latest_ack_timestamp: i64,
    /// Bytes written for it.
    pub checkpointed_size: u64,
    /// Bytes of state that it holds.
    pub state_size: u64,
    /// From the trigger to the end or now, in milliseconds.
    pub end_to_end_duration: i64,
    /// Always 0, as in Flink: nothing is buffered for alignment.
    pub alignment_buffered: u64,
    /// Bytes of records processed during alignment, as they stand in memory.
    pub processed_data: u64,
    /// Bytes of records that barriers overtook.
    pub persisted_data: u64,
    /// How many tasks take part.
    pub num_subtasks: u64,
    /// How many of them acknowledged.
    pub num_acknowledged_subtasks: u64,
    /// The tasks by vertex id; empty but in the details of one checkpoint.
    pub tasks: BTreeMap<String, CheckpointTask>,
    /// Where it is, once completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_path: Option<String>,
    /// When it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_timestamp: Option<i64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_message: Option<String>,
}

/// The tasks of one vertex in a checkpoint. Flink's `TaskCheckpointStatistics`; a MinMaxAvg is over the tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointTask {
    /// The checkpoint.
    pub id: u64,
    /// As the checkpoint's, or COMPLETED as soon as all the vertex's tasks acknowledged.
    pub status: String,
    /// When the last of its tasks acknowledged; -1: none did yet.
    pub latest_ack_timestamp: i64,
    /// Bytes written by its tasks.
    pub checkpointed_size: u64,
    /// Bytes of its state.
    pub state_size: u64,
    /// From the trigger to the latest acknowledgement, in milliseconds; -1: none yet.
    pub end_to_end_duration: i64,
    /// Always 0, as in Flink: nothing is buffered for alignment.
    pub alignment_buffered: u64,
    /// Bytes of records processed during alignment, as they stand in memory.
    pub processed_data: u64,
    /// Bytes of records that barriers overtook.
    pub persisted_data: u64,
    /// How many tasks it has.
    pub num_subtasks: u64,
    /// How many of them acknowledged.
    pub num_acknowledged_subtasks: u64,
    /// How long the stream stood still, in milliseconds. Flink has this one level deeper.
    pub sync_duration: MinMaxAvg,
    /// How long the upload beside the stream took, in milliseconds.
    pub async_duration: MinMaxAvg,
    /// From the first barrier to the last, in milliseconds.
    pub alignment_duration: MinMaxAvg,
    /// From the trigger to the first barrier, in milliseconds.
    pub start_delay: MinMaxAvg,
}

/// The lowest, highest and mean of a number over tasks; zero when none acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct MinMaxAvg {
    pub min: u64,
    pub max: u64,
    pub avg: u64,
}
