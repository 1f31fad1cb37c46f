//! Options of the checkpoint storage, under Flink's keys (`CheckpointingOptions`).

use super::filesystem::FileSystemOptions;
use super::local::LocalBackupOptions;
use millpond_core::config::options::{self, CheckpointStorageKind};
use millpond_core::{ConfigOption, Configuration, Error, Result};
use std::sync::Arc;

/// Flink's `FsCheckpointStreamFactory.MAX_FILE_STATE_THRESHOLD`.
const INLINE_THRESHOLD_MAX_BYTES: usize = 1 << 20;
/// S3 refuses parts of less than 5 MiB.
const WRITE_BUFFER_MIN_BYTES: usize = 5 << 20;
const WRITE_BUFFER_MAX_BYTES: usize = 64 << 20;

/// How the storage writes files, and how it reaches the stores that they lie on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageOptions {
    /// State up to this size stands in `_metadata` itself. Default 20 KiB, at most 1 MiB.
    pub inline_threshold_bytes: usize,
    /// Bytes gathered per open file before they go out. Default 8 MiB.
    pub write_buffer_bytes: usize,
    /// Whether all state of checkpoints in a folder stands in `_metadata`, whatever the threshold. Default false; Flink's
    /// `JobManagerCheckpointStorage` with a folder. Savepoints have files all the same.
    pub state_in_metadata: bool,
    /// The largest state, per stream, of checkpoints in memory and of those whose state stands in `_metadata`. Default 5 MiB, as
    /// in Flink's `JobManagerCheckpointStorage`.
    pub memory_state_bytes_max: usize,
    /// Small states of a checkpoint are written together into files of up to this size; `None`, the default: each has its own.
    pub merged_file_bytes_max: Option<usize>,
    /// Copies of state on a local disk.
    pub local_backup: LocalBackupOptions,
    /// How stores over the network are reached.
    pub file_systems: Arc<FileSystemOptions>,
}

impl Default for StorageOptions {
    fn default() -> Self {
        StorageOptions {
            inline_threshold_bytes: 20 << 10,
            write_buffer_bytes: 8 << 20,
            state_in_metadata: false,
            memory_state_bytes_max: 5 << 20,
            merged_file_bytes_max: None,
            local_backup: LocalBackupOptions::default(),
            file_systems: Arc::default(),
        }
    }
}

impl StorageOptions {
    /// Reads [`options::DATA_INLINE_THRESHOLD`], [`options::WRITE_BUFFER_SIZE`], [`options::CHECKPOINT_STORAGE`],
    /// [`options::MEMORY_MAX_STATE_SIZE`], the options of merged files and of local copies, and what [`FileSystemOptions`] reads.
    ///
    /// A write buffer below 5 MiB (Flink's own default is 4 kB, which suits its file streams) is raised to that.
    ///
    /// # Errors
    /// Config when a value is no size or the threshold is above 1 MiB.
    pub fn from_configuration(configuration: &Configuration) -> Result<Self> {
        let inline = bytes(configuration, &options::DATA_INLINE_THRESHOLD)?;
        if inline > INLINE_THRESHOLD_MAX_BYTES {
            return Err(
                Error::config("read option", "larger than the 1 MiB that Flink allows")
                    .with("key", options::DATA_INLINE_THRESHOLD.key)
                    .with("bytes", inline)
                    .hint(options::DATA_INLINE_THRESHOLD.doc),
            );
        }
        let buffer = bytes(configuration, &options::WRITE_BUFFER_SIZE)?;
        Ok(StorageOptions {
            inline_threshold_bytes: inline,
            write_buffer_bytes: buffer.clamp(WRITE_BUFFER_MIN_BYTES, WRITE_BUFFER_MAX_BYTES),
            state_in_metadata: configuration.get(&options::CHECKPOINT_STORAGE)?
                == Some(CheckpointStorageKind::JobManager),
            memory_state_bytes_max: bytes(configuration, &options::MEMORY_MAX_STATE_SIZE)?,
            merged_file_bytes_max: file_merging(configuration)?,
            local_backup: local_backup(configuration)?,
            file_systems: Arc::new(FileSystemOptions::from_configuration(configuration)?),
        })
    }
}

fn file_merging(c: &Configuration) -> Result<Option<usize>> {
    c.require(&options::FILE_MERGING_ACROSS_CHECKPOINTS)?;
    let size = bytes(c, &options::FILE_MERGING_MAX_FILE_SIZE)?;
    Ok(c.require(&options::FILE_MERGING_ENABLED)?.then_some(size))
}

fn local_backup(c: &Configuration) -> Result<LocalBackupOptions> {
    let default = LocalBackupOptions::default();
    let dirs = c.get(&options::LOCAL_BACKUP_DIRS)?.map(|text| {
        let dirs = text.split(',').map(str::trim).filter(|t| !t.is_empty());
        dirs.map(|t| t.strip_prefix("file://").unwrap_or(t).into())
            .collect()
    });
    Ok(LocalBackupOptions {
        dirs: dirs.unwrap_or(default.dirs),
        write: c.require(&options::LOCAL_BACKUP_ENABLED)?,
        read: c.require(&options::RECOVER_FROM_LOCAL)?,
    })
}

fn bytes(configuration: &Configuration, option: &ConfigOption<u64>) -> Result<usize> {
    // More than the machine can address is more than any bound that follows.
    Ok(usize::try_from(configuration.require(option)?).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_under_new_and_old_keys_and_bounded() {
        let mut c = Configuration::new();
        assert_eq!(
            StorageOptions::from_configuration(&c).unwrap(),
            StorageOptions::default()
        );
        c.set("state.storage.fs.memory-threshold", "1 kb");
        c.set(options::WRITE_BUFFER_SIZE.key, "4096");
        let read = StorageOptions::from_configuration(&c).unwrap();
        assert_eq!(
            (read.inline_threshold_bytes, read.write_buffer_bytes),
            (1024, 5 << 20)
        );
        assert_eq!(read.merged_file_bytes_max, None);
        c.set(options::FILE_MERGING_ENABLED.key, "true");
        c.set(options::FILE_MERGING_MAX_FILE_SIZE.key, "1 mb");
        let read = StorageOptions::from_configuration(&c).unwrap();
        assert_eq!(read.merged_file_bytes_max, Some(1 << 20));
        c.set(options::FILE_MERGING_ACROSS_CHECKPOINTS.key, "true");
        let refused = StorageOptions::from_configuration(&c).unwrap_err();
        assert!(
            refused.report().contains("across-checkpoint-boundary"),
            "{}",
            refused.report()
        );
        c.set(options::FILE_MERGING_ACROSS_CHECKPOINTS.key, "false");
        for bad in ["2mb", "x", "3 zb", "99999999999999999999"] {
            c.set(options::DATA_INLINE_THRESHOLD.key, bad);
            assert_eq!(
                StorageOptions::from_configuration(&c).unwrap_err().kind(),
                millpond_core::ErrorKind::Config,
                "{bad}"
            );
        }
    }
}
