//! The coordinator's knobs, with Flink's meaning and defaults (`execution.checkpointing.*`).

use crate::barrier::CheckpointingMode;

/// How checkpoints are paced and how much failure is borne. Flink's `CheckpointCoordinatorConfiguration`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointConfig {
    /// `execution.checkpointing.mode`, default exactly once. Kept by the aligners; here for the record.
    pub mode: CheckpointingMode,
    /// `execution.checkpointing.interval`, in milliseconds from trigger to trigger; `None` (the default): no periodic
    /// checkpoints. Shorter loses less work at a failure and costs more. Less than 1 counts as 1.
    pub interval_ms: Option<i64>,
    /// `execution.checkpointing.timeout`, default 10 minutes: a checkpoint that hasn't every acknowledgement by then is
    /// aborted. Writing the metadata isn't under it: storage bounds its own requests.
    pub timeout_ms: i64,
    /// `execution.checkpointing.min-pause`, default 0: at least so long from the end of one checkpoint (complete or
    /// failed) to the next periodic trigger.
    pub min_pause_ms: i64,
    /// `execution.checkpointing.max-concurrent-checkpoints`, default 1. Savepoints and the final checkpoint aren't held
    /// back by it, but count.
    pub max_concurrent: usize,
    /// `execution.checkpointing.tolerable-failed-checkpoints`, default 0: the job fails when more checkpoints than this
    /// fail without one completing in between.
    pub tolerable_failures: u32,
    /// Whether a job whose input ended takes one last checkpoint before it finishes, so that its last output commits.
    /// Default true. Flink's `execution.checkpointing.checkpoints-after-tasks-finish`; set it to false when the job has
    /// no checkpoint storage at all.
    pub final_checkpoint: bool,
    /// How many checkpoints the statistics remember, default 10. Flink's `web.checkpoints.history`.
    pub history_max: usize,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        CheckpointConfig {
            mode: CheckpointingMode::ExactlyOnce,
            interval_ms: None,
            timeout_ms: 600_000,
            min_pause_ms: 0,
            max_concurrent: 1,
            tolerable_failures: 0,
            final_checkpoint: true,
            history_max: 10,
        }
    }
}
