//! What the coordinator is told.

use super::failure::FailureReason;
use super::task::TaskId;
use crate::barrier::CheckpointKind;
use millpond_core::CheckpointId;
use std::collections::BTreeSet;

/// Marks the answer to one savepoint request; the asker's choice, such as a running number.
pub type SavepointToken = u64;

/// Something that happened. `S` is what a task hands in as its state; the coordinator only carries it.
#[derive(Clone, Debug)]
pub enum CoordinatorEvent<S> {
    /// All tasks are running, those that were restarted from `restored` if given. Periodic checkpoints start from now.
    JobStarted {
        /// Which execution of the job this is; rises with every restart, also of some tasks only.
        attempt: u32,
        /// The checkpoint that the tasks were restored from.
        restored: Option<CheckpointId>,
    },
    /// Time passed. Every other event looks at the time, too.
    Tick,
    /// Somebody asks for a savepoint. Answered by `SavepointDone` or `SavepointFailed`, once.
    TriggerSavepoint {
        /// Marks the answer.
        token: SavepointToken,
        /// Whether the job stops with it. A plain [`CheckpointKind::Checkpoint`] is a checkpoint by hand.
        kind: CheckpointKind,
        /// Where it shall go; `None`: the configured folder.
        target: Option<String>,
    },
    /// A task completed its part.
    Acknowledge {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// The task.
        task: TaskId,
        /// Its state.
        state: S,
        /// How long it took and how large it is.
        metrics: SubtaskMetrics,
    },
    /// A task takes no part in the checkpoint, which can't complete any more.
    Decline {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// The task.
        task: TaskId,
        /// Why.
        reason: FailureReason,
    },
    /// The place for a checkpoint could not be prepared. To be sent instead of triggering the sources, never after.
    StorageFailed {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// What happened.
        detail: String,
    },
    /// The answer to `StoreMetadata`: always exactly one.
    MetadataStored {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Where the metadata is, or what went wrong; then no metadata may exist.
        result: Result<StoredMetadata, String>,
    },
    /// A task read its input to the end. It stays alive, taking part in checkpoints.
    TaskReachedEndOfData {
        /// The attempt that the task belongs to; another attempt's word is ignored.
        attempt: u32,
        /// The task.
        task: TaskId,
    },
    /// A source began or ended to work off a backlog. Flink's `setIsProcessingBacklog`.
    ProcessingBacklog {
        /// The attempt that the task belongs to; another attempt's word is ignored.
        attempt: u32,
        /// The task.
        task: TaskId,
        /// Whether it does.
        in_backlog: bool,
    },
    /// A task failed, or the job fails for another reason, and restarts. Answered by `MayRestore`.
    JobRestarting {
        /// What happened, for people.
        reason: String,
    },
    /// Some tasks failed and are restarted, together with all that they are connected with; the others run on and hear how
    /// checkpoints under way end. Answered by `MayRestore`. Not while a stop with savepoint is under way
    /// ([`super::CheckpointCoordinator::is_stopping`]): its sources are silent for good, so all have to restart.
    TasksRestarting {
        /// Which.
        tasks: BTreeSet<TaskId>,
        /// What happened, for people.
        reason: String,
    },
    /// The job is cancelled or failed for good. Nothing is triggered any more.
    Shutdown {
        /// What happened, for people.
        reason: String,
    },
}

/// What storage says of written metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMetadata {
    /// The external pointer: what a user passes to `run -s`.
    pub path: String,
    /// Bytes of the metadata file itself.
    pub bytes: u64,
}

/// One task's part of a checkpoint in numbers. Flink's `CheckpointMetrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubtaskMetrics {
    /// The stream stood still so long, in milliseconds.
    pub sync_ms: u64,
    /// The upload beside the stream took so long, in milliseconds.
    pub async_ms: u64,
    /// From the first barrier to the last, in milliseconds.
    pub alignment_ms: u64,
    /// From the trigger to the first barrier, in milliseconds.
    pub start_delay_ms: u64,
    /// Bytes of state that the checkpoint holds.
    pub state_bytes: u64,
    /// Bytes written for it; less than `state_bytes` when it is incremental.
    pub checkpointed_bytes: u64,
    /// Whether barriers overtook records.
    pub unaligned: bool,
    /// Bytes of records that were overtaken and stored. Flink's `bytesPersistedDuringAlignment`.
    pub persisted_bytes: u64,
    /// Bytes of records that were processed between the first barrier and the last: as they stand in memory, without what
    /// they own elsewhere, since nothing is serialized here. Flink's `bytesProcessedDuringAlignment`.
    pub processed_bytes: u64,
}
