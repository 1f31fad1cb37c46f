//! Barrier alignment: when does one task, reading several input channels, take its part of a checkpoint?
//!
//! A pure state machine for each task: barriers, cancellations and ends of channels go in together with a monotonic
//! time, commands come out, and the task carries them out in their order. It reads no clock, holds no channel and never
//! waits. [`exactly_once`] keeps records on their side of a checkpoint, as Flink's `SingleCheckpointBarrierHandler` does: by
//! blocking channels (Carbone et al., "Lightweight Asynchronous Snapshots for Distributed Dataflows", 2015), or by letting
//! barriers overtake records, which then become part of the checkpoint (FLIP-76), at once or after a timeout. [`tracker`] only
//! counts, as Flink's `CheckpointBarrierTracker` does for at-least-once.

mod channels;
pub mod exactly_once;
#[cfg(test)]
mod tests;
pub mod tracker;

use crate::barrier::{CheckpointBarrier, CheckpointingMode};
use exactly_once::ExactlyOnceBarriers;
use millpond_core::CheckpointId;
use tracker::BarrierTracker;

/// What happened at the inputs of a task, or what the coordinator said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlignEvent {
    /// A channel delivered a barrier.
    Barrier {
        /// The input channel, counted from 0.
        channel: usize,
        /// What it delivered.
        barrier: CheckpointBarrier,
    },
    /// A barrier that may overtake entered a channel; records before it may not be read yet. Flink's
    /// `EventAnnouncement`, and a barrier sent as priority event.
    Announced {
        /// The input channel, counted from 0.
        channel: usize,
        /// What entered it.
        barrier: CheckpointBarrier,
    },
    /// The time that [`BarrierAligner::timeout`] named has come.
    TimedOut {
        /// The checkpoint that it was named for.
        checkpoint: CheckpointId,
    },
    /// A channel delivered the word of an upstream task that it gave this checkpoint up. Flink's
    /// `CancelCheckpointMarker`.
    CancelBarrier {
        /// The input channel, counted from 0.
        channel: usize,
        /// The checkpoint that won't complete.
        checkpoint: CheckpointId,
    },
    /// The coordinator aborted this checkpoint (expired, failed elsewhere).
    Aborted {
        /// The checkpoint that won't complete.
        checkpoint: CheckpointId,
    },
    /// A channel ended: nothing will come through it, no barrier either.
    EndOfPartition {
        /// The input channel, counted from 0.
        channel: usize,
    },
}

/// What the task has to do, in this order, before it takes the next record from any channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlignCommand {
    /// Take nothing more from this channel until [`AlignCommand::UnblockAll`].
    Block {
        /// The input channel, counted from 0.
        channel: usize,
    },
    /// Take from every channel again.
    UnblockAll,
    /// Send the barrier downstream and snapshot, now.
    Snapshot {
        /// The checkpoint to take part in.
        barrier: CheckpointBarrier,
        /// From the first barrier's arrival to the last one's, in nanoseconds. 0 with one channel.
        alignment_nanos: u64,
        /// When the first barrier arrived, in the monotonic nanoseconds that were passed in.
        started_nanos: u64,
        /// Whether barriers overtook records: then channel state belongs to the snapshot, and
        /// [`AlignCommand::Persisted`] says when all of it is known.
        unaligned: bool,
    },
    /// What this channel holds now, and what it delivers until its barrier, is channel state of the snapshot just taken.
    Persist {
        /// The input channel, counted from 0.
        channel: usize,
    },
    /// The barrier of the snapshot just taken waits in this channel: take it out. What is before it is channel state.
    Overtake {
        /// The input channel, counted from 0.
        channel: usize,
    },
    /// Every channel's barrier has come: the channel state of this checkpoint is complete.
    Persisted {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// From the first barrier's arrival to the last one's, in nanoseconds.
        alignment_nanos: u64,
    },
    /// The channel state gathered so far is for nothing.
    StopPersisting {
        /// The checkpoint given up.
        checkpoint: CheckpointId,
    },
    /// This task takes no part in the checkpoint: send a cancel barrier downstream, and decline to the coordinator
    /// unless it was the coordinator who said so.
    Abort {
        /// The checkpoint given up.
        checkpoint: CheckpointId,
        /// Why.
        cause: AlignAbort,
    },
}

