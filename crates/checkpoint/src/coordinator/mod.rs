//! The checkpoint coordinator: when a checkpoint is taken, whether it is complete, and what happens when it isn't.
//!
//! One pure state machine a job, after Flink's `CheckpointCoordinator`, `CheckpointRequestDecider`,
//! `CheckpointFailureManager` and `StopWithSavepointTerminationManager`: events and the time ([`Now`]) go in,
//! commands come out. It does no I/O, reads no clock, draws nothing at random and knows no thread; whoever drives it
//! does. It doesn't know what state is either: a task's `S` passes through.
//!
//! Rules that differ from Flink's, and why:
//! - Every task stays alive until the final checkpoint, so a checkpoint always needs all of them.
//! - Metadata that is being written is never abandoned: its outcome is awaited even when the job restarts
//!   ([`CoordinatorCommand::MayRestore`]), or a checkpoint could come into being after a restore passed it by.
//! - An acknowledgement that arrives twice never deletes state of a completed checkpoint (`closed`).
//! - The first periodic checkpoint is due after one interval; Flink draws a random moment.
//! - The pause runs from the end of failed checkpoints, too, so a broken storage isn't hammered.

mod advance;
mod closed;
mod command;
mod config;
mod event;
mod failure;
mod history;
mod outcome;
mod pending;
mod schedule;
mod task;
#[cfg(test)]
mod tests;

pub use command::{CoordinatorCommand, FinishReason};
pub use config::CheckpointConfig;
pub use event::{CoordinatorEvent, SavepointToken, StoredMetadata, SubtaskMetrics};
pub use failure::{FailureKind, FailureReason};
pub use history::{
    CheckpointCounts, CheckpointStatistics, CheckpointStats, CheckpointStatus, RestoredStats, SubtaskStats,
};
pub use schedule::Now;
pub use task::{CheckpointPlan, TaskId};

use closed::Closed;
use failure::FailureCounter;
use history::History;
use millpond_core::CheckpointId;
use pending::Pending;
use schedule::{Schedule, SteadyClock};
use std::collections::{BTreeMap, BTreeSet};

/// The coordinator of one job.
///
/// # Contract
/// Commands are carried out in the order given. Of the driver it is trusted that `StoreMetadata` is answered exactly
/// once, that `StorageFailed` comes instead of triggering the sources, and that between `JobRestarting` and
/// `MayRestore` no restore point is chosen. Everything else may come late, twice, in any order or never.
///
/// ```
/// use millpond_checkpoint::coordinator::*;
///
/// let task = TaskId { vertex: 0, subtask: 0 };
/// let config = CheckpointConfig { interval_ms: Some(500), ..CheckpointConfig::default() };
/// let mut coordinator = CheckpointCoordinator::<&str>::new(config, CheckpointPlan::new([task], []), 1);
///
/// coordinator.handle(CoordinatorEvent::JobStarted { attempt: 0, restored: None }, 10_000);
/// assert_eq!(coordinator.next_deadline_ms(), Some(10_500));
/// let commands = coordinator.handle(CoordinatorEvent::Tick, 10_500);
/// assert!(matches!(commands[..], [CoordinatorCommand::TriggerSources { .. }]));
///
/// let metrics = SubtaskMetrics::default();
/// let acknowledge = CoordinatorEvent::Acknowledge { checkpoint: 1, task, state: "offset 42", metrics };
/// let commands = coordinator.handle(acknowledge, 10_510);
/// assert!(matches!(commands[..], [CoordinatorCommand::StoreMetadata { checkpoint: 1, .. }]));
/// ```
#[derive(Clone, Debug)]
pub struct CheckpointCoordinator<S> {
    config: CheckpointConfig,
    plan: CheckpointPlan,
    clock: SteadyClock,
    phase: Phase,
    attempt: u32,
    next_checkpoint: CheckpointId,
    latest_completed: Option<CheckpointId>,
    pending: BTreeMap<CheckpointId, Pending<S>>,
    schedule: Schedule,
    failures: FailureCounter,
    ended: BTreeSet<TaskId>,
    /// Tasks that aren't running: all before the first start, and those that are restarted.
    restarting: BTreeSet<TaskId>,
    /// Sources that work off a backlog.
    in_backlog: BTreeSet<TaskId>,
    closed: Closed,
    history: History,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not every task runs: before the first start, and between a failure and the next start.
    Down {
        /// Whether `MayRestore` is owed as soon as nothing is being stored.
        restore_asked: bool,
    },
    Running,
    /// Finished, cancelled or failed for good.
    Over,
}

type Commands<S> = Vec<CoordinatorCommand<S>>;

impl<S: Clone> CheckpointCoordinator<S> {
    /// A coordinator for a job over `plan` whose first checkpoint gets the id `first_checkpoint` (at least 1): one more
    /// than any that the job's folder has ever seen.
    pub fn new(config: CheckpointConfig, plan: CheckpointPlan, first_checkpoint: CheckpointId) -> Self {
        let first_checkpoint = first_checkpoint.max(1);
        CheckpointCoordinator {
            history: History::new(config.history_max),
            config,
            restarting: plan.tasks.clone(),
            plan,
            clock: SteadyClock::default(),
            phase: Phase::Down { restore_asked: false },
            attempt: 0,
            next_checkpoint: first_checkpoint,
            latest_completed: None,
            pending: BTreeMap::new(),
            schedule: Schedule::default(),
            failures: FailureCounter::default(),
            ended: BTreeSet::new(),
            in_backlog: BTreeSet::new(),
            closed: Closed::new(first_checkpoint),
        }
    }

