//! The options that the job master itself reads, once.

use millpond_checkpoint::barrier::CheckpointingMode;
use millpond_checkpoint::completed::{ClaimMode, RetentionPolicy};
use millpond_checkpoint::coordinator::CheckpointConfig;
use millpond_checkpoint::storage::StorageOptions;
use millpond_core::config::options::{self, CheckpointStorageKind, FailoverStrategyKind};
use millpond_core::{Configuration, Error, Result};
use std::time::Duration;

/// The options that the job master itself reads.
pub(crate) struct Settings {
    /// Whether checkpoints are taken by themselves.
    pub(super) checkpointing_enabled: bool,
    pub(super) coordinator: CheckpointConfig,
    /// Where checkpoints lie; `None`: in memory.
    pub(super) checkpoints_dir: Option<String>,
    pub(super) savepoint_dir: Option<String>,
    pub(crate) storage: StorageOptions,
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
    /// How many more it may hold in the midst of a step.
    pub(super) channel_overdraft: usize,
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
            channel_overdraft: c.require(&options::MAX_OVERDRAFT_BUFFERS)? as usize,
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
    let mode = match c.require(&options::CHECKPOINTING_MODE)? {
        options::CheckpointingMode::ExactlyOnce => CheckpointingMode::ExactlyOnce,
        options::CheckpointingMode::AtLeastOnce => CheckpointingMode::AtLeastOnce,
    };
    Ok(CheckpointConfig {
        mode,
        unaligned: unaligned(c, mode)?,
        aligned_timeout_ms: millis(c.require(&options::ALIGNED_CHECKPOINT_TIMEOUT)?),
        interval_ms: interval.map(millis),
        interval_during_backlog_ms: interval_during_backlog(c, interval)?,
        timeout_ms: millis(c.require(&options::CHECKPOINTING_TIMEOUT)?),
        min_pause_ms: millis(c.require(&options::CHECKPOINTING_MIN_PAUSE)?),
        max_concurrent: c.require(&options::MAX_CONCURRENT_CHECKPOINTS)? as usize,
        tolerable_failures: c.require(&options::TOLERABLE_FAILED_CHECKPOINTS)?,
        final_checkpoint: interval.is_some() && c.require(&options::CHECKPOINTS_AFTER_TASKS_FINISH)?,
        checkpoints_after_tasks_finish: c.require(&options::CHECKPOINTS_AFTER_TASKS_FINISH)?,
        history_max: c.require(&options::CHECKPOINT_HISTORY)? as usize,
    })
}

/// Whether barriers may overtake records, and whether what goes with it makes sense.
fn unaligned(c: &Configuration, mode: CheckpointingMode) -> Result<bool> {
    if !c.require(&options::UNALIGNED_ENABLED)? {
        return Ok(false);
    }
    if mode == CheckpointingMode::AtLeastOnce {
        tracing::warn!(
            "unaligned checkpoints are for EXACTLY_ONCE alone; {} is ignored, since no barrier waits in AT_LEAST_ONCE",
            options::UNALIGNED_ENABLED.key
        );
        return Ok(false);
    }
    let refused = |option: &'static str, value: String, why: &str, hint: &str| {
        Err(Error::config("read option", why)
            .with("key", option)
            .with("value", value)
            .hint(hint))
    };
    let concurrent = c.require(&options::MAX_CONCURRENT_CHECKPOINTS)?;
    if concurrent > 1 {
        return refused(
            options::MAX_CONCURRENT_CHECKPOINTS.key,
            concurrent.to_string(),
            "unaligned checkpoints are taken one at a time: a barrier must not overtake another",
            "set it to 1, or turn execution.checkpointing.unaligned.enabled off",
        );
    }
    Ok(true)
}

/// Flink's check: no checkpoints during a backlog, or rarer ones.
fn interval_during_backlog(c: &Configuration, interval: Option<Duration>) -> Result<Option<i64>> {
    let Some(during) = c.get(&options::CHECKPOINTING_INTERVAL_DURING_BACKLOG)? else {
        return Ok(None);
    };
    if !during.is_zero() && interval.is_some_and(|interval| during < interval) {
        return Err(Error::config(
            "read option",
            "checkpoints during a backlog can't be more frequent than else",
        )
        .with("key", options::CHECKPOINTING_INTERVAL_DURING_BACKLOG.key)
        .with("value", format!("{during:?}"))
        .hint("set it to 0 (no checkpoints then) or to execution.checkpointing.interval at least"));
    }
    Ok(Some(millis(during)))
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
