//! What tasks do: emit, read, snapshot, cancel, commit.

use crate::mutant::Mutant;
use crate::setup::{KEYED, Record, SINKS, SOURCES};
use crate::task::{Item, Notice, TaskState};
use crate::world::{Message, Object, World};
use millpond_checkpoint::align::{AlignAbort, AlignCommand, AlignEvent};
use millpond_checkpoint::barrier::{CheckpointBarrier, CheckpointKind};
use millpond_checkpoint::coordinator::{CoordinatorEvent, FailureKind, FailureReason, SubtaskMetrics};
use millpond_core::CheckpointId;

impl World {
    /// Whether each channel out of `task` has room for another record.
    pub fn has_room(&self, task: usize) -> bool {
        let vertex = self.tasks[task].id.vertex;
        let channel = self.tasks[task].id.subtask as usize;
        self.setup
            .downstream(vertex)
            .all(|to| self.tasks[to].inputs[channel].len() < self.setup.channel_capacity)
    }

    fn broadcast(&mut self, task: usize, item: Item) {
        let channel = self.tasks[task].id.subtask as usize;
        let announced = match item {
            Item::Barrier(b) if self.setup.config.unaligned && b.overtakes_from_ms().is_some() => Some(b),
            _ => None,
        };
        for to in self.setup.downstream(self.tasks[task].id.vertex) {
            self.tasks[to].inputs[channel].push_back(item);
            self.tasks[to]
                .announcements
                .extend(announced.map(|barrier| (channel, barrier)));
        }
    }

    fn send(&mut self, task: usize, record: Record) {
        let channel = self.tasks[task].id.subtask as usize;
        let to = self.setup.route(self.tasks[task].id.vertex, record);
        self.tasks[to].inputs[channel].push_back(Item::Record(record));
    }

    /// A source emits its next record, or the end of its data.
    pub fn emit(&mut self, task: usize) {
        let offset = self.tasks[task].state.offset;
        if offset < self.setup.records_per_source {
            self.tasks[task].state.offset += 1;
            self.send(task, Record { source: task, offset });
        } else {
            self.tasks[task].has_ended = true;
            self.report_end(task);
        }
    }

    fn report_end(&mut self, task: usize) {
        self.broadcast(task, Item::EndOfData);
        let id = self.tasks[task].id;
        let event = CoordinatorEvent::TaskReachedEndOfData {
            attempt: self.attempt,
            task: id,
        };
        self.bag.push(Message::Event(event));
    }

    /// A task handles the coordinator's next notice.
    pub fn read_mail(&mut self, task: usize) -> Result<(), String> {
        match self.tasks[task].mailbox.pop_front() {
            Some(Notice::Trigger(barrier)) => {
                if matches!(barrier.kind, CheckpointKind::Stop { drain: true, .. }) {
                    self.broadcast(task, Item::MaxWatermark);
                }
                self.tasks[task].is_silent |= barrier.kind.is_stop();
                self.take_part(task, barrier)
            }
            Some(Notice::Complete(checkpoint)) => self.commit_through(task, checkpoint),
            Some(Notice::Aborted(_)) if self.mutant == Mutant::DeafToAborts => Ok(()),
            Some(Notice::Aborted(checkpoint)) => self.align(task, AlignEvent::Aborted { checkpoint }),
            None => Ok(()),
        }
    }

