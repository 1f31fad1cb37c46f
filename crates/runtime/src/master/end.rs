//! The end of a job: what its last threads still bring is taken in, its result is recorded, its checkpoints are kept or deleted.

use super::event::MasterEvent;
use super::failover::{AfterStop, Phase};
use super::{JobExecutionResult, JobStatus, Master};
use crate::task::{TaskEvent, TaskEventKind};
use millpond_checkpoint::coordinator::FinishReason;
use millpond_checkpoint::result_store::{JobResult, JobStatus as EndStatus};
use millpond_core::Error;

impl Master {
    pub(super) fn job_result(&self, status: EndStatus, message: Option<String>) -> JobResult {
        JobResult {
            job_id: self.graph.job_id,
            name: self.graph.name.clone(),
            status,
            end_time_ms: self.clock.now_ms(),
            message,
        }
    }

    /// Every task is over and the job with it.
    pub(super) fn end(&mut self, outcome: std::result::Result<FinishReason, AfterStop>) {
        let (status, end, message, result) = match outcome {
            Ok(FinishReason::EndOfData) => (JobStatus::Finished, EndStatus::Finished, None, Ok(None)),
            Ok(FinishReason::Stopped { path }) => {
                let message = stopped_with(&path);
                (
                    JobStatus::Finished,
                    EndStatus::Finished,
                    Some(message),
                    Ok(Some(path)),
                )
            }
            // To the storage a failed job is one that goes on when it is started again: there is no cluster that would hold
            // its state for it, and whatever was wrong, its checkpoints are what it comes back from.
            Err(AfterStop::Fail(error)) => (
                JobStatus::Failed,
                EndStatus::Suspended,
                Some(error.report()),
                Err(error),
            ),
            Err(AfterStop::Cancel) => {
                let error = Error::cancelled("run job").with("job", self.graph.job_id);
                (JobStatus::Canceled, EndStatus::Canceled, None, Err(error))
            }
        };
        self.executions.join(&self.regions.all());
        self.executor.close();
        self.take_in_late_snapshots();
        let record = self.job_result(end, message);
        let stored = self.store.shutdown(&record, self.settings.retention);
        self.storage.close();
        self.set_status(status);
        self.view.set_checkpoints(self.coordinator.statistics());
        self.phase = Phase::Over;
        let details = self.view.details();
        self.view.end(result.and_then(|savepoint| {
            stored.map(|()| JobExecutionResult {
                job_id: details.job_id,
                name: details.name.clone(),
                net_runtime_ms: details.duration_ms,
                savepoint,
                details,
                already_finished: None,
            })
        }));
    }

    /// Snapshot threads may have written for checkpoints that the job's end gave up, and metadata may have been stored
    /// meanwhile: what they handed in is deleted or kept as before the end. Nobody else is heard any more.
    fn take_in_late_snapshots(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            match event {
                MasterEvent::Stored { checkpoint, result } => self.stored(checkpoint, result),
                MasterEvent::Task(TaskEvent {
                    kind: TaskEventKind::Acknowledge(report),
                    task,
                    ..
                }) => self.acknowledged(task, *report),
                MasterEvent::Task(TaskEvent {
                    kind:
                        TaskEventKind::Unwanted {
                            checkpoint_id,
                            operators,
                        },
                    ..
                }) => self.discard_late(checkpoint_id, &operators),
                MasterEvent::Task(_) | MasterEvent::Request(_) | MasterEvent::ClockMoved => {}
            }
        }
    }
}

pub(super) fn stopped_with(savepoint: &str) -> String {
    format!("it was stopped with the savepoint {savepoint}")
}
