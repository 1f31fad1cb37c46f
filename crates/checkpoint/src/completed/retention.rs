//! What becomes of checkpoints when the job ends.

use crate::metadata::{CheckpointProperties, SnapshotType};
use crate::result_store::JobStatus;
use millpond_core::config::options::CheckpointRetention;

/// What becomes of checkpoints when the job ends. Flink's `ExternalizedCheckpointRetention`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RetentionPolicy {
    /// They stay when the job is cancelled or fails.
    RetainOnCancellation,
    /// They stay when the job fails.
    DeleteOnCancellation,
    /// They go in any case. The default, as in Flink.
    #[default]
    NoExternalized,
}

impl RetentionPolicy {
    /// Whether checkpoints go when the job ends with `status`.
    pub fn deletes(self, status: JobStatus) -> bool {
        match status {
            JobStatus::Finished => true,
            JobStatus::Canceled => self != RetentionPolicy::RetainOnCancellation,
            JobStatus::Failed => self == RetentionPolicy::NoExternalized,
            JobStatus::Suspended => false,
        }
    }

    /// The properties of a checkpoint under this policy, as Flink's `CheckpointProperties.forCheckpoint` sets them.
    pub fn properties(self) -> CheckpointProperties {
        let retain_on_cancellation = self == RetentionPolicy::RetainOnCancellation;
        CheckpointProperties {
            snapshot_type: SnapshotType::Checkpoint,
            forced: false,
            discard_subsumed: true,
            discard_finished: true,
            discard_cancelled: !retain_on_cancellation,
            discard_failed: self == RetentionPolicy::NoExternalized,
            discard_suspended: !retain_on_cancellation,
            unclaimed: false,
        }
    }
}

impl From<CheckpointRetention> for RetentionPolicy {
    fn from(option: CheckpointRetention) -> Self {
        match option {
            CheckpointRetention::RetainOnCancellation => RetentionPolicy::RetainOnCancellation,
            CheckpointRetention::DeleteOnCancellation => RetentionPolicy::DeleteOnCancellation,
            CheckpointRetention::NoExternalizedCheckpoints => RetentionPolicy::NoExternalized,
        }
    }
}
