//! What the tasks' news mean for the job.

use super::Master;
use super::failover::Phase;
use super::status::JobStatus;
use super::task_view::TaskState;
use crate::task::{TaskEvent, TaskEventKind};
use millpond_checkpoint::coordinator::{CoordinatorEvent, FailureReason, TaskId};
use millpond_core::Error;

impl Master {
    pub(super) fn task_event(&mut self, event: TaskEvent) {
        let current = self.executions.attempt_of(event.task) == Some(event.attempt);
        match event.kind {
            // The coordinator knows what belongs to checkpoints that are over, of earlier attempts too.
            TaskEventKind::Acknowledge(report) => self.acknowledged(event.task, *report),
            TaskEventKind::Decline {
                checkpoint_id,
                kind,
                reason,
            } => {
                let reason = FailureReason::new(kind, reason.report());
                self.tell_coordinator(CoordinatorEvent::Decline {
                    checkpoint: checkpoint_id,
                    task: event.task,
                    reason,
                });
            }
            TaskEventKind::Unwanted {
                checkpoint_id,
                operators,
            } => self.discard_late(checkpoint_id, &operators),
            _ if !current => {}
            TaskEventKind::Running => self.task_running(event.task),
            TaskEventKind::EndOfData => self.task_ended(event.task),
            TaskEventKind::ProcessingBacklog(in_backlog) => self.backlog(event.task, in_backlog),
            TaskEventKind::Finished => self.task_gone(event.task, TaskState::Finished, None),
            TaskEventKind::Cancelled => self.task_gone(event.task, TaskState::Gone, None),
            TaskEventKind::QueryElsewhere { query, key_group } => {
                self.forward_query(event.task, query, key_group);
            }
            TaskEventKind::Failed(error) => self.task_gone(event.task, TaskState::Gone, Some(error)),
        }
    }

    fn task_running(&mut self, task: TaskId) {
        self.set_task_state(task, TaskState::Running);
        if !matches!(self.phase, Phase::Starting) || !self.executions.all(|s| s == TaskState::Running) {
            return;
        }
        let attempt = self.executions.attempt();
        self.phase = Phase::Running;
        self.set_status(JobStatus::Running);
        let restored = self.snapshot.as_ref().map(|(s, _)| s.checkpoint_id());
        self.tell_coordinator(CoordinatorEvent::JobStarted { attempt, restored });
        for task in self.executions.take_backlog_early() {
            self.backlog(task, true);
        }
        for task in self.executions.take_ended_early() {
            self.tell_coordinator(CoordinatorEvent::TaskReachedEndOfData { attempt, task });
        }
    }

    fn task_ended(&mut self, task: TaskId) {
        if !matches!(self.phase, Phase::Running) {
            self.executions.ended_early(task);
            return;
        }
        let attempt = self.executions.attempt();
        self.tell_coordinator(CoordinatorEvent::TaskReachedEndOfData { attempt, task });
    }

    fn backlog(&mut self, task: TaskId, in_backlog: bool) {
        if !matches!(self.phase, Phase::Running) {
            self.executions.backlog_early(task, in_backlog);
            return;
        }
        let attempt = self.executions.attempt();
        self.tell_coordinator(CoordinatorEvent::ProcessingBacklog {
            attempt,
            task,
            in_backlog,
        });
    }

    fn task_gone(&mut self, task: TaskId, state: TaskState, error: Option<Error>) {
        self.set_task_state(task, state);
        match error {
            Some(error) if error.context("task").is_some() => self.failed(Some(task), error),
            Some(error) => {
                let vertex = self.graph.vertices.get(task.vertex as usize);
                let name = vertex.map_or("?", |v| v.name.as_str());
                self.failed(Some(task), error.with("task", name).with("subtask", task.subtask));
            }
            None if self.phase.expects_end_of(task) => {}
            None => self.failed(
                Some(task),
                Error::illegal_state("run job", "a task ended before the job did").with("task", task),
            ),
        }
    }

    fn set_task_state(&mut self, task: TaskId, state: TaskState) {
        self.view.set_task_state(task, state);
        self.executions.set_state(task, state);
    }
}
