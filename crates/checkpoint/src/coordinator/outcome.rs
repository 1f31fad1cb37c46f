//! How a checkpoint ends: acknowledged by all and stored, or aborted; and how the job ends with it.

use super::command::{CoordinatorCommand, FinishReason};
use super::event::{StoredMetadata, SubtaskMetrics};
use super::failure::{FailureKind, FailureReason};
use super::history::CheckpointStatus;
use super::pending::Pending;
use super::task::TaskId;
use super::{CheckpointCoordinator, Commands, Phase};
use millpond_core::CheckpointId;
use std::collections::BTreeSet;

impl<S: Clone> CheckpointCoordinator<S> {
    pub(super) fn acknowledged(
        &mut self,
        checkpoint: CheckpointId,
        task: TaskId,
        state: S,
        metrics: SubtaskMetrics,
        out: &mut Commands<S>,
    ) {
        let is_ours = self.plan.tasks.contains(&task);
        let aborted = self.closed.is_aborted(checkpoint, self.next_checkpoint);
        match self.pending.get_mut(&checkpoint) {
            Some(pending) if is_ours => {
                let now = self.clock.now();
                let news = pending.acknowledge(task, state, metrics, now);
                if news && pending.states.len() == self.plan.tasks.len() {
                    pending.storing = true;
                    out.push(CoordinatorCommand::StoreMetadata {
                        checkpoint,
                        kind: pending.barrier.kind,
                        timestamp_ms: pending.barrier.timestamp_ms,
                        target: pending.target.clone(),
                        states: pending.states.clone(),
                    });
                }
            }
            // A stranger's state, or state of a checkpoint that was aborted before.
            Some(_) => out.push(CoordinatorCommand::DiscardState {
                checkpoint,
                task,
                state,
            }),
            None if aborted => out.push(CoordinatorCommand::DiscardState {
                checkpoint,
                task,
                state,
            }),
            None => {}
        }
    }

    pub(super) fn declined(
        &mut self,
        checkpoint: CheckpointId,
        task: TaskId,
        reason: FailureReason,
        out: &mut Commands<S>,
    ) {
        // A task that acknowledged has done its part; what it says later is about an earlier life of it.
        let counts = self
            .pending
            .get(&checkpoint)
            .is_some_and(|pending| !pending.states.contains_key(&task));
        if counts && self.plan.tasks.contains(&task) {
            let detail = format!("task={task} {}", reason.detail);
            self.abort_unless_storing(checkpoint, FailureReason { detail, ..reason }, out);
        }
    }

    pub(super) fn metadata_stored(
        &mut self,
        checkpoint: CheckpointId,
        result: Result<StoredMetadata, String>,
        out: &mut Commands<S>,
    ) {
        let Some(pending) = self.take(checkpoint, |pending| pending.storing) else {
            return;
        };
        match result {
            Ok(stored) => self.complete(pending, stored, out),
            Err(detail) => self.abort(pending, FailureReason::new(FailureKind::Metadata, detail), out),
        }
    }

    pub(super) fn abort_unless_storing(
        &mut self,
        checkpoint: CheckpointId,
        reason: FailureReason,
        out: &mut Commands<S>,
    ) {
        if let Some(pending) = self.take(checkpoint, |pending| !pending.storing) {
            self.abort(pending, reason, out);
        }
    }

    /// These tasks don't run from here on: gives up every checkpoint but those being stored.
    pub(super) fn go_down(&mut self, tasks: BTreeSet<TaskId>, reason: &FailureReason, out: &mut Commands<S>) {
        self.phase = Phase::Down { restore_asked: false };
        self.restarting.extend(tasks);
        let open: Vec<CheckpointId> = self.pending.keys().copied().collect();
        for checkpoint in open {
            self.abort_unless_storing(checkpoint, reason.clone(), out);
        }
    }

    /// The job ends here, for good or bad.
    pub(super) fn go_over(&mut self, reason: &FailureReason, out: &mut Commands<S>) {
        self.go_down(self.plan.tasks.clone(), reason, out);
        self.phase = Phase::Over;
    }

    /// The job comes to its good end.
    pub(super) fn finish(&mut self, reason: FinishReason, out: &mut Commands<S>) {
        self.go_over(&FailureReason::new(FailureKind::Shutdown, "finished"), out);
        out.push(CoordinatorCommand::FinishJob { reason });
    }

    fn take(
        &mut self,
        checkpoint: CheckpointId,
        condition: impl FnOnce(&Pending<S>) -> bool,
    ) -> Option<Pending<S>> {
        self.pending
            .get(&checkpoint)
            .is_some_and(condition)
            .then(|| self.pending.remove(&checkpoint))
            .flatten()
    }

    fn is_running(&self, pending: &Pending<S>) -> bool {
        self.phase == Phase::Running && pending.attempt == self.attempt
    }

