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
    /// `execution.checkpointing.interval-during-backlog`, in milliseconds, instead of `interval_ms` while a source reports
    /// that it works off a backlog; 0: no periodic checkpoints then; `None` (the default): no difference.
    pub interval_during_backlog_ms: Option<i64>,
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
    /// Default true; set it to false when the job has no checkpoint storage at all.
    pub final_checkpoint: bool,
    /// Whether periodic checkpoints are still taken when some tasks have read all their input. Default true. Flink's
    /// `execution.checkpointing.checkpoints-after-tasks-finish`, which is `final_checkpoint` as well.
    pub checkpoints_after_tasks_finish: bool,
    /// Whether barriers overtake records that wait in channels, which become part of the checkpoint: a checkpoint then takes
    /// the same time under backpressure as without, and is larger. `execution.checkpointing.unaligned.enabled`, default
    /// false; ignored in at-least-once mode.
    pub unaligned: bool,
    /// `execution.checkpointing.aligned-checkpoint-timeout`, default 0: with `unaligned`, barriers overtake only when the
    /// checkpoint is older than so many milliseconds; 0: at once.
    pub aligned_timeout_ms: i64,
    /// How many checkpoints the statistics remember, default 10. Flink's `web.checkpoints.history`.
    pub history_max: usize,
}

impl CheckpointConfig {
    /// The time from trigger to trigger, in milliseconds; `None`: no periodic checkpoints.
    pub(super) fn interval_ms(&self, in_backlog: bool) -> Option<i64> {
        let interval = self.interval_ms.map(|interval| interval.max(1));
        match self.interval_during_backlog_ms {
            Some(0) if in_backlog => None,
            Some(during) if in_backlog => interval.map(|interval| interval.max(during)),
            _ => interval,
        }
    }
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        CheckpointConfig {
            mode: CheckpointingMode::ExactlyOnce,
            interval_ms: None,
            interval_during_backlog_ms: None,
            timeout_ms: 600_000,
            min_pause_ms: 0,
            max_concurrent: 1,
            tolerable_failures: 0,
            final_checkpoint: true,
            checkpoints_after_tasks_finish: true,
            unaligned: false,
            aligned_timeout_ms: 0,
            history_max: 10,
        }
    }
}
