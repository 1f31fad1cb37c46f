//! Why checkpoints fail, which failures count, and when there were too many.
//!
//! The rule is Flink's `CheckpointFailureManager`: only failures that say something about the job's ability to
//! checkpoint count; a completed checkpoint sets the count back to zero; savepoints don't count.

use millpond_core::CheckpointId;
use std::fmt;

/// The kinds of failure. Flink's `CheckpointFailureReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// Not every task acknowledged in time. Counts.
    Expired,
    /// A task could not take or upload its snapshot. Counts.
    TaskSnapshot,
    /// The place for the checkpoint could not be prepared, before any task was told. Counts.
    Storage,
    /// The metadata could not be written. Counts.
    Metadata,
    /// A task gave up because a newer barrier came first, an upstream task cancelled, or its input ended.
    DeclinedAlignment,
    /// A task isn't ready: starting up or shutting down.
    DeclinedNotReady,
    /// A newer checkpoint completed first.
    Subsumed,
    /// The job failed and restarts.
    JobFailover,
    /// The job was cancelled or finished.
    Shutdown,
    /// A savepoint was asked for while the job can't take one.
    NotPossible,
}

impl FailureKind {
    /// Whether such a failure of a checkpoint counts against the tolerated number.
    pub fn counts(self) -> bool {
        use FailureKind::{Expired, Metadata, Storage, TaskSnapshot};
        matches!(self, Expired | TaskSnapshot | Storage | Metadata)
    }

    /// For people: lower case, no full stop.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureKind::Expired => "checkpoint expired before completing",
            FailureKind::TaskSnapshot => "a task failed to take its snapshot",
            FailureKind::Storage => "checkpoint storage could not be prepared",
            FailureKind::Metadata => "checkpoint metadata could not be written",
            FailureKind::DeclinedAlignment => "a task gave up the alignment",
            FailureKind::DeclinedNotReady => "a task is not ready for checkpoints",
            FailureKind::Subsumed => "a newer checkpoint completed first",
            FailureKind::JobFailover => "the job failed and restarts",
            FailureKind::Shutdown => "the job ended",
            FailureKind::NotPossible => "not possible in the state the job is in",
        }
    }
}

/// Why one checkpoint failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureReason {
    /// What kind of failure.
    pub kind: FailureKind,
    /// What exactly happened, for people; may be empty.
    pub detail: String,
}

impl FailureReason {
    /// A reason with its detail.
    pub fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        FailureReason {
            kind,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        if self.detail.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.detail)
        }
    }
}

/// Counts failures in a row.
#[derive(Clone, Debug, Default)]
pub(super) struct FailureCounter {
    count: u32,
    last_completed: CheckpointId,
}

impl FailureCounter {
    pub(super) fn completed(&mut self, checkpoint: CheckpointId) {
        if checkpoint > self.last_completed {
            self.last_completed = checkpoint;
            self.count = 0;
        }
    }

    /// Whether the job has to fail by this failure of a checkpoint (not a savepoint).
    pub(super) fn failed(&mut self, checkpoint: CheckpointId, kind: FailureKind, tolerable: u32) -> bool {
        if !kind.counts() || checkpoint < self.last_completed {
            return false;
        }
        self.count = self.count.saturating_add(1);
        let too_many = self.count > tolerable;
        if too_many {
            self.count = 0;
        }
        too_many
    }
}
