//! Options that are names: how files are compacted and compressed, and what RocksDB logs.

use super::out_of_range;
use millpond_core::Result;
use millpond_core::config::{Configuration, options as known};
use rust_rocksdb::{DBCompactionStyle, DBCompressionType, LogLevel, Options};

/// How RocksDB orders its files. `state.backend.rocksdb.compaction.style`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompactionStyle {
    /// In levels, each ten times the one above.
    #[default]
    Level,
    /// By age, which writes less and takes more space.
    Universal,
}

impl CompactionStyle {
    pub(super) fn native(self) -> DBCompactionStyle {
        match self {
            CompactionStyle::Level => DBCompactionStyle::Level,
            CompactionStyle::Universal => DBCompactionStyle::Universal,
        }
    }
}

pub(super) fn compaction(config: &Configuration) -> Result<Option<CompactionStyle>> {
    let option = &known::ROCKSDB_COMPACTION_STYLE;
    config
        .get(option)?
        .map(|name| match name.trim().to_ascii_uppercase().as_str() {
            "LEVEL" => Ok(CompactionStyle::Level),
            "UNIVERSAL" => Ok(CompactionStyle::Universal),
            "FIFO" => Err(out_of_range(option.key, "FIFO would drop the oldest state")),
            _ => Err(out_of_range(option.key, "expected one of LEVEL, UNIVERSAL")),
        })
        .transpose()
}

/// Whether each level is compressed.
pub(super) fn compressed_levels(config: &Configuration) -> Result<Option<Vec<bool>>> {
    let option = &known::ROCKSDB_COMPRESSION;
    let Some(names) = config.get(option)? else {
        return Ok(None);
    };
    names
        .split([';', ','])
        .map(|name| match name.trim().to_ascii_uppercase().as_str() {
            "SNAPPY_COMPRESSION" => Ok(true),
            "NO_COMPRESSION" => Ok(false),
            _ => Err(out_of_range(
                option.key,
                "this build of RocksDB has SNAPPY_COMPRESSION and NO_COMPRESSION",
            )),
        })
        .collect::<Result<_>>()
        .map(Some)
}

pub(super) fn apply_compression(levels: Option<&[bool]>, options: &mut Options) {
    let native = |compressed: &bool| {
        if *compressed {
            DBCompressionType::Snappy
        } else {
            DBCompressionType::None
        }
    };
    match levels {
        None | Some([]) => options.set_compression_type(DBCompressionType::Snappy),
        Some([all]) => options.set_compression_type(native(all)),
        Some(levels) => options.set_compression_per_level(&levels.iter().map(native).collect::<Vec<_>>()),
    }
}

/// What RocksDB logs and where. `state.backend.rocksdb.log.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// How much, by the name of RocksDB's level.
    pub level: String,
    /// The folder; `None`: that of the database.
    pub dir: Option<String>,
    /// How many files are kept.
    pub files: u32,
    /// How large a file grows, in bytes.
    pub file_size: u64,
}

fn level(name: &str) -> Option<LogLevel> {
    Some(match name.trim().to_ascii_uppercase().as_str() {
        "DEBUG_LEVEL" => LogLevel::Debug,
        "INFO_LEVEL" => LogLevel::Info,
        "WARN_LEVEL" => LogLevel::Warn,
        "ERROR_LEVEL" => LogLevel::Error,
        "FATAL_LEVEL" => LogLevel::Fatal,
        "HEADER_LEVEL" => LogLevel::Header,
        _ => return None,
    })
}

impl LogOptions {
    pub(super) fn from_config(config: &Configuration) -> Result<Self> {
        let name = config.require(&known::ROCKSDB_LOG_LEVEL)?;
        if level(&name).is_none() {
            return Err(out_of_range(
                known::ROCKSDB_LOG_LEVEL.key,
                "expected one of DEBUG_LEVEL, INFO_LEVEL, WARN_LEVEL, ERROR_LEVEL, FATAL_LEVEL, HEADER_LEVEL",
            ));
        }
        Ok(LogOptions {
            level: name,
            dir: config.get(&known::ROCKSDB_LOG_DIR)?,
            files: config.require(&known::ROCKSDB_LOG_FILES)?,
            file_size: config.require(&known::ROCKSDB_LOG_FILE_SIZE)?,
        })
    }

    pub(super) fn apply(&self, options: &mut Options) {
        options.set_log_level(level(&self.level).unwrap_or(LogLevel::Header));
        options.set_keep_log_file_num(self.files as usize);
        options.set_max_log_file_size(usize::try_from(self.file_size).unwrap_or(usize::MAX));
        if let Some(dir) = &self.dir {
            options.set_db_log_dir(dir);
        }
    }
}
