//! How tasks come to their end and what follows: a restart of some or all, failure for good, cancellation. The rules are in
//! `docs/failure-handling.md`.

use super::restart::RestartDecision;
use super::settings::millis;
use super::status::JobStatus;
use super::{Master, new_coordinator, start};
use crate::task::TaskControl;
use millpond_checkpoint::coordinator::{CoordinatorEvent, FinishReason, TaskId};
use millpond_core::config::options::FailoverStrategyKind;
use millpond_core::{Error, ErrorKind};
use std::collections::BTreeSet;
use std::time::Duration;

/// Where the job stands between two events.
pub(super) enum Phase {
    /// Tasks are opening, all or those that were restarted.
    Starting,
    /// All tasks run.
    Running,
    /// All tasks were told to finish.
    Finishing(FinishReason),
    /// Some tasks, or all, are being stopped to be started again.
    Restarting(Restart),
    /// All tasks are being stopped, and the job with them.
    Stopping(AfterStop),
    /// The job has ended.
    Over,
}

/// A restart that is due.
pub(super) struct Restart {
    /// The tasks that it concerns; the others run on.
    tasks: BTreeSet<TaskId>,
    /// When, by the steady clock.
    due_ms: i64,
    /// Whether nothing is being stored any more.
    may_restore: bool,
}

/// What comes after the tasks were stopped.
pub(super) enum AfterStop {
    /// The job failed for good.
    Fail(Error),
    /// The job was cancelled.
    Cancel,
}

impl Phase {
    /// Whether it is right that this task ends now.
    pub(super) fn expects_end_of(&self, task: TaskId) -> bool {
        match self {
            Phase::Finishing(_) | Phase::Stopping(_) | Phase::Over => true,
            Phase::Restarting(restart) => restart.tasks.contains(&task),
            Phase::Starting | Phase::Running => false,
        }
    }

    pub(super) fn may_restore(&mut self) {
        if let Phase::Restarting(restart) = self {
            restart.may_restore = true;
        }
    }
}

impl Master {
    /// Task `origin` failed, or without one the job as a whole: asks the restart strategy what comes then.
    pub(super) fn failed(&mut self, origin: Option<TaskId>, error: Error) {
        if matches!(self.phase, Phase::Stopping(_) | Phase::Over)
            || origin.is_some_and(|task| self.is_restarting(task))
        {
            // The first failure counts; what breaks while tasks are being stopped follows from it.
            return;
        }
        if let Phase::Finishing(FinishReason::Stopped { path }) = &self.phase {
            // The savepoint is where the job goes on; going back to an older checkpoint would repeat what it committed.
            let error = error
                .with("savepoint", path)
                .hint("start from the savepoint: it commits what could not be committed now");
            self.view.failed(error.report());
            self.phase = Phase::Stopping(AfterStop::Fail(error));
            self.executions.send_all(&TaskControl::Cancel);
            return;
        }
        let error = self.fenced_or(error);
        self.view.failed(error.report());
        let decision = if can_be_tried_again(&error) {
            self.restart
                .failed(Duration::from_nanos(self.clock.monotonic_nanos()))
        } else {
            RestartDecision::GiveUp("trying again would not help".to_string())
        };
        match decision {
            RestartDecision::RestartAfter(delay) => self.restart_after(delay, origin, &error),
            RestartDecision::GiveUp(why) => self.give_up(&why, error),
        }
    }

    /// Whoever has taken over the job tidies up behind us: then that is why something failed, whatever it was.
    fn fenced_or(&self, error: Error) -> Error {
        match self.storage.check_owner() {
            Err(fenced) if fenced.kind() == ErrorKind::Fenced && error.kind() != ErrorKind::Fenced => {
                fenced.source(error)
            }
            _ => error,
        }
    }

    fn is_restarting(&self, task: TaskId) -> bool {
        matches!(&self.phase, Phase::Restarting(restart) if restart.tasks.contains(&task))
    }

    /// The tasks that have to restart when `origin` failed.
    fn concerned(&self, origin: Option<TaskId>) -> BTreeSet<TaskId> {
        let whole = self.settings.failover == FailoverStrategyKind::Full
            // The coordinator took leave, or the sources are silent: only a new start brings them back.
            || matches!(self.phase, Phase::Finishing(_))
            || self.coordinator.is_stopping();
        match origin {
            Some(task) if !whole => self.regions.with(task),
            _ => self.regions.all(),
        }
    }

