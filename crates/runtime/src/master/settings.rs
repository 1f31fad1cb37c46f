//! The options that the job master itself reads, once.

use millpond_checkpoint::barrier::CheckpointingMode;
use millpond_checkpoint::completed::{ClaimMode, RetentionPolicy};
use millpond_checkpoint::coordinator::CheckpointConfig;
use millpond_checkpoint::storage::StorageOptions;
use millpond_core::config::options::{self, CheckpointStorageKind, FailoverStrategyKind};
use millpond_core::{Configuration, Error, Result};
use std::time::Duration;

/// The options that the job master itself reads.
pub(super) struct Settings {
    /// Whether checkpoints are taken by themselves.
    pub(super) checkpointing_enabled: bool,
    pub(super) coordinator: CheckpointConfig,
    /// Where checkpoints lie; `None`: in memory.
    pub(super) checkpoints_dir: Option<String>,
    pub(super) savepoint_dir: Option<String>,
    pub(super) storage: StorageOptions,
    pub(super) retained: usize,
    pub(super) retention: RetentionPolicy,
    /// The snapshot to start from.
    pub(super) restore_path: Option<String>,
    pub(super) allow_non_restored: bool,
    pub(super) claim: ClaimMode,
    /// Which tasks are restarted when one fails.
    pub(super) failover: FailoverStrategyKind,
    /// How many batches a channel holds.
    pub(super) channel_capacity: usize,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// Config naming the option that is wrong.
    pub(super) fn read(c: &Configuration) -> Result<Self> {
        let interval = c.checkpoint_interval()?;
        let settings = Settings {
            checkpointing_enabled: interval.is_some(),
            coordinator: coordinator(c, interval)?,
            checkpoints_dir: checkpoints_dir(c)?,
            savepoint_dir: c.get(&options::SAVEPOINT_DIR)?,
            storage: StorageOptions::from_configuration(c)?,
            retained: c.require(&options::NUM_RETAINED)? as usize,
            retention: c.require(&options::CHECKPOINT_RETENTION)?.into(),
            restore_path: c.get(&options::RECOVERY_PATH)?,
            allow_non_restored: c.require(&options::IGNORE_UNCLAIMED_STATE)?,
            claim: c.require(&options::CLAIM_MODE)?,
            failover: c.require(&options::FAILOVER_STRATEGY)?,
            channel_capacity: c.require(&options::BUFFERS_PER_CHANNEL)? as usize,
        };
        if c.require(&options::INCREMENTAL)? && settings.coordinator.max_concurrent > 1 {
            // A checkpoint under way may name files that only its predecessor's predecessor held and that go with it.
            return Err(
                Error::config("read option", "incremental checkpoints are taken one at a time")
                    .with("key", options::MAX_CONCURRENT_CHECKPOINTS.key)
                    .with("value", settings.coordinator.max_concurrent)
                    .hint("set it to 1, or turn execution.checkpointing.incremental off"),
            );
        }
        Ok(settings)
    }
}

/// Where checkpoints lie; `None`: in memory.
fn checkpoints_dir(c: &Configuration) -> Result<Option<String>> {
    let dir = c.get(&options::CHECKPOINTS_DIR)?;
    match (c.get(&options::CHECKPOINT_STORAGE)?, dir) {
        (Some(CheckpointStorageKind::JobManager), _) => Ok(None),
        (Some(CheckpointStorageKind::FileSystem), None) => Err(Error::config(
            "read option",
            "checkpoints are to be files, and no folder is given for them",
        )
        .with("key", options::CHECKPOINT_STORAGE.key)
        .hint("set execution.checkpointing.dir, or execution.checkpointing.storage to jobmanager")),
        (_, dir) => Ok(dir),
    }
}

fn coordinator(c: &Configuration, interval: Option<Duration>) -> Result<CheckpointConfig> {
    Ok(CheckpointConfig {
        mode: match c.require(&options::CHECKPOINTING_MODE)? {
            options::CheckpointingMode::ExactlyOnce => CheckpointingMode::ExactlyOnce,
            options::CheckpointingMode::AtLeastOnce => CheckpointingMode::AtLeastOnce,
        },
        interval_ms: interval.map(millis),
        timeout_ms: millis(c.require(&options::CHECKPOINTING_TIMEOUT)?),
        min_pause_ms: millis(c.require(&options::CHECKPOINTING_MIN_PAUSE)?),
        max_concurrent: c.require(&options::MAX_CONCURRENT_CHECKPOINTS)? as usize,
        tolerable_failures: c.require(&options::TOLERABLE_FAILED_CHECKPOINTS)?,
        final_checkpoint: interval.is_some(),
        history_max: c.require(&options::CHECKPOINT_HISTORY)? as usize,
    })
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
