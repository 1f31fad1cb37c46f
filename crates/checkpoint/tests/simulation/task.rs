//! One simulated task: its channels, its state, its aligner, and what it does with each item.

use crate::in_flight::Gathering;
use crate::mutant::Mutant;
use crate::setup::{Record, SOURCES, Setup};
use millpond_checkpoint::align::{AlignEvent, BarrierAligner};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_checkpoint::coordinator::TaskId;
use millpond_core::CheckpointId;
use std::collections::{BTreeMap, VecDeque};

/// What travels through a channel.
#[derive(Clone, Copy, Debug)]
pub enum Item {
    Record(Record),
    Barrier(CheckpointBarrier),
    Cancel(CheckpointId),
    MaxWatermark,
    EndOfData,
}

/// What the coordinator says to a task.
#[derive(Clone, Copy, Debug)]
pub enum Notice {
    Trigger(CheckpointBarrier),
    Complete(CheckpointId),
    Aborted(CheckpointId),
}

/// What a snapshot holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskState {
    /// Of a source: its next record.
    pub offset: usize,
    /// How often each record had its effect here.
    pub counts: BTreeMap<Record, u32>,
    /// How many channels sent the largest watermark.
    pub max_watermarks: usize,
    /// Records that were on their way here, with their channels.
    pub in_flight: Vec<(usize, Record)>,
    /// Of a sink: what came since the last snapshot.
    pub open: Vec<Record>,
    /// Of a sink: what waits for the checkpoint of that id.
    pub prepared: BTreeMap<CheckpointId, Vec<Record>>,
}

pub struct Task {
    pub id: TaskId,
    pub state: TaskState,
    pub inputs: Vec<VecDeque<Item>>,
    pub mailbox: VecDeque<Notice>,
    /// Barriers that entered a channel and may overtake.
    pub announcements: VecDeque<(usize, CheckpointBarrier)>,
    pub gathering: Option<Gathering>,
    pub aligner: Option<BarrierAligner>,
    /// A source that sent the barrier of a stop-with-savepoint.
    pub is_silent: bool,
    pub has_ended: bool,
    ended_inputs: usize,
    first_barrier_taken: CheckpointId,
}

impl Task {
    pub fn new(id: TaskId, setup: &Setup, state: TaskState) -> Task {
        let channels = match id.vertex {
            SOURCES => 0,
            crate::setup::KEYED => setup.sources,
            _ => setup.keyed,
        };
        Task {
            id,
            state,
            inputs: vec![VecDeque::new(); channels],
            mailbox: VecDeque::new(),
            announcements: VecDeque::new(),
            gathering: None,
            aligner: (channels > 0).then(|| {
                if setup.config.unaligned {
                    BarrierAligner::unaligned(channels)
                } else {
                    BarrierAligner::new(setup.mode(), channels)
                }
            }),
            is_silent: false,
            has_ended: false,
            ended_inputs: 0,
            first_barrier_taken: 0,
        }
    }

    pub fn is_blocked(&self, channel: usize) -> bool {
        self.aligner
            .as_ref()
            .is_some_and(|aligner| aligner.is_blocked(channel))
    }

    pub fn has_blocked_channel(&self) -> bool {
        (0..self.inputs.len()).any(|channel| self.is_blocked(channel))
    }

    /// Whether `record` is sent on.
    pub fn process(&mut self, record: Record, is_sink: bool) {
        *self.state.counts.entry(record).or_default() += 1;
        if is_sink {
            self.state.open.push(record);
        }
    }

    /// Whether this was the last channel to end.
    pub fn input_ended(&mut self) -> bool {
        self.ended_inputs += 1;
        self.has_ended = self.ended_inputs == self.inputs.len();
        self.has_ended
    }

    /// Passes an event to the aligner, or to the broken one that stands in for it.
    pub fn align(
        &mut self,
        event: AlignEvent,
        now_nanos: u64,
        mutant: Mutant,
    ) -> Vec<millpond_checkpoint::align::AlignCommand> {
        use millpond_checkpoint::align::AlignCommand;
        if mutant == Mutant::FirstBarrier
            && let AlignEvent::Barrier { barrier, .. } = event
        {
            let is_first = barrier.checkpoint > self.first_barrier_taken;
            self.first_barrier_taken = self.first_barrier_taken.max(barrier.checkpoint);
            let snapshot = AlignCommand::Snapshot {
                barrier,
                alignment_nanos: 0,
                started_nanos: now_nanos,
                unaligned: false,
            };
            return if is_first { vec![snapshot] } else { Vec::new() };
        }
        self.aligner
            .as_mut()
            .map_or_else(Vec::new, |aligner| aligner.handle(event, now_nanos))
    }

    /// The state as checkpoint `checkpoint` has it.
    pub fn snapshot(&mut self, checkpoint: CheckpointId) -> TaskState {
        let open = std::mem::take(&mut self.state.open);
        if !open.is_empty() {
            self.state.prepared.insert(checkpoint, open);
        }
        self.state.clone()
    }
}
