//! At-least-once alignment: count barriers, block nobody.
//!
//! Records after a barrier on a fast channel reach the operator before the snapshot, so a restore may count them
//! twice. Several checkpoints can be under way at once; one that completes makes the older ones pointless.

use super::channels::{AbortedAhead, ChannelSet};
use super::{AlignAbort, AlignCommand, AlignEvent};
use crate::barrier::CheckpointBarrier;
use millpond_core::CheckpointId;
use std::collections::BTreeMap;

/// How many unfinished checkpoints are tracked; beyond it the oldest is given up. Flink's
/// `MAX_CHECKPOINTS_TO_TRACK`.
const TRACKED_MAX: usize = 50;

/// The counting machine of one task: see [`super::BarrierAligner`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BarrierTracker {
    open: ChannelSet,
    pending: BTreeMap<CheckpointId, Tracked>,
    /// Checkpoints up to this one are done or given up.
    latest: CheckpointId,
    aborted_ahead: AbortedAhead,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Tracked {
    barrier: CheckpointBarrier,
    delivered: ChannelSet,
    started_nanos: u64,
}

impl BarrierTracker {
    /// No channel has delivered anything.
    pub fn new(channels: usize) -> Self {
        BarrierTracker {
            open: ChannelSet::all(channels),
            pending: BTreeMap::new(),
            latest: 0,
            aborted_ahead: AbortedAhead::default(),
        }
    }

    /// Takes in one event and appends what to do to `out`.
    pub fn handle(&mut self, event: AlignEvent, now_nanos: u64, out: &mut Vec<AlignCommand>) {
        match event {
            AlignEvent::Barrier { channel, barrier } => self.barrier(channel, barrier, now_nanos, out),
            AlignEvent::CancelBarrier { channel, checkpoint } => {
                if self.open.contains(channel) {
                    self.cancel_barrier(checkpoint, out);
                }
            }
            AlignEvent::Aborted { checkpoint } => self.aborted(checkpoint, out),
            // Nothing overtakes here.
            AlignEvent::Announced { .. } | AlignEvent::TimedOut { .. } => {}
            AlignEvent::EndOfPartition { channel } => self.end_of_partition(channel, now_nanos, out),
        }
    }

    /// Whether a checkpoint awaits barriers.
    pub fn is_aligning(&self) -> bool {
        !self.pending.is_empty()
    }

    /// How many checkpoints it holds in memory.
    #[cfg(test)]
    pub(super) fn tracked(&self) -> usize {
        self.pending.len() + self.aborted_ahead.len()
    }

    fn barrier(
        &mut self,
        channel: usize,
        barrier: CheckpointBarrier,
        now_nanos: u64,
        out: &mut Vec<AlignCommand>,
    ) {
        let id = barrier.checkpoint;
        if !self.open.contains(channel) || id <= self.latest {
            return;
        }
        if self.aborted_ahead.contains(id) {
            // The set keeps the id, so that the other channels' barriers of it stay stale.
            if self.aborted_ahead.forward_once(id) {
                out.push(AlignCommand::Abort {
                    checkpoint: id,
                    cause: AlignAbort::Coordinator,
                });
            }
            return;
        }
        let capacity = self.open.capacity();
        let tracked = self.pending.entry(id).or_insert_with(|| Tracked {
            barrier,
            delivered: ChannelSet::none(capacity),
            started_nanos: now_nanos,
        });
        tracked.delivered.insert(channel);
        self.complete_newest(now_nanos, out);
        while self.pending.len() > TRACKED_MAX {
            if let Some((checkpoint, _)) = self.pending.pop_first() {
                self.give_up(checkpoint, AlignAbort::Subsumed, out);
            }
        }
    }

    fn cancel_barrier(&mut self, checkpoint: CheckpointId, out: &mut Vec<AlignCommand>) {
        if checkpoint <= self.latest || self.aborted_ahead.contains(checkpoint) {
            return;
        }
        self.pending.remove(&checkpoint);
        self.give_up(checkpoint, AlignAbort::CancelBarrier, out);
    }

    fn aborted(&mut self, checkpoint: CheckpointId, out: &mut Vec<AlignCommand>) {
        if self.pending.remove(&checkpoint).is_some() {
            self.give_up(checkpoint, AlignAbort::Coordinator, out);
        } else if checkpoint > self.latest {
            self.aborted_ahead.insert(checkpoint);
        }
    }

    fn end_of_partition(&mut self, channel: usize, now_nanos: u64, out: &mut Vec<AlignCommand>) {
        if !self.open.remove(channel) {
            return;
        }
        for tracked in self.pending.values_mut() {
            tracked.delivered.remove(channel);
        }
        if self.open.is_empty() {
            while let Some((checkpoint, _)) = self.pending.pop_first() {
                self.give_up(checkpoint, AlignAbort::EndOfInput, out);
            }
        } else {
            self.complete_newest(now_nanos, out);
        }
    }

    /// Snapshots the newest checkpoint that every open channel delivered, and gives up the older ones.
    fn complete_newest(&mut self, now_nanos: u64, out: &mut Vec<AlignCommand>) {
        let open = self.open.len();
        let complete = self.pending.iter().rev().find(|(_, t)| t.delivered.len() == open);
        let Some(id) = complete.map(|(id, _)| *id) else {
            return;
        };
        while let Some((checkpoint, tracked)) = self.pending.pop_first() {
            if checkpoint < id {
                out.push(AlignCommand::Abort {
                    checkpoint,
                    cause: AlignAbort::Subsumed,
                });
                continue;
            }
            self.latest = id;
            self.aborted_ahead.forget_through(id);
            out.push(AlignCommand::Snapshot {
                barrier: tracked.barrier,
                alignment_nanos: now_nanos.saturating_sub(tracked.started_nanos),
                started_nanos: tracked.started_nanos,
                unaligned: false,
            });
            return;
        }
    }

    /// Answers the abort and remembers it, so that later barriers of the same checkpoint are stale.
    fn give_up(&mut self, checkpoint: CheckpointId, cause: AlignAbort, out: &mut Vec<AlignCommand>) {
        out.push(AlignCommand::Abort { checkpoint, cause });
        self.aborted_ahead.insert(checkpoint);
        self.aborted_ahead.forward_once(checkpoint);
    }
}
