//! Options of the checkpoint storage, under Flink's keys (`CheckpointingOptions`).

use millpond_core::config::options;
use millpond_core::{ConfigOption, Configuration, Error, Result};

/// Flink's `FsCheckpointStreamFactory.MAX_FILE_STATE_THRESHOLD`.
const INLINE_THRESHOLD_MAX_BYTES: usize = 1 << 20;
/// S3 refuses parts of less than 5 MiB.
const WRITE_BUFFER_MIN_BYTES: usize = 5 << 20;
const WRITE_BUFFER_MAX_BYTES: usize = 64 << 20;

/// How the storage writes files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageOptions {
    /// State up to this size stands in `_metadata` itself. Default 20 KiB, at most 1 MiB.
    pub inline_threshold_bytes: usize,
    /// Bytes gathered per open file before they go out. Default 8 MiB.
    pub write_buffer_bytes: usize,
}

impl Default for StorageOptions {
    fn default() -> Self {
        StorageOptions {
            inline_threshold_bytes: 20 << 10,
            write_buffer_bytes: 8 << 20,
        }
    }
}

impl StorageOptions {
    /// Reads [`options::DATA_INLINE_THRESHOLD`] and [`options::WRITE_BUFFER_SIZE`].
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
        })
    }
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
