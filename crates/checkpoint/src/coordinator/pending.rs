//! A checkpoint between its trigger and its end. Flink's `PendingCheckpoint`.

use super::event::{SavepointToken, SubtaskMetrics};
use super::history::{CheckpointStats, SubtaskStats};
use super::task::TaskId;
use crate::barrier::CheckpointBarrier;
use std::collections::BTreeMap;

/// What is known of a checkpoint under way.
#[derive(Clone, Debug)]
pub(super) struct Pending<S> {
    pub(super) barrier: CheckpointBarrier,
    /// The one that a bounded job ends with.
    pub(super) is_final: bool,
    pub(super) token: Option<SavepointToken>,
    pub(super) target: Option<String>,
    /// The attempt whose tasks take part.
    pub(super) attempt: u32,
    pub(super) triggered_at: i64,
    pub(super) expires_at: i64,
    pub(super) states: BTreeMap<TaskId, S>,
    /// Whether every task acknowledged and the metadata is being written: only storage's answer ends it now.
    pub(super) storing: bool,
    pub(super) stats: CheckpointStats,
}

impl<S> Pending<S> {
    /// Takes in an acknowledgement; `false` when the task had acknowledged before.
    pub(super) fn acknowledge(&mut self, task: TaskId, state: S, metrics: SubtaskMetrics, now: i64) -> bool {
        if self.states.contains_key(&task) {
            return false;
        }
        self.states.insert(task, state);
        let ack_delay_ms = now.saturating_sub(self.triggered_at);
        self.stats.acknowledge(
            task,
            SubtaskStats {
                ack_delay_ms,
                metrics,
            },
        );
        true
    }
}
