//! What the coordinator wants done.

use super::event::SavepointToken;
use super::failure::FailureReason;
use super::task::TaskId;
use crate::barrier::{CheckpointBarrier, CheckpointKind};
use millpond_core::CheckpointId;
use std::collections::BTreeMap;

/// Something to do, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum CoordinatorCommand<S> {
    /// Prepare the place (or answer `StorageFailed`), then let the sources send this barrier.
    TriggerSources {
        /// What to send.
        barrier: CheckpointBarrier,
        /// The tasks to send it.
        sources: Vec<TaskId>,
        /// Where a savepoint shall go; `None`: the configured folder.
        target: Option<String>,
    },
    /// Every task acknowledged: write the metadata, durably and last, and answer `MetadataStored`.
    StoreMetadata {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Whose it is.
        kind: CheckpointKind,
        /// Its timestamp, in milliseconds since the epoch.
        timestamp_ms: i64,
        /// As in `TriggerSources`.
        target: Option<String>,
        /// What each task handed in.
        states: BTreeMap<TaskId, S>,
    },
    /// The checkpoint is complete: commit side effects. Not sent for plain savepoints (see [`CheckpointKind`]).
    NotifyComplete {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// The tasks to tell.
        tasks: Vec<TaskId>,
    },
    /// The checkpoint won't complete: release blocked channels, stop uploads.
    NotifyAborted {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// The tasks to tell.
        tasks: Vec<TaskId>,
        /// The newest completed checkpoint.
        latest_completed: Option<CheckpointId>,
        /// Why.
        reason: FailureReason,
    },
    /// Delete what was written for a checkpoint that will never complete: the states given here, and its place.
    DiscardCheckpoint {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// What tasks handed in.
        states: Vec<(TaskId, S)>,
    },
    /// Delete the state that one acknowledgement brought, since it came too late or from a stranger. May come again for
    /// the same state, so it has to be idempotent.
    DiscardState {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Who sent it.
        task: TaskId,
        /// What it handed in.
        state: S,
    },
    /// A savepoint request succeeded.
    SavepointDone {
        /// From the request.
        token: SavepointToken,
        /// The id it got.
        checkpoint: CheckpointId,
        /// Its external pointer.
        path: String,
    },
    /// A savepoint request failed.
    SavepointFailed {
        /// From the request.
        token: SavepointToken,
        /// The id it got, if it came so far.
        checkpoint: Option<CheckpointId>,
        /// Why.
        reason: FailureReason,
    },
    /// The job can't go on like this: hand it to the restart strategy, then send `JobRestarting` or `Shutdown`.
    FailJob {
        /// Why.
        reason: FailureReason,
    },
    /// No metadata is being written any more: the newest completed checkpoint may be looked up and restored. Answers
    /// `JobRestarting` and `TasksRestarting`, perhaps later.
    MayRestore,
    /// The job is done: let the tasks end once they handled the notices before this one.
    FinishJob {
        /// By what.
        reason: FinishReason,
    },
}

/// How a job came to its good end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// Every task reached the end of its data, and the final checkpoint (if there was to be one) is complete.
    EndOfData,
    /// Stopped with this savepoint.
    Stopped {
        /// Its external pointer.
        path: String,
    },
}
