//! How a job's attempt comes to its end, and what follows: another attempt, failure for good, cancellation.

use super::restart::RestartDecision;
use super::settings::millis;
use super::status::JobStatus;
use super::{Master, cancel_tasks, new_coordinator, start};
use millpond_checkpoint::coordinator::{CoordinatorEvent, FinishReason};
use millpond_core::{Error, ErrorKind};

/// Where the job stands between two events.
pub(super) enum Phase {
    /// The tasks of an attempt are opening.
    Starting,
    /// All tasks run.
    Running,
    /// All tasks were told to finish.
    Finishing(FinishReason),
    /// The tasks are being stopped, for what comes after.
    Stopping(AfterStop),
    /// The job has ended.
    Over,
}

/// What comes after the tasks were stopped.
pub(super) enum AfterStop {
    /// Another attempt, at this time, once nothing is being stored any more.
    Restart { at_ms: i64, may_restore: bool },
    /// Nothing: the job failed for good.
    Fail(Error),
    /// Nothing: the job was cancelled.
    Cancel,
}

impl Phase {
    /// Whether it is right that tasks end now.
    pub(super) fn expects_ends(&self) -> bool {
        matches!(self, Phase::Finishing(_) | Phase::Stopping(_) | Phase::Over)
    }

    pub(super) fn deadline_ms(&self) -> Option<i64> {
        match self {
            Phase::Stopping(AfterStop::Restart { at_ms, .. }) => Some(*at_ms),
            _ => None,
        }
    }

    pub(super) fn may_restore(&mut self) {
        if let Phase::Stopping(AfterStop::Restart { may_restore, .. }) = self {
            *may_restore = true;
        }
    }
}

impl Master {
    /// Something failed that the job can't go on after: stops the tasks, and asks the restart strategy what comes then.
    pub(super) fn job_failed(&mut self, error: Error) {
        let now_ms = self.clock.now_ms();
        if matches!(self.phase, Phase::Stopping(_) | Phase::Over) {
            // The first failure counts; what breaks while the tasks are being stopped follows from it.
            return;
        }
        if let Phase::Finishing(FinishReason::Stopped { path }) = &self.phase {
            // The savepoint is where the job goes on; going back to an older checkpoint would repeat what it committed.
            let error = error
                .with("savepoint", path)
                .hint("start from the savepoint: it commits what could not be committed now");
            self.view.failed(now_ms, error.report());
            self.phase = Phase::Stopping(AfterStop::Fail(error));
            cancel_tasks(self.attempt.as_ref());
            return;
        }
        let finishing = matches!(self.phase, Phase::Finishing(_));
        self.view.failed(now_ms, error.report());
        let decision = if can_be_tried_again(&error) {
            self.restart.failed(now_ms)
        } else {
            RestartDecision::GiveUp("trying again would not help".to_string())
        };
        match decision {
            RestartDecision::RestartAfter(delay) => {
                tracing::warn!(job = %self.graph.job_id, ?delay, reason = %error.report(), "the job failed and will be restarted");
                self.set_status(JobStatus::Restarting);
                self.phase = Phase::Stopping(AfterStop::Restart {
                    at_ms: now_ms.saturating_add(millis(delay)),
                    may_restore: finishing,
                });
                if finishing {
                    // The coordinator took leave with the last checkpoint; that checkpoint is what the next attempt starts from.
                    let next = self.coordinator.next_checkpoint();
                    self.coordinator = new_coordinator(&self.graph, &self.settings, next);
                } else {
                    self.tell_coordinator(CoordinatorEvent::JobRestarting {
                        reason: error.report(),
                    });
                }
            }
            RestartDecision::GiveUp(why) => {
                tracing::error!(job = %self.graph.job_id, %why, reason = %error.report(), "the job failed for good");
                self.set_status(JobStatus::Failing);
                let reason = error.report();
                self.phase = Phase::Stopping(AfterStop::Fail(error));
                self.tell_coordinator(CoordinatorEvent::Shutdown { reason });
            }
        }
        cancel_tasks(self.attempt.as_ref());
    }

    pub(super) fn cancel(&mut self) {
        if matches!(
            self.phase,
            Phase::Stopping(AfterStop::Fail(_) | AfterStop::Cancel) | Phase::Over
        ) {
            return;
        }
        self.set_status(JobStatus::Cancelling);
        self.phase = Phase::Stopping(AfterStop::Cancel);
        self.tell_coordinator(CoordinatorEvent::Shutdown {
            reason: "the job was cancelled".to_string(),
        });
        cancel_tasks(self.attempt.as_ref());
    }

    /// Goes on where the phase waits for the ends of tasks or for a time.
    pub(super) fn advance_phase(&mut self) {
        let over = self.attempt.as_ref().is_none_or(super::Attempt::is_over);
        let now_ms = self.clock.now_ms();
        let ready = match &self.phase {
            Phase::Stopping(AfterStop::Restart { at_ms, may_restore }) => {
                over && *may_restore && now_ms >= *at_ms
            }
            Phase::Stopping(_) | Phase::Finishing(_) => over,
            Phase::Starting | Phase::Running | Phase::Over => false,
        };
        if !ready {
            return;
        }
        if let Some(mut attempt) = self.attempt.take() {
            attempt.join();
        }
        match std::mem::replace(&mut self.phase, Phase::Starting) {
            Phase::Finishing(reason) => self.end(Ok(reason)),
            Phase::Stopping(AfterStop::Restart { .. }) => self.restart_job(),
            Phase::Stopping(after) => self.end(Err(after)),
            other => self.phase = other,
        }
    }

    fn restart_job(&mut self) {
        self.view.restarted();
        // Looked for anew rather than remembered: what is on the disk now is what can be restored.
        match start::find(&self.storage, &self.settings) {
            Ok(found) => {
                self.store = found.store;
                self.snapshot = found.snapshot.map(|s| (s, found.recovered));
                self.deploy();
            }
            Err(error) => self.job_failed(error),
        }
    }
}

/// Whether another attempt could go better: not if the snapshot is damaged or doesn't fit, or an option is wrong.
fn can_be_tried_again(error: &Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::Config | ErrorKind::Incompatible | ErrorKind::Corrupt | ErrorKind::Unsupported
    )
}
