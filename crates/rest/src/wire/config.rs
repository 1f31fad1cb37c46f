//! The settings of checkpoints. Flink's `CheckpointConfigInfo`.

use serde::{Deserialize, Serialize};

/// `/jobs/:jobid/checkpoints/config`. Durations are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointConfigInfo {
    /// exactly_once or at_least_once.
    pub mode: String,
    /// From trigger to trigger; the largest number there is when there are no periodic checkpoints.
    pub interval: i64,
    /// How long a checkpoint may take.
    pub timeout: i64,
    /// From the end of one to the next trigger, at least.
    pub min_pause: i64,
    /// How many may be under way at once.
    pub max_concurrent: u32,
    /// What becomes of checkpoints when the job is cancelled.
    pub externalization: Externalization,
    /// The state backend, by the name of Flink's class.
    pub state_backend: String,
    /// Where checkpoints lie, by the name of Flink's class.
    pub checkpoint_storage: String,
    /// Whether barriers may overtake records.
    pub unaligned_checkpoints: bool,
    /// How many may fail in a row.
    pub tolerable_failed_checkpoints: u32,
    /// How old a checkpoint is before its barriers overtake records.
    pub aligned_checkpoint_timeout: i64,
    /// Whether there are checkpoints after some tasks read all their input.
    pub checkpoints_after_tasks_finish: bool,
    /// Always false: there is no changelog of state.
    pub state_changelog_enabled: bool,
}

/// Flink's `CheckpointConfigInfo.ExternalizedCheckpointInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Externalization {
    /// Whether checkpoints are ever kept after the job's end.
    pub enabled: bool,
    /// Whether they are deleted when it is cancelled.
    pub delete_on_cancellation: bool,
}
