//! What a stream engine promises, as checks over the simulated world. Each answers a violation in words.

use crate::setup::{KEYED, Record, SINKS, SOURCES};
use crate::task::TaskState;
use crate::world::{Stored, World};
use millpond_checkpoint::barrier::{CheckpointKind, CheckpointingMode};
use millpond_checkpoint::coordinator::{FinishReason, TaskId};
use millpond_core::CheckpointId;
use std::collections::BTreeMap;

impl World {
    /// Ids rise.
    pub fn check_rising(&mut self, checkpoint: CheckpointId) -> Result<(), String> {
        let last = std::mem::replace(&mut self.last_triggered, checkpoint);
        if checkpoint > last {
            Ok(())
        } else {
            Err(format!("checkpoint {checkpoint} comes after {last}"))
        }
    }

    /// A checkpoint completes only with every acknowledgement, each its own, and its states are a consistent cut.
    pub fn check_complete(&self, checkpoint: CheckpointId, stored: &Stored) -> Result<(), String> {
        let mut states = BTreeMap::new();
        for task in self.setup.task_ids() {
            if !self.delivered.contains(&(checkpoint, task)) {
                return Err(format!(
                    "checkpoint {checkpoint} is complete without an acknowledgement of {task}"
                ));
            }
            states.insert(task, self.restored_state(checkpoint, stored, task)?);
        }
        if stored.states.len() != states.len() {
            return Err(format!("checkpoint {checkpoint} holds states of strangers"));
        }
        self.check_cut(checkpoint, &states)?;
        let drained = matches!(stored.kind, CheckpointKind::Stop { drain: true, .. });
        for (task, state) in states.iter().filter(|(task, _)| task.vertex != SOURCES) {
            let inputs = if task.vertex == KEYED {
                self.setup.sources
            } else {
                self.setup.keyed
            };
            if drained && state.max_watermarks < inputs {
                return Err(format!(
                    "savepoint {checkpoint} was taken by {task} before it drained"
                ));
            }
        }
        Ok(())
    }

    /// The effect of a record is in the cut if and only if the record is behind its source's offset.
    fn check_cut(
        &self,
        checkpoint: CheckpointId,
        states: &BTreeMap<TaskId, TaskState>,
    ) -> Result<(), String> {
        let all = self.setup.task_ids();
        for record in self.setup.all_records() {
            let source = all[record.source];
            let is_inside = record.offset < states[&source].offset;
            // What is on its way to a task will have its effect there, and on all tasks behind it.
            let mut on_its_way = 0;
            for vertex in [KEYED, SINKS] {
                let task = all[self.setup.route(vertex - 1, record)];
                on_its_way += World::in_flight(&states[&task], record);
                let count = states[&task].counts.get(&record).copied().unwrap_or(0) + on_its_way;
                if !self.is_right(count, is_inside) {
                    return Err(format!(
                        "inconsistent cut: checkpoint {checkpoint} has {record:?} {count} times in {task}, \
                         inside={is_inside}"
                    ));
                }
            }
        }
        Ok(())
    }

    fn is_right(&self, count: u32, is_inside: bool) -> bool {
        match self.setup.mode() {
            CheckpointingMode::ExactlyOnce => count == u32::from(is_inside),
            CheckpointingMode::AtLeastOnce => count >= u32::from(is_inside),
        }
    }

    /// Only what is durable is announced.
    pub fn check_stored(&self, checkpoint: CheckpointId) -> Result<(), String> {
        match self.store.contains_key(&checkpoint) {
            true => Ok(()),
            false => Err(format!(
                "checkpoint {checkpoint} is announced but its metadata isn't stored"
            )),
        }
    }

    /// The state of `task` in a checkpoint: there, and the task's own.
    pub fn restored_state(
        &self,
        checkpoint: CheckpointId,
        stored: &Stored,
        task: TaskId,
    ) -> Result<TaskState, String> {
        let object = stored
            .states
            .get(&task)
            .and_then(|handle| self.objects.get(handle));
        match object {
            Some(object) if object.checkpoint == checkpoint && object.task == task => {
                Ok(object.state.clone())
            }
            Some(_) => Err(format!(
                "checkpoint {checkpoint} holds a stranger's state for {task}"
            )),
            None => Err(format!("missing state: checkpoint {checkpoint}, task {task}")),
        }
    }

    /// When the job is done, its output holds each record up to where it ended: once, or at least once.
    pub fn check_output(&self, reason: &FinishReason) -> Result<(), String> {
        let end_of_data = *reason == FinishReason::EndOfData;
        if end_of_data && !self.tasks.iter().all(|task| task.has_ended) {
            return Err("the job finished before every task reached the end of its data".into());
        }
        let mut committed: BTreeMap<Record, u32> = BTreeMap::new();
        for record in self.committed.values().flatten() {
            *committed.entry(*record).or_default() += 1;
        }
        for record in self.setup.all_records() {
            let is_inside = end_of_data || record.offset < self.tasks[record.source].state.offset;
            let count = committed.get(&record).copied().unwrap_or(0);
            if !self.is_right(count, is_inside) {
                return Err(format!(
                    "{record:?} was committed {count} times, {reason:?}, inside={is_inside}"
                ));
            }
        }
        Ok(())
    }

    /// When nothing can happen but time, and no checkpoint is under way, every channel can be read.
    pub fn check_quiet(&self) -> Result<(), String> {
        let in_progress = self.coordinator.statistics().counts.in_progress;
        let blocked = self.tasks.iter().find(|task| task.has_blocked_channel());
        match blocked {
            Some(task) if in_progress == 0 => Err(format!(
                "task {} is blocked though no checkpoint is under way",
                task.id
            )),
            _ => Ok(()),
        }
    }

    /// After the end, state is left over only of completed checkpoints (and of crashes that nobody could see).
    pub fn check_leftovers(&self) -> Result<(), String> {
        for (handle, object) in &self.objects {
            if !self.orphans.contains(handle) && !self.store.contains_key(&object.checkpoint) {
                return Err(format!(
                    "state of {} for checkpoint {} is left over",
                    object.task, object.checkpoint
                ));
            }
        }
        match self.tokens.first() {
            Some(token) => Err(format!("savepoint request {token} was never answered")),
            None => Ok(()),
        }
    }
}
