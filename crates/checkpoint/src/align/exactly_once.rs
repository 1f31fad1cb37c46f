//! Exactly once: a channel that delivered its barrier waits until every open channel has, or barriers overtake records.
//!
//! **Aligned.** At most one checkpoint is being aligned. A newer barrier can reach an open channel only when the older one was
//! given up upstream, so it ends the older alignment. Relies on FIFO channels and on blocked ones not being read.
//!
//! **Unaligned.** Where barriers may overtake, a barrier is *announced* when it enters a channel, long before it is read. From the
//! moment when a checkpoint's barriers overtake (at once, or when it is older than its timeout) nobody waits: the task
//! snapshots, and what its channels hold before their barriers is channel state: of a channel whose barrier is there by now, all
//! before it; of the others, all that comes until the barrier does. Until that moment the checkpoint is aligned, and where
//! channels can't be overtaken it stays so. Flink's `SingleCheckpointBarrierHandler` with its states
//! `WaitingForFirstBarrier`, `CollectingBarriers` and their `Alternating` twins.

use super::channels::{AbortedAhead, ChannelSet};
use super::{AlignAbort, AlignCommand, AlignEvent};
use crate::barrier::{AlignmentType, CheckpointBarrier};
use millpond_core::CheckpointId;

/// The machine of one task: see [`super::BarrierAligner`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactlyOnceBarriers {
    open: ChannelSet,
    /// Whether barriers can overtake the records in these channels, where their checkpoint lets them.
    can_overtake: bool,
    current: Option<Current>,
    /// The highest checkpoint that was begun, done or given up here: events up to it are stale unless it is current.
    latest: CheckpointId,
    aborted_ahead: AbortedAhead,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Current {
    barrier: CheckpointBarrier,
    /// Channels whose barrier was read or has overtaken.
    delivered: ChannelSet,
    /// Channels whose barrier waits behind records.
    announced: ChannelSet,
    /// When the first barrier was read or overtook. A barrier that only waits behind records aligns nothing.
    started_nanos: Option<u64>,
    /// Whether the snapshot was taken and barriers overtake.
    overtaking: bool,
    /// Whether some channel was told to wait.
    blocking: bool,
}

impl ExactlyOnceBarriers {
    /// No channel has delivered anything.
    pub fn new(channels: usize, can_overtake: bool) -> Self {
        ExactlyOnceBarriers {
            open: ChannelSet::all(channels),
            can_overtake,
            current: None,
            latest: 0,
            aborted_ahead: AbortedAhead::default(),
        }
    }

    /// Takes in one event and appends what to do to `out`.
    pub fn handle(&mut self, event: AlignEvent, now_nanos: u64, out: &mut Vec<AlignCommand>) {
        match event {
            AlignEvent::Announced { .. } | AlignEvent::TimedOut { .. } if !self.can_overtake => {}
            AlignEvent::Announced { channel, barrier } => self.announced(channel, barrier, now_nanos, out),
            AlignEvent::TimedOut { checkpoint } => {
                if self.current_id() == Some(checkpoint) {
                    self.overtake(now_nanos, out);
                    self.complete_if_all(now_nanos, out);
                }
            }
            AlignEvent::Barrier { channel, barrier } => self.barrier(channel, barrier, now_nanos, out),
            AlignEvent::CancelBarrier { channel, checkpoint } => {
                self.cancel_barrier(channel, checkpoint, out);
            }
            AlignEvent::Aborted { checkpoint } => self.aborted(checkpoint, out),
            AlignEvent::EndOfPartition { channel } => self.end_of_partition(channel, now_nanos, out),
        }
    }

    /// Whether a channel must not be read now.
    pub fn is_blocked(&self, channel: usize) -> bool {
        self.current
            .as_ref()
            .is_some_and(|c| !c.overtaking && c.delivered.contains(channel))
    }

    /// Whether a checkpoint is being aligned, or records before its barriers are being gathered.
    pub fn is_aligning(&self) -> bool {
        self.current.is_some()
    }

    /// The checkpoint that waits for its timeout, and the wall-clock time when that is over.
    pub fn timeout(&self) -> Option<(CheckpointId, i64)> {
        let waits = |c: &&Current| self.can_overtake && !c.overtaking;
        let current = self.current.as_ref().filter(waits)?;
        let from_ms = current.barrier.overtakes_from_ms()?;
        Some((current.barrier.checkpoint, from_ms))
    }

