//! The settings of a job's checkpoints, as Flink's REST interface shows them.

use crate::wire::{CheckpointConfigInfo, Externalization};
use millpond_core::config::options::{
    self, CheckpointRetention, CheckpointStorageKind, CheckpointingMode, StateBackendKind,
};
use millpond_core::{Configuration, Result};
use std::time::Duration;

/// The settings, defaults included.
///
/// # Errors
/// Config: none that would have let the job start.
pub(in crate::server) fn checkpoint_config(c: &Configuration) -> Result<CheckpointConfigInfo> {
    let retention = c.require(&options::CHECKPOINT_RETENTION)?;
    let in_folder = match c.get(&options::CHECKPOINT_STORAGE)? {
        Some(kind) => kind == CheckpointStorageKind::FileSystem,
        None => c.get(&options::CHECKPOINTS_DIR)?.is_some(),
    };
    // No barrier waits at least once, so none overtakes.
    let (mode, may_overtake) = match c.require(&options::CHECKPOINTING_MODE)? {
        CheckpointingMode::ExactlyOnce => ("exactly_once", true),
        CheckpointingMode::AtLeastOnce => ("at_least_once", false),
    };
    let state_backend = match c.get(&options::STATE_BACKEND)? {
        None | Some(StateBackendKind::HashMap) => "HashMapStateBackend",
        Some(StateBackendKind::RocksDB) => "EmbeddedRocksDBStateBackend",
    };
    let checkpoint_storage = match in_folder {
        true => "FileSystemCheckpointStorage",
        false => "JobManagerCheckpointStorage",
    };
    Ok(CheckpointConfigInfo {
        mode: mode.to_string(),
        interval: c.checkpoint_interval()?.map_or(i64::MAX, millis),
        timeout: millis(c.require(&options::CHECKPOINTING_TIMEOUT)?),
        min_pause: millis(c.require(&options::CHECKPOINTING_MIN_PAUSE)?),
        max_concurrent: c.require(&options::MAX_CONCURRENT_CHECKPOINTS)?,
        externalization: Externalization {
            enabled: retention != CheckpointRetention::NoExternalizedCheckpoints,
            delete_on_cancellation: retention != CheckpointRetention::RetainOnCancellation,
        },
        state_backend: state_backend.to_string(),
        checkpoint_storage: checkpoint_storage.to_string(),
        unaligned_checkpoints: may_overtake && c.require(&options::UNALIGNED_ENABLED)?,
        tolerable_failed_checkpoints: c.require(&options::TOLERABLE_FAILED_CHECKPOINTS)?,
        aligned_checkpoint_timeout: millis(c.require(&options::ALIGNED_CHECKPOINT_TIMEOUT)?),
        checkpoints_after_tasks_finish: c.require(&options::CHECKPOINTS_AFTER_TASKS_FINISH)?,
        state_changelog_enabled: false,
    })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
