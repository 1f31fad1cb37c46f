//! What is kept: options and modes under Flink's names.

use crate::metadata::{CheckpointProperties, SnapshotType};
use crate::result_store::JobStatus;
use millpond_core::{ConfigOption, Error, Result};
use std::str::FromStr;

/// `execution.checkpointing.num-retained`.
pub const NUM_RETAINED: ConfigOption<usize> = ConfigOption {
    key: "execution.checkpointing.num-retained",
    fallback_keys: &["state.checkpoints.num-retained"],
    default: Some("1"),
    doc: "how many completed checkpoints are kept, at least 1; more survive a damaged file and take more space",
    parse: |text| match text.trim().parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err("expected a number of at least 1".to_string()),
    },
};

/// `execution.checkpointing.externalized-checkpoint-retention`.
pub const EXTERNALIZED_RETENTION: ConfigOption<RetentionPolicy> = ConfigOption {
    key: "execution.checkpointing.externalized-checkpoint-retention",
    fallback_keys: &["execution.checkpointing.externalized-checkpoint-mode"],
    default: Some("NO_EXTERNALIZED_CHECKPOINTS"),
    doc: "what becomes of checkpoints when the job is cancelled or fails for good: RETAIN_ON_CANCELLATION keeps them, \
          DELETE_ON_CANCELLATION keeps them after a failure only, NO_EXTERNALIZED_CHECKPOINTS deletes them",
    parse: |text| text.parse().map_err(|e: Error| e.message().to_string()),
};

/// `execution.state-recovery.claim-mode`.
pub const CLAIM_MODE: ConfigOption<ClaimMode> = ConfigOption {
    key: "execution.state-recovery.claim-mode",
    fallback_keys: &["execution.savepoint-restore-mode"],
    default: Some("NO_CLAIM"),
    doc: "whose the snapshot is that the job is started from: NO_CLAIM leaves it alone, CLAIM deletes it once newer \
          checkpoints take its place",
    parse: |text| text.parse().map_err(|e: Error| e.message().to_string()),
};

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

impl FromStr for RetentionPolicy {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_ascii_uppercase().replace('-', "_").as_str() {
            "RETAIN_ON_CANCELLATION" => Ok(RetentionPolicy::RetainOnCancellation),
            "DELETE_ON_CANCELLATION" => Ok(RetentionPolicy::DeleteOnCancellation),
            "NO_EXTERNALIZED_CHECKPOINTS" => Ok(RetentionPolicy::NoExternalized),
            _ => Err(Error::config(
                "read option",
                "expected RETAIN_ON_CANCELLATION, DELETE_ON_CANCELLATION or NO_EXTERNALIZED_CHECKPOINTS",
            )
            .with("value", text)),
        }
    }
}

/// Whose a snapshot is after a job was started from it. Flink's `RecoveryClaimMode` (`execution.state-recovery.claim-mode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClaimMode {
    /// It is the job's now: deleted when newer checkpoints take its place.
    Claim,
    /// It stays its owner's: never changed or deleted, and no later checkpoint names its files. The default.
    #[default]
    NoClaim,
}

impl FromStr for ClaimMode {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_ascii_uppercase().replace('-', "_").as_str() {
            "CLAIM" => Ok(ClaimMode::Claim),
            "NO_CLAIM" => Ok(ClaimMode::NoClaim),
            _ => Err(Error::config("read option", "expected CLAIM or NO_CLAIM").with("value", text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millpond_core::{Configuration, ErrorKind};

    #[test]
    fn options_have_flinks_spellings_and_defaults() {
        let mut c = Configuration::new();
        assert_eq!(c.get(&NUM_RETAINED).unwrap(), Some(1));
        assert_eq!(
            c.get(&EXTERNALIZED_RETENTION).unwrap(),
            Some(RetentionPolicy::NoExternalized)
        );
        assert_eq!(c.get(&CLAIM_MODE).unwrap(), Some(ClaimMode::NoClaim));
        c.set("state.checkpoints.num-retained", 3);
        c.set(EXTERNALIZED_RETENTION.key, "retain_on_cancellation");
        c.set(CLAIM_MODE.key, "claim");
        assert_eq!(c.get(&NUM_RETAINED).unwrap(), Some(3));
        assert_eq!(
            c.get(&EXTERNALIZED_RETENTION).unwrap(),
            Some(RetentionPolicy::RetainOnCancellation)
        );
        assert_eq!(c.get(&CLAIM_MODE).unwrap(), Some(ClaimMode::Claim));
        for (key, bad) in [
            (NUM_RETAINED.key, "0"),
            (EXTERNALIZED_RETENTION.key, "KEEP"),
            (CLAIM_MODE.key, "LEGACY"),
        ] {
            let mut c = Configuration::new();
            c.set(key, bad);
            let errors = [
                c.get(&NUM_RETAINED).err(),
                c.get(&EXTERNALIZED_RETENTION).err(),
                c.get(&CLAIM_MODE).err(),
            ];
            let [error] = <[Error; 1]>::try_from(errors.into_iter().flatten().collect::<Vec<_>>()).unwrap();
            assert_eq!(
                (error.kind(), error.context("key")),
                (ErrorKind::Config, Some(key))
            );
        }
    }
}