    /// The tasks that took part and still run: they are told how the checkpoint ended.
    fn concerned(&self, pending: &Pending<S>) -> Vec<TaskId> {
        let runs = |task: &&TaskId| pending.attempt == self.attempt && !self.restarting.contains(task);
        self.plan.tasks.iter().filter(runs).copied().collect()
    }

    fn complete(&mut self, pending: Pending<S>, stored: StoredMetadata, out: &mut Commands<S>) {
        let checkpoint = pending.barrier.checkpoint;
        let kind = pending.barrier.kind;
        let is_running = self.is_running(&pending);
        self.close(
            &pending,
            CheckpointStatus::Completed,
            Some(stored.path.clone()),
            None,
        );
        self.closed.completed(checkpoint);
        self.failures.completed(checkpoint);
        if !kind.is_savepoint() {
            self.latest_completed = self.latest_completed.max(Some(checkpoint));
            self.subsume_before(checkpoint, out);
        }
        let commits = !kind.is_savepoint() || kind.is_stop();
        let tasks = self.concerned(&pending);
        if commits && !tasks.is_empty() {
            out.push(CoordinatorCommand::NotifyComplete { checkpoint, tasks });
        }
        let path = stored.path;
        if let Some(token) = pending.token {
            if kind.is_stop() && !is_running {
                let detail = format!("the savepoint was taken but the job had failed meanwhile, path={path}");
                let reason = FailureReason::new(FailureKind::JobFailover, detail);
                out.push(CoordinatorCommand::SavepointFailed {
                    token,
                    checkpoint: Some(checkpoint),
                    reason,
                });
            } else {
                out.push(CoordinatorCommand::SavepointDone {
                    token,
                    checkpoint,
                    path: path.clone(),
                });
            }
        }
        if is_running && kind.is_stop() {
            self.finish(FinishReason::Stopped { path }, out);
        } else if is_running && pending.is_final {
            self.finish(FinishReason::EndOfData, out);
        }
    }

    /// Older checkpoints have become pointless; savepoints never do, somebody waits for them.
    fn subsume_before(&mut self, completed: CheckpointId, out: &mut Commands<S>) {
        let older: Vec<CheckpointId> = self
            .pending
            .range(..completed)
            .filter(|(_, p)| !p.barrier.kind.is_savepoint())
            .map(|(id, _)| *id)
            .collect();
        for checkpoint in older {
            let reason = FailureReason::new(FailureKind::Subsumed, format!("checkpoint={completed}"));
            self.abort_unless_storing(checkpoint, reason, out);
        }
    }

    fn abort(&mut self, pending: Pending<S>, reason: FailureReason, out: &mut Commands<S>) {
        let checkpoint = pending.barrier.checkpoint;
        let kind = pending.barrier.kind;
        let is_running = self.is_running(&pending);
        self.close(&pending, CheckpointStatus::Failed, None, Some(reason.clone()));
        let tasks = self.concerned(&pending);
        if !tasks.is_empty() {
            out.push(CoordinatorCommand::NotifyAborted {
                checkpoint,
                tasks,
                latest_completed: self.latest_completed,
                reason: reason.clone(),
            });
        }
        let states = pending.states.into_iter().collect();
        out.push(CoordinatorCommand::DiscardCheckpoint { checkpoint, states });
        if let Some(token) = pending.token {
            let reason = reason.clone();
            out.push(CoordinatorCommand::SavepointFailed {
                token,
                checkpoint: Some(checkpoint),
                reason,
            });
        }
        if pending.is_final {
            self.schedule.final_failed(&self.config, self.clock.now());
        }
        if !is_running {
            return;
        }
        // Sources that sent a stop's barrier are silent for good (and, draining, have sent the largest watermark), so
        // as in Flink only a restart brings the job back. If the storage failed, no source was told.
        let is_stuck = kind.is_stop() && reason.kind != FailureKind::Storage;
        let too_many = !kind.is_savepoint()
            && self
                .failures
                .failed(checkpoint, reason.kind, self.config.tolerable_failures);
        if is_stuck || too_many {
            let why = FailureReason::new(FailureKind::JobFailover, reason.to_string());
            self.go_down(self.plan.tasks.clone(), &why, out);
            out.push(CoordinatorCommand::FailJob { reason });
        }
    }

    fn close(
        &mut self,
        pending: &Pending<S>,
        status: CheckpointStatus,
        path: Option<String>,
        failure: Option<FailureReason>,
    ) {
        let now = self.clock.now();
        let mut stats = pending.stats.clone();
        stats.status = status;
        stats.end_to_end_ms = now.saturating_sub(pending.triggered_at);
        stats.path = path;
        stats.failure = failure;
        self.history.finished(stats);
        self.schedule.ended(&self.config, now);
    }
}