    /// A task takes the next item of a channel.
    pub fn consume(&mut self, task: usize, channel: usize) -> Result<(), String> {
        let vertex = self.tasks[task].id.vertex;
        let item = self.tasks[task].inputs[channel].pop_front();
        if let Some(item) = item {
            self.tasks[task].note_read(channel, item);
        }
        match item {
            Some(Item::Record(record)) => {
                self.tasks[task].process(record, vertex == SINKS);
                if vertex == KEYED {
                    self.send(task, record);
                }
                Ok(())
            }
            Some(Item::Barrier(barrier)) => self.align(task, AlignEvent::Barrier { channel, barrier }),
            Some(Item::Cancel(checkpoint)) => {
                self.align(task, AlignEvent::CancelBarrier { channel, checkpoint })
            }
            Some(Item::MaxWatermark) => {
                self.tasks[task].state.max_watermarks += 1;
                if self.tasks[task].state.max_watermarks == self.tasks[task].inputs.len() {
                    self.broadcast(task, Item::MaxWatermark);
                }
                Ok(())
            }
            Some(Item::EndOfData) => {
                if self.tasks[task].input_ended() {
                    self.report_end(task);
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub fn align(&mut self, task: usize, event: AlignEvent) -> Result<(), String> {
        let now_nanos = self.steps * 1_000;
        for command in self.tasks[task].align(event, now_nanos, self.mutant) {
            match command {
                // The aligner itself is asked before each read.
                AlignCommand::Block { .. } | AlignCommand::UnblockAll => {}
                AlignCommand::Snapshot {
                    barrier,
                    unaligned: true,
                    ..
                } => {
                    let state = self.pass_barrier(task, barrier);
                    self.tasks[task].begin_gathering(barrier.checkpoint, state);
                }
                AlignCommand::Snapshot { barrier, .. } => self.take_part(task, barrier)?,
                AlignCommand::Persist { channel } => self.tasks[task].persist(channel, self.mutant),
                AlignCommand::Overtake { channel } => self.tasks[task].overtake(channel, self.mutant),
                AlignCommand::Persisted { checkpoint, .. } => {
                    if let Some(state) = self.tasks[task].gathered() {
                        self.outcome.in_flight += u64::from(!state.in_flight.is_empty());
                        self.hand_in(task, checkpoint, state)?;
                    }
                }
                AlignCommand::StopPersisting { .. } => drop(self.tasks[task].gathered()),
                AlignCommand::Abort { checkpoint, cause } => {
                    self.broadcast(task, Item::Cancel(checkpoint));
                    if cause != AlignAbort::Coordinator {
                        self.decline(task, checkpoint, FailureKind::DeclinedAlignment);
                    }
                }
            }
        }
        Ok(())
    }

    fn decline(&mut self, task: usize, checkpoint: CheckpointId, kind: FailureKind) {
        let reason = FailureReason::new(kind, "");
        let task = self.tasks[task].id;
        self.bag.push(Message::Event(CoordinatorEvent::Decline {
            checkpoint,
            task,
            reason,
        }));
    }

    /// Sends the barrier on, snapshots, and acknowledges some time.
    fn take_part(&mut self, task: usize, barrier: CheckpointBarrier) -> Result<(), String> {
        let state = self.pass_barrier(task, barrier);
        self.hand_in(task, barrier.checkpoint, state)
    }

    fn pass_barrier(&mut self, task: usize, barrier: CheckpointBarrier) -> TaskState {
        self.broadcast(task, Item::Barrier(barrier));
        self.tasks[task].snapshot(barrier.checkpoint)
    }

    /// Acknowledges some time.
    fn hand_in(&mut self, task: usize, checkpoint: CheckpointId, state: TaskState) -> Result<(), String> {
        if self.mutant == Mutant::EarlyCommit {
            self.commit_through(task, checkpoint)?;
        }
        if self.fault(40) {
            self.decline(task, checkpoint, FailureKind::TaskSnapshot);
            return Ok(());
        }
        let id = self.tasks[task].id;
        let handle = self.next_object;
        self.next_object += 1;
        self.objects.insert(
            handle,
            Object {
                checkpoint,
                task: id,
                state,
            },
        );
        let metrics = SubtaskMetrics::default();
        let acknowledge = CoordinatorEvent::Acknowledge {
            checkpoint,
            task: id,
            state: handle,
            metrics,
        };
        if self.fault(60) {
            self.outcome.lost += 1;
            self.orphans.insert(handle);
            return Ok(());
        }
        if self.fault(40) {
            self.outcome.duplicated += 1;
            self.bag.push(Message::Event(acknowledge.clone()));
        }
        self.bag.push(Message::Event(acknowledge));
        Ok(())
    }

    /// A sink publishes what it prepared for checkpoints up to `checkpoint`. Publishing again is harmless.
    pub fn commit_through(&mut self, task: usize, checkpoint: CheckpointId) -> Result<(), String> {
        if self.tasks[task].id.vertex == SOURCES {
            return Ok(());
        }
        let later = self.tasks[task].state.prepared.split_off(&(checkpoint + 1));
        let due = std::mem::replace(&mut self.tasks[task].state.prepared, later);
        for (transaction, records) in due {
            let before = self.committed.insert((transaction, task), records.clone());
            if before.is_some_and(|before| before != records) {
                return Err(format!(
                    "sink {task} committed two outputs as transaction {transaction}"
                ));
            }
        }
        Ok(())
    }
}
