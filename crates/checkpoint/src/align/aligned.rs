//! Exactly-once alignment: a channel that delivered its barrier waits until every open channel has.
//!
//! At most one checkpoint is being aligned. A newer barrier can reach an open channel only when the older one was
//! given up upstream, so it ends the older alignment. Relies on FIFO channels and on blocked ones not being read.

use super::channels::{AbortedAhead, ChannelSet};
use super::{AlignAbort, AlignCommand, AlignEvent};
use crate::barrier::CheckpointBarrier;
use millpond_core::CheckpointId;

/// The aligned machine of one task: see [`super::BarrierAligner`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlignedBarriers {
    open: ChannelSet,
    current: Option<Alignment>,
    /// The highest checkpoint that was begun, done or given up here: events up to it are stale unless it is current.
    latest: CheckpointId,
    aborted_ahead: AbortedAhead,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Alignment {
    barrier: CheckpointBarrier,
    delivered: ChannelSet,
    started_nanos: u64,
    /// Whether some channel was told to wait, and so has to be told to go on.
    blocking: bool,
}

impl AlignedBarriers {
    /// No channel has delivered anything.
    pub fn new(channels: usize) -> Self {
        AlignedBarriers {
            open: ChannelSet::all(channels),
            current: None,
            latest: 0,
            aborted_ahead: AbortedAhead::default(),
        }
    }

    /// Takes in one event and appends what to do to `out`.
    pub fn handle(&mut self, event: AlignEvent, now_nanos: u64, out: &mut Vec<AlignCommand>) {
        match event {
            AlignEvent::Barrier { channel, barrier } => self.barrier(channel, barrier, now_nanos, out),
            AlignEvent::CancelBarrier { channel, checkpoint } => {
                self.cancel_barrier(channel, checkpoint, out)
            }
            AlignEvent::Aborted { checkpoint } => self.aborted(checkpoint, out),
            // Nothing overtakes here.
            AlignEvent::Announced { .. } | AlignEvent::TimedOut { .. } => {}
            AlignEvent::EndOfPartition { channel } => self.end_of_partition(channel, now_nanos, out),
        }
    }

    /// Whether a channel must not be read now.
    pub fn is_blocked(&self, channel: usize) -> bool {
        self.current
            .as_ref()
            .is_some_and(|c| c.delivered.contains(channel))
    }

    /// Whether a checkpoint is being aligned.
    pub fn is_aligning(&self) -> bool {
        self.current.is_some()
    }

    fn barrier(
        &mut self,
        channel: usize,
        barrier: CheckpointBarrier,
        now_nanos: u64,
        out: &mut Vec<AlignCommand>,
    ) {
        if !self.open.contains(channel) {
            return;
        }
        let is_current = self.current_id() == Some(barrier.checkpoint);
        if !is_current {
            if barrier.checkpoint <= self.latest {
                return;
            }
            self.give_up_current(AlignAbort::Subsumed, out);
            self.latest = barrier.checkpoint;
            let was_aborted = self.aborted_ahead.contains(barrier.checkpoint);
            self.aborted_ahead.forget_through(self.latest);
            if was_aborted {
                out.push(AlignCommand::Abort {
                    checkpoint: barrier.checkpoint,
                    cause: AlignAbort::Coordinator,
                });
                return;
            }
            let delivered = ChannelSet::none(self.open.capacity());
            self.current = Some(Alignment {
                barrier,
                delivered,
                started_nanos: now_nanos,
                blocking: false,
            });
        }
        let Some(current) = &mut self.current else { return };
        if current.delivered.insert(channel) && current.delivered.len() < self.open.len() {
            current.blocking = true;
            out.push(AlignCommand::Block { channel });
        }
        self.complete_if_all(now_nanos, out);
    }

    fn cancel_barrier(&mut self, channel: usize, checkpoint: CheckpointId, out: &mut Vec<AlignCommand>) {
        if !self.open.contains(channel) {
            return;
        }
        if self.current_id() == Some(checkpoint) {
            self.give_up_current(AlignAbort::CancelBarrier, out);
        } else if checkpoint > self.latest {
            self.give_up_current(AlignAbort::Subsumed, out);
            self.latest = checkpoint;
            self.aborted_ahead.forget_through(checkpoint);
            out.push(AlignCommand::Abort {
                checkpoint,
                cause: AlignAbort::CancelBarrier,
            });
        }
    }

    fn aborted(&mut self, checkpoint: CheckpointId, out: &mut Vec<AlignCommand>) {
        if self.current_id() == Some(checkpoint) {
            self.give_up_current(AlignAbort::Coordinator, out);
        } else if checkpoint > self.latest {
            self.aborted_ahead.insert(checkpoint);
        }
    }

    fn end_of_partition(&mut self, channel: usize, now_nanos: u64, out: &mut Vec<AlignCommand>) {
        if !self.open.remove(channel) {
            return;
        }
        if let Some(current) = &mut self.current {
            current.delivered.remove(channel);
        }
        if self.open.is_empty() {
            self.give_up_current(AlignAbort::EndOfInput, out);
        } else {
            self.complete_if_all(now_nanos, out);
        }
    }

    fn current_id(&self) -> Option<CheckpointId> {
        self.current.as_ref().map(|c| c.barrier.checkpoint)
    }

    fn complete_if_all(&mut self, now_nanos: u64, out: &mut Vec<AlignCommand>) {
        let open = self.open.len();
        let Some(done) = self.current.take_if(|c| c.delivered.len() == open) else {
            return;
        };
        out.push(AlignCommand::Snapshot {
            barrier: done.barrier,
            alignment_nanos: now_nanos.saturating_sub(done.started_nanos),
            started_nanos: done.started_nanos,
            unaligned: false,
        });
        if done.blocking {
            out.push(AlignCommand::UnblockAll);
        }
    }

    fn give_up_current(&mut self, cause: AlignAbort, out: &mut Vec<AlignCommand>) {
        let Some(current) = self.current.take() else {
            return;
        };
        out.push(AlignCommand::Abort {
            checkpoint: current.barrier.checkpoint,
            cause,
        });
        if current.blocking {
            out.push(AlignCommand::UnblockAll);
        }
    }
}
