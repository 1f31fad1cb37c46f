//! Carries out what the checkpoint coordinator decides.

use super::Master;
use super::end::stopped_with;
use super::event::MasterEvent;
use super::failover::Phase;
use super::handle::SavepointInfo;
use super::storage::{self, TaskStates};
use crate::task::{SubtaskReport, TaskControl};
use millpond_checkpoint::barrier::{CheckpointBarrier, CheckpointKind};
use millpond_checkpoint::coordinator::{
    CoordinatorCommand, CoordinatorEvent, FailureReason, StoredMetadata, TaskId,
};
use millpond_checkpoint::metadata::{PostCheckpointAction, SnapshotType};
use millpond_checkpoint::result_store::JobStatus as EndStatus;
use millpond_checkpoint::storage::CompletedCheckpoint;
use millpond_core::{CheckpointId, Error, ErrorKind, Result};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Late acknowledgements of checkpoints older than this many are not expected any more.
const LATE_CHECKPOINTS: u64 = 1000;

impl Master {
    /// Tells the coordinator what happened and carries out its commands, and those that follow from them.
    pub(super) fn tell_coordinator(&mut self, event: CoordinatorEvent<TaskStates>) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for command in self.coordinator.handle(event, self.now()) {
                events.extend(self.carry_out(command));
            }
        }
    }

    fn carry_out(&mut self, command: CoordinatorCommand<TaskStates>) -> Option<CoordinatorEvent<TaskStates>> {
        match command {
            CoordinatorCommand::TriggerSources {
                barrier,
                sources,
                target,
            } => {
                return self.trigger(barrier, &sources, target.as_deref());
            }
            CoordinatorCommand::StoreMetadata {
                checkpoint,
                kind,
                states,
                ..
            } => self.store(checkpoint, kind, states),
            CoordinatorCommand::NotifyComplete { checkpoint, tasks } => {
                self.executions
                    .send(&tasks, &TaskControl::NotifyComplete(checkpoint));
            }
            CoordinatorCommand::NotifyAborted {
                checkpoint,
                tasks,
                reason,
                ..
            } => {
                tracing::warn!(job = %self.graph.job_id, checkpoint, %reason, "checkpoint failed");
                self.executions
                    .send(&tasks, &TaskControl::NotifyAborted(checkpoint));
            }
            CoordinatorCommand::DiscardCheckpoint { checkpoint, states } => self.discard(checkpoint, &states),
            CoordinatorCommand::DiscardState {
                checkpoint, state, ..
            } => self.discard_late(checkpoint, &state),
            CoordinatorCommand::SavepointDone {
                token,
                checkpoint,
                path,
            } => {
                self.answer(token, Ok(SavepointInfo { checkpoint, path }));
            }
            CoordinatorCommand::SavepointFailed { token, reason, .. } => {
                self.answer(token, Err(savepoint_failed(&reason)));
            }
            CoordinatorCommand::FailJob { reason } => self.failed(None, too_many_failures(&reason)),
            CoordinatorCommand::MayRestore => self.phase.may_restore(),
            CoordinatorCommand::FinishJob { reason } => {
                self.phase = Phase::Finishing(reason);
                self.executions.send_all(&TaskControl::Finish);
            }
        }
        None
    }

    fn trigger(
        &mut self,
        barrier: CheckpointBarrier,
        sources: &[TaskId],
        target: Option<&str>,
    ) -> Option<CoordinatorEvent<TaskStates>> {
        let checkpoint = barrier.checkpoint;
        let location = match (barrier.kind, target) {
            (CheckpointKind::Checkpoint, _) | (_, None) => self.storage.new_checkpoint(checkpoint),
            (_, Some(target)) => self.storage.new_savepoint(target),
        };
        match location {
            Ok(location) => {
                let kind = kind_name(barrier.kind);
                tracing::info!(job = %self.graph.job_id, checkpoint, kind, "checkpoint triggered");
                self.locations.insert(checkpoint, location);
                let oldest = checkpoint.saturating_sub(LATE_CHECKPOINTS);
                self.locations.forget_before(oldest);
                self.given_up = self.given_up.split_off(&oldest);
                self.executions
                    .send(sources, &TaskControl::TriggerCheckpoint(barrier));
                None
            }
            Err(e) => {
                tracing::warn!(job = %self.graph.job_id, checkpoint, reason = %e.report(), "checkpoint could not be started");
                if e.kind() == ErrorKind::Fenced {
                    self.failed(None, e);
                    return None;
                }
                Some(CoordinatorEvent::StorageFailed {
                    checkpoint,
                    detail: e.report(),
                })
            }
        }
    }

    pub(super) fn acknowledged(&mut self, task: TaskId, report: SubtaskReport) {
        self.tell_coordinator(CoordinatorEvent::Acknowledge {
            checkpoint: report.checkpoint,
            task,
            state: report.operators,
            metrics: report.metrics,
        });
    }

    /// Writes the metadata beside the master: `Stored` tells how it went.
    fn store(
        &mut self,
        checkpoint: CheckpointId,
        kind: CheckpointKind,
        states: BTreeMap<TaskId, TaskStates>,
    ) {
        let Some(location) = self.locations.get(checkpoint) else {
            let result = Err(
                Error::illegal_state("commit checkpoint", "its place is not known")
                    .with("checkpoint", checkpoint),
            );
            let _ = self.sender.send(MasterEvent::Stored { checkpoint, result });
            return;
        };
        let (graph, retention, sender) = (
            Arc::clone(&self.graph),
            self.settings.retention,
            self.sender.clone(),
        );
        self.executor.execute(Box::new(move || {
            let metadata = storage::metadata(&graph, checkpoint, kind, retention, states);
            let result = location.commit(&metadata).map(Box::new);
            let _ = sender.send(MasterEvent::Stored { checkpoint, result });
        }));
    }

    pub(super) fn stored(&mut self, checkpoint: CheckpointId, result: Result<Box<CompletedCheckpoint>>) {
        let completed = match result {
            Ok(completed) => completed,
            Err(e) => {
                let result = Err(e.report());
                if e.kind() == ErrorKind::Fenced {
                    self.failed(None, e);
                }
                return self.tell_coordinator(CoordinatorEvent::MetadataStored { checkpoint, result });
            }
        };
        // While tasks are being stopped for another reason, the coordinator lets the stop fail: the job goes on, or ends otherwise.
        let is_overtaken = matches!(
            self.phase,
            Phase::Restarting(_) | Phase::Stopping(_) | Phase::Over
        );
        if !is_overtaken && let Err(e) = self.mark_stopped(&completed) {
            return self.give_up("whether it was stopped is not on record", e);
        }
        let stored = StoredMetadata {
            path: completed.location().uri().to_string(),
            bytes: completed.metadata_bytes(),
        };
        let (bytes, path) = (
            completed.metadata().checkpointed_size(),
            completed.location().display(),
        );
        self.store.add(*completed);
        let result = Ok(stored);
        self.tell_coordinator(CoordinatorEvent::MetadataStored { checkpoint, result });
        let statistics = self.coordinator.statistics();
        let stats = statistics.history.iter().find(|c| c.checkpoint == checkpoint);
        let duration_ms = stats.map(|c| c.end_to_end_ms);
        let bytes_per_second = duration_ms.and_then(|ms| {
            bytes
                .saturating_mul(1000)
                .checked_div(u64::try_from(ms).unwrap_or(0))
        });
        tracing::info!(job = %self.graph.job_id, checkpoint, bytes, duration_ms, bytes_per_second, %path, "checkpoint complete");
    }

    /// A job that stops with a savepoint is over from the moment that the savepoint exists: its last output is committed with it.
    /// Marked as such before anybody is told, or a process killed now and started again would go back to the last checkpoint
    /// and write that output a second time.
    ///
    /// # Errors
    /// When the mark could not be set, or may not have been: then only a new start finds out where the job stands, and nothing may be
    /// committed before.
    fn mark_stopped(&self, completed: &CompletedCheckpoint) -> Result<()> {
        let action = completed.metadata().properties.as_ref().map(|p| p.snapshot_type);
        let stops = matches!(action, Some(SnapshotType::Savepoint { action, .. }) if action != PostCheckpointAction::None);
        if !stops {
            return Ok(());
        }
        let savepoint = completed.location().uri();
        let record = self.job_result(EndStatus::Finished, Some(stopped_with(savepoint)));
        self.storage.write_job_result(&record).map_err(|e| {
            e.with("savepoint", savepoint)
                .hint("start the job again: it goes on, or says that it was stopped with this savepoint")
        })
    }

    fn discard(&mut self, checkpoint: CheckpointId, states: &[(TaskId, TaskStates)]) {
        let Some(location) = self.locations.get(checkpoint) else {
            return;
        };
        self.given_up.insert(checkpoint);
        self.store.abort(checkpoint, &location);
        for (_, state) in states.iter().flat_map(|(_, state)| state) {
            self.store.discard_late(&location, state);
        }
    }

    /// Deletes what came for a checkpoint after it was given up. Its folder goes again, since the late files brought it back.
    pub(super) fn discard_late(&mut self, checkpoint: CheckpointId, state: &TaskStates) {
        if !self.given_up.contains(&checkpoint) {
            return;
        }
        let Some(location) = self.locations.get(checkpoint) else {
            return;
        };
        // Also where a file was written but no state came of it.
        self.store.abort(checkpoint, &location);
        for (_, state) in state {
            self.store.discard_late(&location, state);
        }
    }

    fn answer(&mut self, token: u64, answer: Result<SavepointInfo>) {
        if let Some(waiting) = self.savepoints.remove(&token) {
            // Whoever asked may have gone.
            let _ = waiting.send(answer);
        }
    }
}

fn kind_name(kind: CheckpointKind) -> &'static str {
    match kind {
        CheckpointKind::Checkpoint => "checkpoint",
        CheckpointKind::Savepoint(_) => "savepoint",
        CheckpointKind::Stop { .. } => "stop with savepoint",
    }
}

fn savepoint_failed(reason: &FailureReason) -> Error {
    Error::new(ErrorKind::Io, "take savepoint", reason.to_string())
        .hint("the job goes on as before unless it says otherwise; mend the cause and ask again")
}

fn too_many_failures(reason: &FailureReason) -> Error {
    Error::new(ErrorKind::Io, "take checkpoint", reason.to_string()).hint(
        "more checkpoints failed in a row than execution.checkpointing.tolerable-failed-checkpoints allows",
    )
}
