//! What travels with the stream when a checkpoint is taken: the barrier, its kind, the mode that receivers keep.
//!
//! The coordinator makes barriers, sources inject them, the aligner counts them, and storage learns from the kind
//! whom the result belongs to. So these words stand under all of them. Plain data, no behaviour beyond questions.

use millpond_core::CheckpointId;

/// How exactly state reflects the input after a restore. Flink's `CheckpointingMode`
/// (`execution.checkpointing.mode`, default exactly once).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CheckpointingMode {
    /// A channel that delivered its barrier waits for the others: each record counts once.
    #[default]
    ExactlyOnce,
    /// No channel ever waits: lower latency, and after a restore a record may count more than once.
    AtLeastOnce,
}

/// In which format a savepoint is written. Flink's `SavepointFormatType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SavepointFormat {
    /// The format that every state backend reads.
    #[default]
    Canonical,
    /// That of the state backend, whole: quicker to take and to restore.
    Native,
}

/// Why a snapshot is taken, and so who owns it. Flink's `SnapshotType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckpointKind {
    /// For recovery; owned, subsumed and deleted by the job.
    Checkpoint,
    /// On demand; owned by the user and never deleted. Side effects aren't committed by it (FLIP-203), since
    /// recovery doesn't start from it.
    Savepoint(SavepointFormat),
    /// A savepoint after which the job ends. Sources emit nothing after its barrier.
    Stop {
        /// The savepoint's format.
        format: SavepointFormat,
        /// Whether sources send the largest watermark before the barrier, so that every event-time timer fires and
        /// the pipeline drains. A drained job can't meaningfully be continued from the savepoint.
        drain: bool,
    },
}

impl CheckpointKind {
    /// Whether the result belongs to the user.
    pub fn is_savepoint(self) -> bool {
        !matches!(self, CheckpointKind::Checkpoint)
    }
    /// Whether the job ends when this snapshot is complete. Flink says "synchronous savepoint".
    pub fn is_stop(self) -> bool {
        matches!(self, CheckpointKind::Stop { .. })
    }
}

/// When a barrier may overtake the records before it. Flink's `CheckpointOptions.AlignmentType` with its timeout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AlignmentType {
    /// Never: the records before it are processed first. Savepoints are always taken so.
    #[default]
    Aligned,
    /// At once, on the channels that allow it: the records that it overtakes become part of the checkpoint.
    Unaligned,
    /// When the checkpoint is older than this.
    AlignedWithTimeout {
        /// Milliseconds from the barrier's timestamp.
        timeout_ms: i64,
    },
}

/// The mark that splits a stream into what is part of a checkpoint and what comes after. Flink's `CheckpointBarrier`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CheckpointBarrier {
    /// The checkpoint; ids rise within a job and are never used twice.
    pub checkpoint: CheckpointId,
    /// Wall-clock time of the trigger, in milliseconds since the epoch: the checkpoint's timestamp.
    pub timestamp_ms: i64,
    /// Why the snapshot is taken.
    pub kind: CheckpointKind,
    /// When it may overtake records.
    pub alignment: AlignmentType,
}

impl CheckpointBarrier {
    /// A barrier that overtakes nothing.
    pub fn new(checkpoint: CheckpointId, timestamp_ms: i64, kind: CheckpointKind) -> Self {
        CheckpointBarrier {
            checkpoint,
            timestamp_ms,
            kind,
            alignment: AlignmentType::Aligned,
        }
    }
    /// The wall-clock time, in milliseconds since the epoch, from which on it overtakes records; `None`: never.
    pub fn overtakes_from_ms(&self) -> Option<i64> {
        match self.alignment {
            AlignmentType::Aligned => None,
            AlignmentType::Unaligned => Some(i64::MIN),
            AlignmentType::AlignedWithTimeout { timeout_ms } => {
                Some(self.timestamp_ms.saturating_add(timeout_ms))
            }
        }
    }
}