    /// Takes in one event and answers what to do.
    pub fn handle(&mut self, event: CoordinatorEvent<S>, now: impl Into<Now>) -> Vec<CoordinatorCommand<S>> {
        self.clock.advance(now.into());
        let mut out = Vec::new();
        match event {
            CoordinatorEvent::JobStarted { attempt, restored } => self.job_started(attempt, restored),
            CoordinatorEvent::Tick => {}
            CoordinatorEvent::TriggerSavepoint { token, kind, target } => {
                self.savepoint_requested(token, kind, target, &mut out);
            }
            CoordinatorEvent::Acknowledge {
                checkpoint,
                task,
                state,
                metrics,
            } => {
                self.acknowledged(checkpoint, task, state, metrics, &mut out);
            }
            CoordinatorEvent::Decline {
                checkpoint,
                task,
                reason,
            } => {
                self.declined(checkpoint, task, reason, &mut out);
            }
            CoordinatorEvent::StorageFailed { checkpoint, detail } => {
                let reason = FailureReason::new(FailureKind::Storage, detail);
                self.abort_unless_storing(checkpoint, reason, &mut out);
            }
            CoordinatorEvent::MetadataStored { checkpoint, result } => {
                self.metadata_stored(checkpoint, result, &mut out);
            }
            CoordinatorEvent::TaskReachedEndOfData { attempt, task } => {
                if attempt == self.attempt && self.plan.tasks.contains(&task) {
                    self.ended.insert(task);
                }
            }
            CoordinatorEvent::ProcessingBacklog {
                attempt,
                task,
                in_backlog,
            } => {
                if attempt == self.attempt && self.phase == Phase::Running {
                    self.backlog(task, in_backlog);
                }
            }
            CoordinatorEvent::JobRestarting { reason } => {
                self.restarting(self.plan.tasks.clone(), reason, &mut out);
            }
            CoordinatorEvent::TasksRestarting { tasks, reason } => self.restarting(tasks, reason, &mut out),
            CoordinatorEvent::Shutdown { reason } => {
                let reason = FailureReason::new(FailureKind::Shutdown, reason);
                self.go_over(&reason, &mut out);
            }
        }
        self.advance(&mut out);
        out
    }

    /// When the coordinator wants a `Tick` if nothing else happens, by the steady clock. Ask again after each event.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        self.next_deadline()
    }

    /// The id that the next checkpoint will get.
    pub fn next_checkpoint(&self) -> CheckpointId {
        self.next_checkpoint
    }

    /// The newest checkpoint (no savepoint) that completed, or that the job was restored from.
    pub fn latest_completed(&self) -> Option<CheckpointId> {
        self.latest_completed
    }

    /// What became of the last checkpoints.
    pub fn statistics(&self) -> CheckpointStatistics {
        let now = self.clock.now();
        self.history.statistics(self.pending.values().map(|pending| {
            let mut stats = pending.stats.clone();
            stats.end_to_end_ms = now.saturating_sub(pending.triggered_at);
            stats
        }))
    }

    fn job_started(&mut self, attempt: u32, restored: Option<CheckpointId>) {
        if self.phase == Phase::Over {
            return;
        }
        self.phase = Phase::Running;
        self.attempt = attempt;
        let restarted = std::mem::take(&mut self.restarting);
        self.ended.retain(|task| !restarted.contains(task));
        self.in_backlog.retain(|task| !restarted.contains(task));
        if let Some(checkpoint) = restored {
            self.next_checkpoint = self.next_checkpoint.max(checkpoint.saturating_add(1));
            self.latest_completed = Some(checkpoint);
            let restored_ms = self.clock.wall_ms();
            self.history.restored(RestoredStats {
                checkpoint,
                restored_ms,
            });
        }
        let interval = self.config.interval_ms(!self.in_backlog.is_empty());
        self.schedule.start(interval, self.clock.now());
    }

    fn backlog(&mut self, task: TaskId, in_backlog: bool) {
        let before = self.in_backlog.is_empty();
        if in_backlog {
            self.in_backlog.insert(task);
        } else {
            self.in_backlog.remove(&task);
        }
        if before != self.in_backlog.is_empty() {
            let interval = self.config.interval_ms(!self.in_backlog.is_empty());
            self.schedule.interval_changed(interval, self.clock.now());
        }
    }

    fn restarting(&mut self, tasks: BTreeSet<TaskId>, reason: String, out: &mut Commands<S>) {
        if self.phase == Phase::Over {
            return;
        }
        let reason = FailureReason::new(FailureKind::JobFailover, reason);
        self.go_down(tasks, &reason, out);
        self.phase = Phase::Down { restore_asked: true };
    }
}