/// Why an alignment was given up. Flink's `CheckpointFailureReason.CHECKPOINT_DECLINED_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlignAbort {
    /// A newer barrier came first. Decline.
    Subsumed,
    /// An upstream task gave up. Decline.
    CancelBarrier,
    /// The coordinator aborted it. Nothing to decline.
    Coordinator,
    /// Every channel ended before its barrier came. Decline.
    EndOfInput,
}

/// The alignment of one task with one or more input channels. Sources have none and need none.
///
/// # Contract
/// Channels are FIFO, and a channel isn't read between [`AlignCommand::Block`] and [`AlignCommand::UnblockAll`].
/// A channel number outside the range is ignored. Events of a checkpoint that is done or given up are answered by
/// nothing: they are stale.
///
/// ```
/// use millpond_checkpoint::align::{AlignCommand, AlignEvent, BarrierAligner};
/// use millpond_checkpoint::barrier::{CheckpointBarrier, CheckpointKind, CheckpointingMode};
///
/// let mut aligner = BarrierAligner::new(CheckpointingMode::ExactlyOnce, 2);
/// let barrier = CheckpointBarrier::new(1, 0, CheckpointKind::Checkpoint);
/// let first = aligner.handle(AlignEvent::Barrier { channel: 0, barrier }, 1_000);
/// assert_eq!(first, [AlignCommand::Block { channel: 0 }]);
/// let second = aligner.handle(AlignEvent::Barrier { channel: 1, barrier }, 5_000);
/// assert_eq!(
///     second,
///     [
///         AlignCommand::Snapshot { barrier, alignment_nanos: 4_000, started_nanos: 1_000, unaligned: false },
///         AlignCommand::UnblockAll,
///     ]
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BarrierAligner {
    mode: Mode,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Mode {
    ExactlyOnce(ExactlyOnceBarriers),
    Tracking(BarrierTracker),
}

impl BarrierAligner {
    /// An aligner over `channels` input channels, none of which has delivered anything.
    pub fn new(mode: CheckpointingMode, channels: usize) -> Self {
        let mode = match mode {
            CheckpointingMode::ExactlyOnce => Mode::ExactlyOnce(ExactlyOnceBarriers::new(channels, false)),
            CheckpointingMode::AtLeastOnce => Mode::Tracking(BarrierTracker::new(channels)),
        };
        BarrierAligner { mode }
    }

    /// An aligner for exactly once over channels whose barriers can overtake records, where they are told to.
    pub fn unaligned(channels: usize) -> Self {
        BarrierAligner {
            mode: Mode::ExactlyOnce(ExactlyOnceBarriers::new(channels, true)),
        }
    }

    /// Takes in one event at `now_nanos` (monotonic) and answers what to do.
    pub fn handle(&mut self, event: AlignEvent, now_nanos: u64) -> Vec<AlignCommand> {
        let mut out = Vec::new();
        match &mut self.mode {
            Mode::ExactlyOnce(barriers) => barriers.handle(event, now_nanos, &mut out),
            Mode::Tracking(tracker) => tracker.handle(event, now_nanos, &mut out),
        }
        out
    }

    /// Whether a channel must not be read now.
    pub fn is_blocked(&self, channel: usize) -> bool {
        match &self.mode {
            Mode::ExactlyOnce(barriers) => barriers.is_blocked(channel),
            Mode::Tracking(_) => false,
        }
    }

    /// Whether some barrier has arrived and others of the same checkpoint are awaited.
    pub fn is_aligning(&self) -> bool {
        match &self.mode {
            Mode::ExactlyOnce(barriers) => barriers.is_aligning(),
            Mode::Tracking(tracker) => tracker.is_aligning(),
        }
    }

    /// The checkpoint whose barriers overtake from a wall-clock time on (milliseconds since the epoch), and that time: then
    /// [`AlignEvent::TimedOut`] is due.
    pub fn timeout(&self) -> Option<(CheckpointId, i64)> {
        match &self.mode {
            Mode::ExactlyOnce(barriers) => barriers.timeout(),
            Mode::Tracking(_) => None,
        }
    }
}
