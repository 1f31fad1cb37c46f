//! Statistics: what became of the last checkpoints, for `/jobs/:id/checkpoints` and the command line.
//!
//! Plain data after Flink's `CheckpointStatsTracker`, `CheckpointStatsHistory` and `CheckpointStatsCounts`. Bounded:
//! the last N finished ones, and the latest of each sort however long ago.

use super::event::SubtaskMetrics;
use super::failure::FailureReason;
use super::task::TaskId;
use crate::barrier::CheckpointKind;
use millpond_core::CheckpointId;
use std::collections::{BTreeMap, VecDeque};

/// How far a checkpoint came. Flink's `CheckpointStatsStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckpointStatus {
    /// Under way.
    InProgress,
    /// Every task acknowledged and the metadata is stored.
    Completed,
    /// Aborted.
    Failed,
}

impl CheckpointStatus {
    /// As Flink's REST interface spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            CheckpointStatus::InProgress => "IN_PROGRESS",
            CheckpointStatus::Completed => "COMPLETED",
            CheckpointStatus::Failed => "FAILED",
        }
    }
}

/// One task's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubtaskStats {
    /// From the trigger to the acknowledgement, in milliseconds.
    pub ack_delay_ms: i64,
    /// As the task reported.
    pub metrics: SubtaskMetrics,
}

/// One checkpoint or savepoint in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointStats {
    /// The checkpoint.
    pub checkpoint: CheckpointId,
    /// Whose it is.
    pub kind: CheckpointKind,
    /// Whether it is the one that a bounded job ends with.
    pub is_final: bool,
    /// How far it came.
    pub status: CheckpointStatus,
    /// When it was triggered, in milliseconds since the epoch.
    pub trigger_ms: i64,
    /// When the last task acknowledged, in milliseconds since the trigger.
    pub latest_ack_ms: Option<i64>,
    /// From the trigger to the end (or until now), in milliseconds.
    pub end_to_end_ms: i64,
    /// How many tasks take part.
    pub subtasks: usize,
    /// Bytes of state that it holds.
    pub state_bytes: u64,
    /// Bytes written for it.
    pub checkpointed_bytes: u64,
    /// Bytes of records that were overtaken and stored.
    pub persisted_bytes: u64,
    /// Bytes of records that were processed during alignment.
    pub processed_bytes: u64,
    /// Whether barriers overtook records in any of its tasks.
    pub unaligned: bool,
    /// The tasks that acknowledged.
    pub tasks: BTreeMap<TaskId, SubtaskStats>,
    /// The external pointer, once completed.
    pub path: Option<String>,
    /// Why it failed.
    pub failure: Option<FailureReason>,
}

impl CheckpointStats {
    pub(super) fn acknowledge(&mut self, task: TaskId, stats: SubtaskStats) {
        self.latest_ack_ms = Some(stats.ack_delay_ms);
        self.state_bytes = self.state_bytes.saturating_add(stats.metrics.state_bytes);
        self.checkpointed_bytes = self
            .checkpointed_bytes
            .saturating_add(stats.metrics.checkpointed_bytes);
        let metrics = &stats.metrics;
        self.persisted_bytes = self.persisted_bytes.saturating_add(metrics.persisted_bytes);
        self.processed_bytes = self.processed_bytes.saturating_add(metrics.processed_bytes);
        self.unaligned |= metrics.unaligned;
        self.tasks.insert(task, stats);
    }
}

/// A restore in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoredStats {
    /// The checkpoint that the job continued from.
    pub checkpoint: CheckpointId,
    /// When, in milliseconds since the epoch.
    pub restored_ms: i64,
}

/// How many there were since the coordinator began. Flink's `CheckpointStatsCounts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckpointCounts {
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

/// Everything that the statistics know at one moment. Flink's `CheckpointStatsSnapshot`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckpointStatistics {
    /// How many there were.
    pub counts: CheckpointCounts,
    /// The last ones, newest (highest id) first, those under way among them.
    pub history: Vec<CheckpointStats>,
    /// The newest (highest id) completed one that is no savepoint.
    pub latest_completed: Option<CheckpointStats>,
    /// The newest completed savepoint.
    pub latest_savepoint: Option<CheckpointStats>,
    /// The last that failed.
    pub latest_failed: Option<CheckpointStats>,
    /// The latest restore.
    pub latest_restored: Option<RestoredStats>,
}

/// Collects the statistics of finished checkpoints.
#[derive(Clone, Debug)]
pub(super) struct History {
    max: usize,
    finished: VecDeque<CheckpointStats>,
    totals: CheckpointStatistics,
}

impl History {
    pub(super) fn new(max: usize) -> Self {
        History {
            max,
            finished: VecDeque::new(),
            totals: CheckpointStatistics::default(),
        }
    }

    pub(super) fn triggered(&mut self) {
        self.totals.counts.total += 1;
        self.totals.counts.in_progress += 1;
    }

    pub(super) fn restored(&mut self, restored: RestoredStats) {
        self.totals.counts.restored += 1;
        self.totals.latest_restored = Some(restored);
    }

    pub(super) fn finished(&mut self, stats: CheckpointStats) {
        let totals = &mut self.totals;
        totals.counts.in_progress = totals.counts.in_progress.saturating_sub(1);
        if stats.status == CheckpointStatus::Failed {
            totals.counts.failed += 1;
            totals.latest_failed = Some(stats.clone());
        } else {
            totals.counts.completed += 1;
            let latest = if stats.kind.is_savepoint() {
                &mut totals.latest_savepoint
            } else {
                &mut totals.latest_completed
            };
            // By number, as restores go: of two whose metadata is written at once, the older may be the last to end.
            if latest
                .as_ref()
                .is_none_or(|latest| latest.checkpoint < stats.checkpoint)
            {
                *latest = Some(stats.clone());
            }
        }
        self.finished.push_back(stats);
        while self.finished.len() > self.max {
            self.finished.pop_front();
        }
    }

    pub(super) fn statistics(
        &self,
        in_progress: impl Iterator<Item = CheckpointStats>,
    ) -> CheckpointStatistics {
        let mut all = self.totals.clone();
        all.history = in_progress.chain(self.finished.iter().cloned()).collect();
        all.history
            .sort_by_key(|stats| std::cmp::Reverse(stats.checkpoint));
        all
    }
}
