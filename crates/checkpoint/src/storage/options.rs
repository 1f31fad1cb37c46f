//! Options of the checkpoint storage, under Flink's keys (`CheckpointingOptions`).

use millpond_core::{ConfigOption, Configuration, Error, Result};

/// `execution.checkpointing.dir`: the folder under which each job has its own.
pub const CHECKPOINTS_DIRECTORY: ConfigOption<String> = ConfigOption {
    key: "execution.checkpointing.dir",
    fallback_keys: &["state.checkpoints.dir"],
    default: None,
    doc: "folder for checkpoints, a path or file:///path; unset keeps checkpoints in memory, gone with the process",
    parse: text,
};

/// `execution.checkpointing.savepoint-dir`: where a savepoint goes when nobody names a folder.
pub const SAVEPOINT_DIRECTORY: ConfigOption<String> = ConfigOption {
    key: "execution.checkpointing.savepoint-dir",
    fallback_keys: &["state.savepoints.dir"],
    default: None,
    doc: "folder for savepoints that are taken without naming one",
    parse: text,
};

/// `execution.checkpointing.data-inline-threshold`: state up to this size stands in `_metadata` itself.
pub const INLINE_THRESHOLD: ConfigOption<usize> = ConfigOption {
    key: "execution.checkpointing.data-inline-threshold",
    fallback_keys: &[
        "state.storage.fs.memory-threshold",
        "state.backend.fs.memory-threshold",
    ],
    default: Some("20kb"),
    doc: "state up to this size stands in _metadata instead of a file of its own, such as 20kb; at most 1mb",
    parse: memory_size,
};

/// `execution.checkpointing.write-buffer-size`: how much of a file is gathered before it is written.
pub const WRITE_BUFFER: ConfigOption<usize> = ConfigOption {
    key: "execution.checkpointing.write-buffer-size",
    fallback_keys: &[
        "state.storage.fs.write-buffer-size",
        "state.backend.fs.write-buffer-size",
    ],
    default: Some("8mb"),
    doc: "bytes gathered per open checkpoint file before they go out, such as 8mb (5mb to 64mb); more uses more memory, \
          less makes more requests",
    parse: memory_size,
};

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
    /// Reads [`INLINE_THRESHOLD`] and [`WRITE_BUFFER`].
    ///
    /// A write buffer below 5 MiB (Flink's own default is 4 kB, which suits its file streams) is raised to that.
    ///
    /// # Errors
    /// Config when a value is no size or the threshold is above 1 MiB.
    pub fn from_configuration(configuration: &Configuration) -> Result<Self> {
        let default = StorageOptions::default();
        let inline = configuration
            .get(&INLINE_THRESHOLD)?
            .unwrap_or(default.inline_threshold_bytes);
        if inline > INLINE_THRESHOLD_MAX_BYTES {
            return Err(
                Error::config("read option", "larger than the 1 MiB that Flink allows")
                    .with("key", INLINE_THRESHOLD.key)
                    .with("bytes", inline)
                    .hint(INLINE_THRESHOLD.doc),
            );
        }
        let buffer = configuration
            .get(&WRITE_BUFFER)?
            .unwrap_or(default.write_buffer_bytes);
        Ok(StorageOptions {
            inline_threshold_bytes: inline,
            write_buffer_bytes: buffer.clamp(WRITE_BUFFER_MIN_BYTES, WRITE_BUFFER_MAX_BYTES),
        })
    }
}

fn text(value: &str) -> std::result::Result<String, String> {
    let value = value.trim();
    if value.is_empty() {
        return Err("expected a folder".to_string());
    }
    Ok(value.to_string())
}

/// Reads a size in Flink's spelling (`MemorySize`): `20kb`, `8 mb`, a bare number as bytes; units are powers of 1024.
fn memory_size(value: &str) -> std::result::Result<usize, String> {
    let value = value.trim().to_ascii_lowercase();
    let split = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at_checked(split).unwrap_or((&value, ""));
    let number: usize = number
        .parse()
        .map_err(|_| "expected a size such as 20kb or 8mb".to_string())?;
    let bytes_per_unit: usize = match unit.trim() {
        "" | "b" | "bytes" => 1,
        "k" | "kb" | "kibibytes" => 1 << 10,
        "m" | "mb" | "mebibytes" => 1 << 20,
        "g" | "gb" | "gibibytes" => 1 << 30,
        other => return Err(format!("unknown unit {other:?}; known are b, kb, mb, gb")),
    };
    number
        .checked_mul(bytes_per_unit)
        .ok_or_else(|| "the size is too large".to_string())
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
        c.set(WRITE_BUFFER.key, "4096");
        let read = StorageOptions::from_configuration(&c).unwrap();
        assert_eq!(
            (read.inline_threshold_bytes, read.write_buffer_bytes),
            (1024, 5 << 20)
        );
        for bad in ["2mb", "x", "3 zb", "99999999999999999999"] {
            c.set(INLINE_THRESHOLD.key, bad);
            assert_eq!(
                StorageOptions::from_configuration(&c).unwrap_err().kind(),
                millpond_core::ErrorKind::Config,
                "{bad}"
            );
        }
    }
}
