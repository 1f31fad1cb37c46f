//! RocksDB's own metrics, and the cache's, as gauges. Flink's `RocksDBNativeMetricMonitor`: properties for each column family,
//! `<state>.rocksdb_<property>`, and counters for the whole database, `rocksdb_<counter>`. Each is switched on by its option
//! `state.backend.rocksdb.metrics.*`, for reading it takes time of the database.

use super::database::Database;
use crate::gauge::Gauges;
use millpond_core::Result;
use millpond_core::config::{ConfigOption, Configuration, options as known};
use rust_rocksdb::statistics::Ticker;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// What the keys of the options start with; what follows is the property's name.
const KEY_PREFIX: &str = "state.backend.rocksdb.metrics.";
/// RocksDB has so many levels by default; Flink shows as many.
const LEVELS: usize = 7;

/// Each is an option and, behind the common prefix, a property of RocksDB.
const PROPERTIES: [ConfigOption<bool>; 26] = [
    known::ROCKSDB_METRIC_NUM_IMMUTABLE_MEM_TABLE,
    known::ROCKSDB_METRIC_MEM_TABLE_FLUSH_PENDING,
    known::ROCKSDB_METRIC_COMPACTION_PENDING,
    known::ROCKSDB_METRIC_BACKGROUND_ERRORS,
    known::ROCKSDB_METRIC_CUR_SIZE_ACTIVE_MEM_TABLE,
    known::ROCKSDB_METRIC_CUR_SIZE_ALL_MEM_TABLES,
    known::ROCKSDB_METRIC_SIZE_ALL_MEM_TABLES,
    known::ROCKSDB_METRIC_NUM_ENTRIES_ACTIVE_MEM_TABLE,
    known::ROCKSDB_METRIC_NUM_ENTRIES_IMM_MEM_TABLES,
    known::ROCKSDB_METRIC_NUM_DELETES_ACTIVE_MEM_TABLE,
    known::ROCKSDB_METRIC_NUM_DELETES_IMM_MEM_TABLES,
    known::ROCKSDB_METRIC_ESTIMATE_NUM_KEYS,
    known::ROCKSDB_METRIC_ESTIMATE_TABLE_READERS_MEM,
    known::ROCKSDB_METRIC_NUM_SNAPSHOTS,
    known::ROCKSDB_METRIC_NUM_LIVE_VERSIONS,
    known::ROCKSDB_METRIC_ESTIMATE_LIVE_DATA_SIZE,
    known::ROCKSDB_METRIC_TOTAL_SST_FILES_SIZE,
    known::ROCKSDB_METRIC_LIVE_SST_FILES_SIZE,
    known::ROCKSDB_METRIC_ESTIMATE_PENDING_COMPACTION_BYTES,
    known::ROCKSDB_METRIC_NUM_RUNNING_COMPACTIONS,
    known::ROCKSDB_METRIC_NUM_RUNNING_FLUSHES,
    known::ROCKSDB_METRIC_ACTUAL_DELAYED_WRITE_RATE,
    known::ROCKSDB_METRIC_IS_WRITE_STOPPED,
    known::ROCKSDB_METRIC_BLOCK_CACHE_CAPACITY,
    known::ROCKSDB_METRIC_BLOCK_CACHE_USAGE,
    known::ROCKSDB_METRIC_BLOCK_CACHE_PINNED_USAGE,
];

/// Counters of the database, under the names of Flink's (those of RocksDB's `TickerType` in Java).
const COUNTERS: [(ConfigOption<bool>, &str, Ticker); 11] = [
    (
        known::ROCKSDB_METRIC_BLOCK_CACHE_HIT,
        "block_cache_hit",
        Ticker::BlockCacheHit,
    ),
    (
        known::ROCKSDB_METRIC_BLOCK_CACHE_MISS,
        "block_cache_miss",
        Ticker::BlockCacheMiss,
    ),
    (
        known::ROCKSDB_METRIC_BLOOM_FILTER_USEFUL,
        "bloom_filter_useful",
        Ticker::BloomFilterUseful,
    ),
    (
        known::ROCKSDB_METRIC_BLOOM_FILTER_FULL_POSITIVE,
        "bloom_filter_full_positive",
        Ticker::BloomFilterFullPositive,
    ),
    (
        known::ROCKSDB_METRIC_BLOOM_FILTER_FULL_TRUE_POSITIVE,
        "bloom_filter_full_true_positive",
        Ticker::BloomFilterFullTruePositive,
    ),
    (known::ROCKSDB_METRIC_BYTES_READ, "bytes_read", Ticker::BytesRead),
    (
        known::ROCKSDB_METRIC_ITER_BYTES_READ,
        "iter_bytes_read",
        Ticker::IterBytesRead,
    ),
    (
        known::ROCKSDB_METRIC_BYTES_WRITTEN,
        "bytes_written",
        Ticker::BytesWritten,
    ),
    (
        known::ROCKSDB_METRIC_COMPACTION_READ_BYTES,
        "compact_read_bytes",
        Ticker::CompactReadBytes,
    ),
    (
        known::ROCKSDB_METRIC_COMPACTION_WRITE_BYTES,
        "compact_write_bytes",
        Ticker::CompactWriteBytes,
    ),
    (
        known::ROCKSDB_METRIC_STALL_MICROS,
        "stall_micros",
        Ticker::StallMicros,
    ),
];

