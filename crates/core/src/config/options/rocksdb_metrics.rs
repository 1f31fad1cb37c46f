//! Options of what is measured in RocksDB itself.

use crate::config::parse_bool;

options! {
    ROCKSDB_METRIC_NUM_IMMUTABLE_MEM_TABLE: bool = "state.backend.rocksdb.metrics.num-immutable-mem-table", Some("false"), parse_bool,
        "whether a metric shows how many full write buffers of each state wait to be flushed";
    ROCKSDB_METRIC_MEM_TABLE_FLUSH_PENDING: bool = "state.backend.rocksdb.metrics.mem-table-flush-pending", Some("false"), parse_bool,
        "whether a metric shows whether a flush of a state's write buffers is pending";
    ROCKSDB_METRIC_COMPACTION_PENDING: bool = "state.backend.rocksdb.metrics.compaction-pending", Some("false"), parse_bool,
        "whether a metric shows whether a compaction of a state's files is pending";
    ROCKSDB_METRIC_BACKGROUND_ERRORS: bool = "state.backend.rocksdb.metrics.background-errors", Some("false"), parse_bool,
        "whether a metric shows how many errors RocksDB's background work met";
    ROCKSDB_METRIC_CUR_SIZE_ACTIVE_MEM_TABLE: bool = "state.backend.rocksdb.metrics.cur-size-active-mem-table", Some("false"), parse_bool,
        "whether a metric shows the bytes of the write buffer that is written to";
    ROCKSDB_METRIC_CUR_SIZE_ALL_MEM_TABLES: bool = "state.backend.rocksdb.metrics.cur-size-all-mem-tables", Some("false"), parse_bool,
        "whether a metric shows the bytes of all write buffers that are not flushed";
    ROCKSDB_METRIC_SIZE_ALL_MEM_TABLES: bool = "state.backend.rocksdb.metrics.size-all-mem-tables", Some("false"), parse_bool,
        "whether a metric shows the bytes of all write buffers, pinned ones included";
    ROCKSDB_METRIC_NUM_ENTRIES_ACTIVE_MEM_TABLE: bool = "state.backend.rocksdb.metrics.num-entries-active-mem-table", Some("false"), parse_bool,
        "whether a metric shows the entries of the write buffer that is written to";
    ROCKSDB_METRIC_NUM_ENTRIES_IMM_MEM_TABLES: bool = "state.backend.rocksdb.metrics.num-entries-imm-mem-tables", Some("false"), parse_bool,
        "whether a metric shows the entries of the full write buffers";
    ROCKSDB_METRIC_NUM_DELETES_ACTIVE_MEM_TABLE: bool = "state.backend.rocksdb.metrics.num-deletes-active-mem-table", Some("false"), parse_bool,
        "whether a metric shows the deletions in the write buffer that is written to";
    ROCKSDB_METRIC_NUM_DELETES_IMM_MEM_TABLES: bool = "state.backend.rocksdb.metrics.num-deletes-imm-mem-tables", Some("false"), parse_bool,
        "whether a metric shows the deletions in the full write buffers";
    ROCKSDB_METRIC_ESTIMATE_NUM_KEYS: bool = "state.backend.rocksdb.metrics.estimate-num-keys", Some("false"), parse_bool,
        "whether a metric shows about how many keys a state has";
    ROCKSDB_METRIC_ESTIMATE_TABLE_READERS_MEM: bool = "state.backend.rocksdb.metrics.estimate-table-readers-mem", Some("false"), parse_bool,
        "whether a metric shows about how many bytes reading files takes beside the block cache";
    ROCKSDB_METRIC_NUM_SNAPSHOTS: bool = "state.backend.rocksdb.metrics.num-snapshots", Some("false"), parse_bool,
        "whether a metric shows how many snapshots of the database are not released";
    ROCKSDB_METRIC_NUM_LIVE_VERSIONS: bool = "state.backend.rocksdb.metrics.num-live-versions", Some("false"), parse_bool,
        "whether a metric shows how many versions of the set of files are alive";
    ROCKSDB_METRIC_ESTIMATE_LIVE_DATA_SIZE: bool = "state.backend.rocksdb.metrics.estimate-live-data-size", Some("false"), parse_bool,
        "whether a metric shows about how many bytes of a state's files are not outdated";
    ROCKSDB_METRIC_TOTAL_SST_FILES_SIZE: bool = "state.backend.rocksdb.metrics.total-sst-files-size", Some("false"), parse_bool,
        "whether a metric shows the bytes of the files of all versions";
    ROCKSDB_METRIC_LIVE_SST_FILES_SIZE: bool = "state.backend.rocksdb.metrics.live-sst-files-size", Some("false"), parse_bool,
        "whether a metric shows the bytes of the files of the newest version";
    ROCKSDB_METRIC_ESTIMATE_PENDING_COMPACTION_BYTES: bool = "state.backend.rocksdb.metrics.estimate-pending-compaction-bytes", Some("false"), parse_bool,
        "whether a metric shows about how many bytes compaction has to rewrite";
    ROCKSDB_METRIC_NUM_RUNNING_COMPACTIONS: bool = "state.backend.rocksdb.metrics.num-running-compactions", Some("false"), parse_bool,
        "whether a metric shows how many compactions run";
    ROCKSDB_METRIC_NUM_RUNNING_FLUSHES: bool = "state.backend.rocksdb.metrics.num-running-flushes", Some("false"), parse_bool,
        "whether a metric shows how many flushes run";
    ROCKSDB_METRIC_ACTUAL_DELAYED_WRITE_RATE: bool = "state.backend.rocksdb.metrics.actual-delayed-write-rate", Some("false"), parse_bool,
        "whether a metric shows the rate that writes are held to, 0 when they are not";
    ROCKSDB_METRIC_IS_WRITE_STOPPED: bool = "state.backend.rocksdb.metrics.is-write-stopped", Some("false"), parse_bool,
        "whether a metric shows whether writes are stopped";
    ROCKSDB_METRIC_BLOCK_CACHE_CAPACITY: bool = "state.backend.rocksdb.metrics.block-cache-capacity", Some("false"), parse_bool,
        "whether a metric shows the capacity of the block cache";
    ROCKSDB_METRIC_BLOCK_CACHE_USAGE: bool = "state.backend.rocksdb.metrics.block-cache-usage", Some("false"), parse_bool,
        "whether a metric shows the bytes in the block cache";
    ROCKSDB_METRIC_BLOCK_CACHE_PINNED_USAGE: bool = "state.backend.rocksdb.metrics.block-cache-pinned-usage", Some("false"), parse_bool,
        "whether a metric shows the bytes in the block cache that are in use";
    ROCKSDB_METRIC_NUM_FILES_AT_LEVEL: bool = "state.backend.rocksdb.metrics.num-files-at-level", Some("false"), parse_bool,
        "whether metrics show how many files each level has";
    ROCKSDB_METRIC_BLOCK_CACHE_HIT: bool = "state.backend.rocksdb.metrics.block-cache-hit", Some("false"), parse_bool,
        "whether a metric counts hits of the block cache";
    ROCKSDB_METRIC_BLOCK_CACHE_MISS: bool = "state.backend.rocksdb.metrics.block-cache-miss", Some("false"), parse_bool,
        "whether a metric counts misses of the block cache";
    ROCKSDB_METRIC_BLOOM_FILTER_USEFUL: bool = "state.backend.rocksdb.metrics.bloom-filter-useful", Some("false"), parse_bool,
        "whether a metric counts the reads that bloom filters spared";
    ROCKSDB_METRIC_BLOOM_FILTER_FULL_POSITIVE: bool = "state.backend.rocksdb.metrics.bloom-filter-full-positive", Some("false"), parse_bool,
        "whether a metric counts the reads that bloom filters did not spare";
    ROCKSDB_METRIC_BLOOM_FILTER_FULL_TRUE_POSITIVE: bool = "state.backend.rocksdb.metrics.bloom-filter-full-true-positive", Some("false"), parse_bool,
        "whether a metric counts the reads that bloom filters rightly did not spare";
    ROCKSDB_METRIC_BYTES_READ: bool = "state.backend.rocksdb.metrics.bytes-read", Some("false"), parse_bool,
        "whether a metric counts the bytes that reads gave";
    ROCKSDB_METRIC_ITER_BYTES_READ: bool = "state.backend.rocksdb.metrics.iter-bytes-read", Some("false"), parse_bool,
        "whether a metric counts the bytes that iterations gave";
    ROCKSDB_METRIC_BYTES_WRITTEN: bool = "state.backend.rocksdb.metrics.bytes-written", Some("false"), parse_bool,
        "whether a metric counts the bytes written";
    ROCKSDB_METRIC_COMPACTION_READ_BYTES: bool = "state.backend.rocksdb.metrics.compaction-read-bytes", Some("false"), parse_bool,
        "whether a metric counts the bytes that compactions read";
    ROCKSDB_METRIC_COMPACTION_WRITE_BYTES: bool = "state.backend.rocksdb.metrics.compaction-write-bytes", Some("false"), parse_bool,
        "whether a metric counts the bytes that compactions wrote";
    ROCKSDB_METRIC_STALL_MICROS: bool = "state.backend.rocksdb.metrics.stall-micros", Some("false"), parse_bool,
        "whether a metric counts the microseconds that writes waited for flushes and compactions";
    ROCKSDB_METRIC_COLUMN_FAMILY_AS_VARIABLE: bool = "state.backend.rocksdb.metrics.column-family-as-variable", Some("false"), parse_bool,
        "whether the state stands in a metric's name behind column_family";
}
