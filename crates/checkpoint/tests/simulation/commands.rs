//! The driver: carries out the coordinator's commands, faithfully or with a fault.

use crate::mutant::Mutant;
use crate::setup::SINKS;
use crate::task::{Notice, Task, TaskState};
use crate::world::{Message, Stored, World};
use millpond_checkpoint::coordinator::{
    CheckpointCoordinator, CoordinatorCommand, CoordinatorEvent, FinishReason, StoredMetadata, TaskId,
};
use millpond_core::CheckpointId;

impl World {
    /// Tells the coordinator and does what it says.
    pub fn tell(&mut self, event: CoordinatorEvent<u64>) -> Result<(), String> {
        if let CoordinatorEvent::Acknowledge {
            checkpoint,
            task,
            state,
            ..
        } = &event
        {
            let is_news = self.delivered.insert((*checkpoint, *task));
            if !is_news && self.mutant == Mutant::DeleteDuplicates {
                self.objects.remove(state);
            }
        }
        for command in self.coordinator.handle(event, self.now) {
            self.note(&command);
            self.obey(command)?;
        }
        Ok(())
    }

    fn obey(&mut self, command: CoordinatorCommand<u64>) -> Result<(), String> {
        match command {
            CoordinatorCommand::TriggerSources { barrier, sources, .. } => {
                self.check_rising(barrier.checkpoint)?;
                if self.fault(30) {
                    let event = CoordinatorEvent::StorageFailed {
                        checkpoint: barrier.checkpoint,
                        detail: "disk full".into(),
                    };
                    self.bag.push(Message::Event(event));
                    return Ok(());
                }
                for source in sources {
                    if !self.fault(60) {
                        self.mail(source, Notice::Trigger(barrier));
                    }
                }
            }
            CoordinatorCommand::StoreMetadata {
                checkpoint,
                kind,
                states,
                ..
            } => {
                let stored = Stored { kind, states };
                self.check_complete(checkpoint, &stored)?;
                self.bag.push(Message::Store { checkpoint, stored });
            }
            CoordinatorCommand::NotifyComplete { checkpoint, tasks } => {
                self.check_stored(checkpoint)?;
                for task in tasks {
                    self.mail(task, Notice::Complete(checkpoint));
                }
            }
            CoordinatorCommand::NotifyAborted {
                checkpoint, tasks, ..
            } => {
                self.outcome.aborted += 1;
                for task in tasks {
                    self.mail(task, Notice::Aborted(checkpoint));
                }
            }
            CoordinatorCommand::DiscardCheckpoint { checkpoint, states } => {
                if self.store.contains_key(&checkpoint) {
                    return Err(format!(
                        "checkpoint {checkpoint} is discarded though it is stored"
                    ));
                }
                for (_, handle) in states {
                    self.objects.remove(&handle);
                }
            }
            CoordinatorCommand::DiscardState { state, .. } => {
                self.outcome.late += 1;
                self.objects.remove(&state);
            }
            CoordinatorCommand::SavepointDone {
                token, checkpoint, ..
            } => {
                self.check_stored(checkpoint)?;
                self.outcome.savepoints += 1;
                self.answered(token)?;
            }
            CoordinatorCommand::SavepointFailed { token, .. } => self.answered(token)?,
            CoordinatorCommand::FailJob { .. } => {
                self.outcome.failed_jobs += 1;
                self.crash_tasks();
                self.tell(CoordinatorEvent::JobRestarting {
                    reason: "too many failures".into(),
                })?;
            }
            CoordinatorCommand::MayRestore => {
                if self
                    .bag
                    .iter()
                    .any(|message| matches!(message, Message::Store { .. }))
                {
                    return Err("a restore is allowed while metadata is being written".into());
                }
                self.may_start = true;
            }
            CoordinatorCommand::FinishJob { reason } => self.finish(reason)?,
        }
        Ok(())
    }

    fn answered(&mut self, token: u64) -> Result<(), String> {
        match self.tokens.remove(&token) {
            true => Ok(()),
            false => Err(format!("savepoint request {token} was answered twice")),
        }
    }

    fn mail(&mut self, to: TaskId, notice: Notice) {
        if let Some(task) = self.tasks.iter_mut().find(|task| task.id == to) {
            task.mailbox.push_back(notice);
        }
    }

    /// Writing metadata ends, one way or the other.
    pub fn store_answers(&mut self, checkpoint: CheckpointId, stored: Stored) -> Result<(), String> {
        let result = if self.fault(10) {
            Err("disk full".to_string())
        } else {
            self.store.insert(checkpoint, stored);
            Ok(StoredMetadata {
                path: format!("chk-{checkpoint}"),
                bytes: 1,
            })
        };
        self.tell(CoordinatorEvent::MetadataStored { checkpoint, result })
    }

    /// Every task is gone, with all that was in its channels. What it sent to the coordinator still travels.
    pub fn crash_tasks(&mut self) {
        self.tasks.clear();
    }

    /// The process is gone: coordinator, tasks, messages. A write under way may or may not have become durable.
    pub fn crash_process(&mut self) {
        self.crash_tasks();
        for message in std::mem::take(&mut self.bag) {
            if let Message::Store { checkpoint, stored } = message
                && self.rng.chance(1, 2)
            {
                self.store.insert(checkpoint, stored);
            }
        }
        // The next process doesn't know of unfinished checkpoints.
        self.orphans.extend(self.objects.keys().copied());
        self.tokens.clear();
        self.delivered.clear();
        let first = self.store.keys().next_back().map_or(1, |last| last + 1);
        self.new_coordinator(first);
        self.may_start = true;
    }

    pub fn new_coordinator(&mut self, first: CheckpointId) {
        self.last_triggered = first - 1;
        self.coordinator = CheckpointCoordinator::new(self.setup.config.clone(), self.setup.plan(), first);
    }

    /// A new attempt starts from the newest completed checkpoint, or from where the run began.
    pub fn start(&mut self) -> Result<(), String> {
        self.may_start = false;
        self.attempt += 1;
        let recoverable = self
            .store
            .iter()
            .rev()
            .find(|(id, stored)| !stored.kind.is_savepoint() || Some(**id) == self.began_from);
        let restored = recoverable.map(|(id, stored)| (*id, stored.clone()));
        self.tasks.clear();
        for id in self.setup.task_ids() {
            let state = match &restored {
                None => TaskState::default(),
                Some((checkpoint, stored)) => self.restored_state(*checkpoint, stored, id)?,
            };
            let mut task = Task::new(id, &self.setup, state);
            task.replay();
            self.tasks.push(task);
        }
        let restored = restored.map(|(id, _)| id);
        if let Some(checkpoint) = restored {
            self.outcome.restored += 1;
            for task in 0..self.tasks.len() {
                if self.tasks[task].id.vertex == SINKS {
                    self.commit_through(task, checkpoint)?;
                }
            }
        }
        self.tell(CoordinatorEvent::JobStarted {
            attempt: self.attempt,
            restored,
        })
    }

    fn finish(&mut self, reason: FinishReason) -> Result<(), String> {
        for task in 0..self.tasks.len() {
            while !self.tasks[task].mailbox.is_empty() {
                self.read_mail(task)?;
            }
        }
        self.check_output(&reason)?;
        self.finished = Some(reason);
        Ok(())
    }
}
