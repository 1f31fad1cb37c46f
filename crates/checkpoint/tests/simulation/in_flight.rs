//! Records in flight: what a task's channels held before their barriers, gathered as the machine says.

use crate::mutant::Mutant;
use crate::setup::Record;
use crate::task::{Item, Task, TaskState};
use crate::world::World;
use millpond_checkpoint::align::AlignEvent;
use millpond_core::CheckpointId;

/// Channel state under way.
pub struct Gathering {
    pub checkpoint: CheckpointId,
    /// The state as the snapshot has it, to which the channel state is added.
    state: TaskState,
    /// Of each channel, whether what is read becomes channel state.
    persisting: Vec<bool>,
    /// Of each channel, how many of its first items are channel state already.
    persisted: Vec<usize>,
}

impl Task {
    pub fn begin_gathering(&mut self, checkpoint: CheckpointId, state: TaskState) {
        self.gathering = Some(Gathering {
            checkpoint,
            state,
            persisting: vec![false; self.inputs.len()],
            persisted: vec![0; self.inputs.len()],
        });
    }

    /// What the channel holds, and from now on what it delivers, is channel state.
    pub fn persist(&mut self, channel: usize, mutant: Mutant) {
        // The barrier may be there although it wasn't heard of yet.
        let before = self.barrier_at(channel).unwrap_or(self.inputs[channel].len());
        self.keep(channel, before, mutant);
        if let Some(gathering) = &mut self.gathering {
            gathering.persisting[channel] = true;
            gathering.persisted[channel] = before;
        }
    }

    /// The barrier is taken out of the channel; what is before it is channel state.
    pub fn overtake(&mut self, channel: usize, mutant: Mutant) {
        let Some(at) = self.barrier_at(channel) else {
            return;
        };
        self.keep(channel, at, mutant);
        self.inputs[channel].remove(at);
        self.stop_persisting(channel);
    }

    /// How many items are before the barrier of the checkpoint whose channel state is gathered, if that is queued.
    fn barrier_at(&self, channel: usize) -> Option<usize> {
        let checkpoint = self.gathering.as_ref()?.checkpoint;
        let is_it = |item: &Item| matches!(item, Item::Barrier(b) if b.checkpoint == checkpoint);
        self.inputs[channel].iter().position(is_it)
    }

    /// Adds the first `to` items that aren't channel state yet.
    fn keep(&mut self, channel: usize, to: usize, mutant: Mutant) {
        let Some(gathering) = &mut self.gathering else {
            return;
        };
        if mutant == Mutant::ForgetChannel && channel == 0 {
            return;
        }
        let items = self.inputs[channel]
            .iter()
            .take(to)
            .skip(gathering.persisted[channel]);
        gathering
            .state
            .in_flight
            .extend(items.filter_map(|item| match item {
                Item::Record(record) => Some((channel, *record)),
                _ => None,
            }));
    }

    /// An item was read from the channel.
    pub fn note_read(&mut self, channel: usize, item: Item) {
        let Some(gathering) = &mut self.gathering else {
            return;
        };
        if gathering.persisted[channel] > 0 {
            gathering.persisted[channel] -= 1;
        } else if let (true, Item::Record(record)) = (gathering.persisting[channel], item) {
            gathering.state.in_flight.push((channel, record));
        }
        if matches!(item, Item::Barrier(b) if b.checkpoint == gathering.checkpoint) {
            self.stop_persisting(channel);
        }
    }

    fn stop_persisting(&mut self, channel: usize) {
        if let Some(gathering) = &mut self.gathering {
            gathering.persisting[channel] = false;
            gathering.persisted[channel] = 0;
        }
    }

    /// The checkpoint's state with all its channel state.
    pub fn gathered(&mut self) -> Option<TaskState> {
        self.gathering.take().map(|g| g.state)
    }

    /// Puts records in flight of the state that it was restored with back into the channels.
    pub fn replay(&mut self) {
        for (channel, record) in std::mem::take(&mut self.state.in_flight) {
            self.inputs[channel].push_back(Item::Record(record));
        }
    }

    /// When barriers overtake, in the wall clock's milliseconds.
    pub fn timeout(&self) -> Option<(CheckpointId, i64)> {
        self.aligner.as_ref().and_then(|aligner| aligner.timeout())
    }
}

impl World {
    /// A task hears of a barrier that entered one of its channels.
    pub fn hear_announcement(&mut self, task: usize) -> Result<(), String> {
        match self.tasks[task].announcements.pop_front() {
            Some((channel, barrier)) => self.align(task, AlignEvent::Announced { channel, barrier }),
            None => Ok(()),
        }
    }

    /// How often the effect of `record` is in the channel state of `state`.
    pub fn in_flight(state: &TaskState, record: Record) -> u32 {
        state.in_flight.iter().filter(|(_, r)| *r == record).count() as u32
    }
}