/// Which of RocksDB's metrics are shown. Flink's `RocksDBNativeMetricOptions`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NativeMetricOptions {
    properties: Vec<String>,
    counters: Vec<usize>,
    column_family_as_variable: bool,
}

impl NativeMetricOptions {
    /// What a configuration switches on.
    ///
    /// # Errors
    /// Config for a value that is neither true nor false, naming its key.
    pub fn from_config(config: &Configuration) -> Result<Self> {
        let mut options = NativeMetricOptions {
            column_family_as_variable: config.require(&known::ROCKSDB_METRIC_COLUMN_FAMILY_AS_VARIABLE)?,
            ..NativeMetricOptions::default()
        };
        for option in &PROPERTIES {
            if config.require(option)? {
                options
                    .properties
                    .extend(option.key.strip_prefix(KEY_PREFIX).map(str::to_owned));
            }
        }
        if config.require(&known::ROCKSDB_METRIC_NUM_FILES_AT_LEVEL)? {
            options
                .properties
                .extend((0..LEVELS).map(|level| format!("num-files-at-level{level}")));
        }
        for (index, (option, ..)) in COUNTERS.iter().enumerate() {
            if config.require(option)? {
                options.counters.push(index);
            }
        }
        Ok(options)
    }

    /// Whether RocksDB has to count, which costs it some time.
    pub(super) fn needs_statistics(&self) -> bool {
        !self.counters.is_empty()
    }

    /// Shows the database's counters.
    pub(super) fn register_database(&self, gauges: &Gauges, database: &Arc<Database>) {
        for (_, name, ticker) in self.counters.iter().filter_map(|index| COUNTERS.get(*index)) {
            let (database, ticker) = (Arc::downgrade(database), *ticker);
            gauges.register(format!("rocksdb_{name}"), move || {
                database.upgrade().map_or(0, |d| d.counter(ticker))
            });
        }
    }

    /// Shows the properties of the column family `column` of `state`.
    pub(super) fn register_state(
        &self,
        gauges: &Gauges,
        database: &Arc<Database>,
        state: &str,
        column: &str,
    ) {
        for property in &self.properties {
            let (database, column): (Weak<_>, _) = (Arc::downgrade(database), column.to_owned());
            let scope = if self.column_family_as_variable {
                format!("column_family.{state}")
            } else {
                state.to_owned()
            };
            let name = format!("{scope}.rocksdb_{property}");
            let property = format!("rocksdb.{property}");
            gauges.register(name, move || {
                database.upgrade().map_or(0, |d| d.property(&column, &property))
            });
        }
    }
}

/// What the last snapshot took of the values that the caches held back.
#[derive(Debug, Default)]
pub(super) struct SnapshotTimes {
    freeze_micros: AtomicU64,
    write_back_micros: AtomicU64,
}

impl SnapshotTimes {
    /// For so long the task waited.
    pub(super) fn note_freeze_nanos(&self, nanos: u64) {
        self.freeze_micros.store(nanos / 1_000, Ordering::Relaxed);
    }

    /// For so long the snapshot's thread wrote.
    pub(super) fn note_write_back_nanos(&self, nanos: u64) {
        self.write_back_micros.store(nanos / 1_000, Ordering::Relaxed);
    }
}

/// Shows what the cache of typed values took of the last snapshot: always, for it is Millpond's own and costs nothing.
pub(super) fn register_snapshot_times(gauges: &Gauges, times: &Arc<SnapshotTimes>) {
    let register = |name: &str, micros: fn(&SnapshotTimes) -> &AtomicU64| {
        let times = Arc::downgrade(times);
        gauges.register(name, move || {
            times
                .upgrade()
                .map_or(0, |times| micros(&times).load(Ordering::Relaxed))
        });
    };
    register("rocksdb_typed-cache-freeze-micros", |times| &times.freeze_micros);
    register("rocksdb_typed-cache-write-back-micros", |times| {
        &times.write_back_micros
    });
}