    fn announced(
        &mut self,
        channel: usize,
        barrier: CheckpointBarrier,
        now_nanos: u64,
        out: &mut Vec<AlignCommand>,
    ) {
        if !self.open.contains(channel) || !self.enter(barrier, out) {
            return;
        }
        let Some(current) = &mut self.current else { return };
        if current.delivered.contains(channel) {
            return;
        }
        current.announced.insert(channel);
        if current.overtaking {
            current.delivered.insert(channel);
            out.push(AlignCommand::Overtake { channel });
        } else if barrier.alignment == AlignmentType::Unaligned {
            self.overtake(now_nanos, out);
        }
        self.complete_if_all(now_nanos, out);
    }

    fn barrier(
        &mut self,
        channel: usize,
        barrier: CheckpointBarrier,
        now_nanos: u64,
        out: &mut Vec<AlignCommand>,
    ) {
        if !self.open.contains(channel) || !self.enter(barrier, out) {
            return;
        }
        let open = self.open.len();
        let Some(current) = &mut self.current else { return };
        current.started_nanos.get_or_insert(now_nanos);
        if current.delivered.insert(channel) && !current.overtaking && current.delivered.len() < open {
            if self.can_overtake && barrier.alignment == AlignmentType::Unaligned {
                self.overtake(now_nanos, out);
            } else {
                current.blocking = true;
                out.push(AlignCommand::Block { channel });
            }
        }
        self.complete_if_all(now_nanos, out);
    }

    /// Makes the checkpoint of `barrier` the current one; `false`: it is stale or given up.
    fn enter(&mut self, barrier: CheckpointBarrier, out: &mut Vec<AlignCommand>) -> bool {
        let checkpoint = barrier.checkpoint;
        if self.current_id() == Some(checkpoint) {
            return true;
        }
        if checkpoint <= self.latest {
            return false;
        }
        self.give_up_current(AlignAbort::Subsumed, out);
        self.latest = checkpoint;
        let was_aborted = self.aborted_ahead.contains(checkpoint);
        self.aborted_ahead.forget_through(checkpoint);
        if was_aborted {
            out.push(AlignCommand::Abort {
                checkpoint,
                cause: AlignAbort::Coordinator,
            });
            return false;
        }
        let none = ChannelSet::none(self.open.capacity());
        self.current = Some(Current {
            barrier,
            delivered: none.clone(),
            announced: none,
            started_nanos: None,
            overtaking: false,
            blocking: false,
        });
        true
    }

    /// From here on barriers overtake: the snapshot is taken now.
    fn overtake(&mut self, now_nanos: u64, out: &mut Vec<AlignCommand>) {
        let Some(current) = self.current.as_mut().filter(|c| !c.overtaking) else {
            return;
        };
        current.overtaking = true;
        let started_nanos = *current.started_nanos.get_or_insert(now_nanos);
        out.push(AlignCommand::Snapshot {
            barrier: current.barrier,
            alignment_nanos: now_nanos.saturating_sub(started_nanos),
            started_nanos,
            unaligned: true,
        });
        for channel in 0..self.open.capacity() {
            if !self.open.contains(channel) || current.delivered.contains(channel) {
                continue;
            }
            if current.announced.contains(channel) {
                current.delivered.insert(channel);
                out.push(AlignCommand::Overtake { channel });
            } else {
                out.push(AlignCommand::Persist { channel });
            }
        }
        if std::mem::take(&mut current.blocking) {
            out.push(AlignCommand::UnblockAll);
        }
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
        let Some(current) = &mut self.current else { return };
        current.delivered.remove(channel);
        current.announced.remove(channel);
        if self.open.is_empty() && !current.overtaking {
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
        let started_nanos = done.started_nanos.unwrap_or(now_nanos);
        let alignment_nanos = now_nanos.saturating_sub(started_nanos);
        if done.overtaking {
            out.push(AlignCommand::Persisted {
                checkpoint: done.barrier.checkpoint,
                alignment_nanos,
            });
            return;
        }
        out.push(AlignCommand::Snapshot {
            barrier: done.barrier,
            alignment_nanos,
            started_nanos,
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
        let checkpoint = current.barrier.checkpoint;
        if current.overtaking {
            out.push(AlignCommand::StopPersisting { checkpoint });
        }
        // Those downstream have the barrier already where the snapshot was taken; telling them does no harm.
        out.push(AlignCommand::Abort { checkpoint, cause });
        if current.blocking {
            out.push(AlignCommand::UnblockAll);
        }
    }
}