    fn restart_after(&mut self, delay: Duration, origin: Option<TaskId>, error: &Error) {
        let mut tasks = self.concerned(origin);
        let all = self.regions.all();
        tracing::warn!(
            job = %self.graph.job_id,
            ?delay,
            tasks = tasks.len(),
            of = all.len(),
            reason = %error.report(),
            "tasks failed and will be restarted"
        );
        self.set_status(JobStatus::Restarting);
        let finishing = matches!(self.phase, Phase::Finishing(_));
        let mut due_ms = self.now().steady_ms.saturating_add(millis(delay));
        if let Phase::Restarting(earlier) = &self.phase {
            // Both restarts become one.
            tasks.extend(&earlier.tasks);
            due_ms = due_ms.max(earlier.due_ms);
        }
        self.phase = Phase::Restarting(Restart {
            tasks: tasks.clone(),
            due_ms,
            may_restore: finishing,
        });
        let reason = error.report();
        if finishing {
            // The coordinator took leave with the last checkpoint; that checkpoint is what the tasks start from.
            let next = self.coordinator.next_checkpoint();
            self.coordinator = new_coordinator(&self.graph, &self.settings, next);
        } else if tasks == all {
            self.tell_coordinator(CoordinatorEvent::JobRestarting { reason });
        } else {
            let tasks = tasks.clone();
            self.tell_coordinator(CoordinatorEvent::TasksRestarting { tasks, reason });
        }
        self.executions.send(&tasks, &TaskControl::Cancel);
    }

    /// The job fails for good, `why`.
    pub(super) fn give_up(&mut self, why: &str, error: Error) {
        let reason = error.report();
        tracing::error!(job = %self.graph.job_id, %why, %reason, "the job failed for good");
        self.set_status(JobStatus::Failing);
        self.phase = Phase::Stopping(AfterStop::Fail(error));
        self.tell_coordinator(CoordinatorEvent::Shutdown { reason });
        self.executions.send_all(&TaskControl::Cancel);
    }

    pub(super) fn cancel(&mut self) {
        if matches!(self.phase, Phase::Stopping(_) | Phase::Over) {
            return;
        }
        self.set_status(JobStatus::Cancelling);
        self.phase = Phase::Stopping(AfterStop::Cancel);
        self.tell_coordinator(CoordinatorEvent::Shutdown {
            reason: "the job was cancelled".to_string(),
        });
        self.executions.send_all(&TaskControl::Cancel);
    }

    /// Goes on where the phase waits for the ends of tasks or for a time. What it goes on to may be ready at once, too: tasks
    /// that couldn't be started are over already, and no event will come of them.
    pub(super) fn advance_phase(&mut self) {
        while self.is_phase_ready() {
            match std::mem::replace(&mut self.phase, Phase::Starting) {
                Phase::Finishing(reason) => self.end(Ok(reason)),
                Phase::Stopping(after) => self.end(Err(after)),
                Phase::Restarting(restart) => self.restart(restart.tasks),
                other => self.phase = other,
            }
        }
    }

    fn is_phase_ready(&self) -> bool {
        match &self.phase {
            Phase::Restarting(_) => self
                .restart_due_ms()
                .is_some_and(|due| self.now().steady_ms >= due),
            Phase::Stopping(_) | Phase::Finishing(_) => self.executions.are_over(&self.regions.all()),
            Phase::Starting | Phase::Running | Phase::Over => false,
        }
    }

    /// When tasks are to be started again, if it is only the time that this waits for.
    pub(super) fn restart_due_ms(&self) -> Option<i64> {
        match &self.phase {
            Phase::Restarting(restart) if restart.may_restore && self.executions.are_over(&restart.tasks) => {
                Some(restart.due_ms)
            }
            _ => None,
        }
    }

    fn restart(&mut self, tasks: BTreeSet<TaskId>) {
        let full = tasks == self.regions.all();
        // Looked for anew rather than remembered: what is on the disk now is what can be restored.
        let found = if full {
            start::find(&self.storage, &self.settings).map(|found| {
                self.store = found.store;
                Some((found.snapshot, found.recovered))
            })
        } else {
            start::find_again(&self.storage, &self.store)
        };
        match found {
            Ok(Some((snapshot, recovered))) => {
                self.view.restarted(full);
                match &snapshot {
                    Some(s) => tracing::info!(
                        job = %self.graph.job_id,
                        checkpoint = s.checkpoint_id(),
                        tasks = tasks.len(),
                        "tasks restart from a checkpoint"
                    ),
                    None => tracing::info!(
                        job = %self.graph.job_id,
                        tasks = tasks.len(),
                        "tasks restart without a checkpoint"
                    ),
                }
                self.snapshot = snapshot.map(|s| (s, recovered));
                self.deploy(&tasks);
            }
            Ok(None) => self.restart_after(Duration::ZERO, None, &no_longer_intact()),
            Err(error) => self.failed(None, error),
        }
    }
}

/// The tasks that still run count on a checkpoint that their neighbours can't go back to.
fn no_longer_intact() -> Error {
    Error::new(
        ErrorKind::Corrupt,
        "restart tasks",
        "the newest checkpoint is damaged; all tasks go back to an older one",
    )
}

/// Whether another attempt could go better: not if the snapshot is damaged or doesn't fit, if an option is wrong, or if the job is
/// another process's now.
fn can_be_tried_again(error: &Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::Config
            | ErrorKind::Incompatible
            | ErrorKind::Corrupt
            | ErrorKind::Unsupported
            | ErrorKind::Fenced
    )
}
