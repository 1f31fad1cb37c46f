//! Sets of options for kinds of disks. Flink's `PredefinedOptions`, with its values.

use super::ColumnSettings;

/// A set of options to start from. `state.backend.rocksdb.predefined-options`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PredefinedOptions {
    /// RocksDB's own defaults.
    #[default]
    Default,
    /// For disks that turn.
    SpinningDiskOptimized,
    /// The same, with more memory for it: larger write buffers, a larger block cache, bloom filters.
    SpinningDiskOptimizedHighMem,
    /// For flash memory.
    FlashSsdOptimized,
}

const MB: u64 = 1 << 20;

impl PredefinedOptions {
    pub(super) const NAMES: &'static str = "expected one of DEFAULT, SPINNING_DISK_OPTIMIZED, SPINNING_DISK_OPTIMIZED_HIGH_MEM, FLASH_SSD_OPTIMIZED";

    /// The set of this name, in any case.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name.trim().to_ascii_uppercase().replace('-', "_").as_str() {
            "DEFAULT" => Some(PredefinedOptions::Default),
            "SPINNING_DISK_OPTIMIZED" => Some(PredefinedOptions::SpinningDiskOptimized),
            "SPINNING_DISK_OPTIMIZED_HIGH_MEM" => Some(PredefinedOptions::SpinningDiskOptimizedHighMem),
            "FLASH_SSD_OPTIMIZED" => Some(PredefinedOptions::FlashSsdOptimized),
            _ => None,
        }
    }

    /// What it sets.
    pub(super) fn settings(self) -> ColumnSettings {
        let disk = ColumnSettings {
            max_background_threads: Some(4),
            max_open_files: Some(-1),
            use_dynamic_level_size: Some(true),
            ..ColumnSettings::default()
        };
        match self {
            PredefinedOptions::Default => ColumnSettings::default(),
            PredefinedOptions::SpinningDiskOptimized | PredefinedOptions::FlashSsdOptimized => disk,
            PredefinedOptions::SpinningDiskOptimizedHighMem => ColumnSettings {
                target_file_size_base: Some(256 * MB),
                max_size_level_base: Some(1024 * MB),
                write_buffer_size: Some(64 * MB),
                max_write_buffers: Some(4),
                min_write_buffers_to_merge: Some(3),
                block_cache_size: Some(256 * MB),
                block_size: Some(128 << 10),
                use_bloom_filter: Some(true),
                ..disk
            },
        }
    }
}
