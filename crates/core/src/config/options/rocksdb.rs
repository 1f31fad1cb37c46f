//! Options of the RocksDB backend and of the memory that it is given.

use super::parsers::{one_of, positive, text};
use crate::config::{parse_bool, parse_memory_size, parse_number};

options! {
    MANAGED_MEMORY_SIZE: u64 = "taskmanager.memory.managed.size", Some("512mb"), parse_memory_size,
        "the memory that all RocksDB backends of the process share";
    ROCKSDB_LOCAL_DIRS: String = "state.backend.rocksdb.localdir", None, text,
        "folders on local disks for RocksDB's files, with commas between them; by default the system's folder for temporary files";
    ROCKSDB_PREDEFINED_OPTIONS: String = "state.backend.rocksdb.predefined-options", Some("DEFAULT"), text,
        "DEFAULT, SPINNING_DISK_OPTIMIZED, SPINNING_DISK_OPTIMIZED_HIGH_MEM or FLASH_SSD_OPTIMIZED";
    ROCKSDB_TRANSFER_THREADS: u32 = "state.backend.rocksdb.checkpoint.transfer.thread.num", Some("4"), positive,
        "how many files of a checkpoint are transferred at once";
    ROCKSDB_MANAGED_MEMORY: bool = "state.backend.rocksdb.memory.managed", Some("true"), parse_bool,
        "whether block cache and write buffers of all RocksDB backends stay within taskmanager.memory.managed.size together";
    ROCKSDB_FIXED_MEMORY_PER_SLOT: u64 = "state.backend.rocksdb.memory.fixed-per-slot", None, parse_memory_size,
        "the memory that the RocksDB backends of each slot share, instead of the managed one: subtasks of the same number are in one slot";
    ROCKSDB_FIXED_MEMORY_PER_TM: u64 = "state.backend.rocksdb.memory.fixed-per-tm", None, parse_memory_size,
        "the memory that all RocksDB backends of the process share, where it is neither managed nor given for each slot";
    ROCKSDB_WRITE_BUFFER_RATIO: f64 = "state.backend.rocksdb.memory.write-buffer-ratio", Some("0.5"), parse_number,
        "the share of that memory that write buffers may take, above 0 and below 1";
    ROCKSDB_HIGH_PRIO_POOL_RATIO: f64 = "state.backend.rocksdb.memory.high-prio-pool-ratio", Some("0.1"), parse_number,
        "the share of that memory meant for index and filter blocks; taken and checked, but RocksDB's C interface has no setter for it: its own share, half of the block cache, applies";
    ROCKSDB_PARTITIONED_INDEX_FILTERS: bool = "state.backend.rocksdb.memory.partitioned-index-filters", Some("false"), parse_bool,
        "whether index and filters are read in parts instead of whole";
    ROCKSDB_TYPED_CACHE_SIZE: u64 = "state.backend.rocksdb.typed-cache.size", None, parse_memory_size,
        "the bytes of typed values that all RocksDB backends together keep in front of their databases, out of managed memory, or that each keeps where memory is not managed; 0 switches it off, by default a quarter of managed memory";
    ROCKSDB_TYPED_CACHE_UNWRITTEN: u64 = "state.backend.rocksdb.typed-cache.unwritten-size", Some("32mb"), parse_memory_size,
        "the bytes of changed values that a state holds back from its database; a checkpoint's synchronous part writes them, about a microsecond each, so less means shorter waits and more writes";
    ROCKSDB_LEAVE_UNWRITTEN: LeaveUnwritten = "state.backend.rocksdb.typed-cache.leave-unwritten", Some("HOT"), leave_unwritten,
        "which changed values an incremental checkpoint stores in a file of its own and leaves out of the database: HOT, those that change again and again; EVERYTHING, which makes checkpoints larger; NOTHING";
    ROCKSDB_TIMERS: PriorityQueueStateType = "state.backend.rocksdb.timer-service.factory", Some("ROCKSDB"), priority_queue_state_type,
        "where the timers of a RocksDB backend are: ROCKSDB, or HEAP, which is faster and takes memory for each of them";
    ROCKSDB_TIMER_CACHE_SIZE: u32 = "state.backend.rocksdb.timer-service.cache-size", Some("128"), positive,
        "how many timers of each key group, those due first, a RocksDB backend also holds in memory when they are in the database";
    ROCKSDB_THREADS: u32 = "state.backend.rocksdb.thread.num", None, positive,
        "how many flushes and compactions of a database run at once";
    ROCKSDB_OPEN_FILES: i32 = "state.backend.rocksdb.files.open", None, parse_number,
        "how many files a database keeps open, -1: all";
    ROCKSDB_DYNAMIC_LEVEL_SIZE: bool = "state.backend.rocksdb.compaction.level.use-dynamic-size", None, parse_bool,
        "whether RocksDB chooses the sizes of its levels from the bottom up";
    ROCKSDB_TARGET_FILE_SIZE: u64 = "state.backend.rocksdb.compaction.level.target-file-size-base", None, parse_memory_size,
        "how large RocksDB's files are";
    ROCKSDB_LEVEL_BASE_SIZE: u64 = "state.backend.rocksdb.compaction.level.max-size-level-base", None, parse_memory_size,
        "how large the first sorted level of RocksDB grows";
    ROCKSDB_WRITE_BUFFER_SIZE: u64 = "state.backend.rocksdb.writebuffer.size", None, parse_memory_size,
        "how large a write buffer of a state grows before it is flushed; from 16 MB on it has four parts where memory is not managed";
    ROCKSDB_WRITE_BUFFER_FILTER_RATIO: f64 = "state.backend.rocksdb.writebuffer.filter-ratio", Some("0.02"), parse_number,
        "the share of a write buffer that a bloom filter of its keys takes, which spares reads of what is in files or nowhere a search in the buffer, at most 0.25; 0 switches it off";
    ROCKSDB_WRITE_BUFFERS: u32 = "state.backend.rocksdb.writebuffer.count", None, positive,
        "how many write buffers a state has at most";
    ROCKSDB_WRITE_BUFFERS_TO_MERGE: u32 = "state.backend.rocksdb.writebuffer.number-to-merge", None, positive,
        "how many write buffers are merged before they are flushed";
    ROCKSDB_BLOCK_SIZE: u64 = "state.backend.rocksdb.block.blocksize", None, parse_memory_size,
        "how large a block of a RocksDB file is";
    ROCKSDB_BLOCK_CACHE_SIZE: u64 = "state.backend.rocksdb.block.cache-size", None, parse_memory_size,
        "how large each state's block cache is where memory is not managed";
    ROCKSDB_BLOOM_FILTER: bool = "state.backend.rocksdb.use-bloom-filter", None, parse_bool,
        "whether RocksDB's files have bloom filters, which spare reads of keys that are not there";
    ROCKSDB_METADATA_BLOCK_SIZE: u64 = "state.backend.rocksdb.block.metadata-blocksize", None, parse_memory_size,
        "how large a part of index and filters is where they are read in parts";
    ROCKSDB_BLOOM_BITS: f64 = "state.backend.rocksdb.bloom-filter.bits-per-key", Some("10.0"), parse_number,
        "how many bits a bloom filter has for each key, where there are filters";
    ROCKSDB_BLOOM_BLOCK_BASED: bool = "state.backend.rocksdb.bloom-filter.block-based-mode", Some("false"), parse_bool,
        "whether each block has a bloom filter of its own, where there are filters; RocksDB has given this up and makes one for each file either way";
    ROCKSDB_COMPACTION_STYLE: String = "state.backend.rocksdb.compaction.style", Some("LEVEL"), text,
        "LEVEL or UNIVERSAL; FIFO, which drops the oldest state, and NONE are refused";
    ROCKSDB_COMPRESSION: String = "state.backend.rocksdb.compression.per.level", None, text,
        "the compression of each level, separated by semicolons: SNAPPY_COMPRESSION, by default for all, or NO_COMPRESSION; the last one is for all further levels";
    ROCKSDB_LOG_LEVEL: String = "state.backend.rocksdb.log.level", Some("HEADER_LEVEL"), text,
        "how much RocksDB writes to its log: DEBUG_LEVEL, INFO_LEVEL, WARN_LEVEL, ERROR_LEVEL, FATAL_LEVEL or HEADER_LEVEL";
    ROCKSDB_LOG_DIR: String = "state.backend.rocksdb.log.dir", None, text,
        "the folder of RocksDB's logs; by default they lie with the database and go with it";
    ROCKSDB_LOG_FILES: u32 = "state.backend.rocksdb.log.file-num", Some("4"), positive,
        "how many of its logs RocksDB keeps";
    ROCKSDB_LOG_FILE_SIZE: u64 = "state.backend.rocksdb.log.max-file-size", Some("25mb"), parse_memory_size,
        "how large a log of RocksDB grows before it begins another";
    ROCKSDB_WRITE_BATCH_SIZE: u64 = "state.backend.rocksdb.write-batch-size", Some("2mb"), parse_memory_size,
        "how many bytes are written at once where state is restored from a canonical snapshot";
}

/// `state.backend.rocksdb.typed-cache.leave-unwritten`: which changed values an incremental checkpoint stores beside the database's files,
/// without writing them to the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeaveUnwritten {
    /// None. Each checkpoint stores what changed since the last one, however often that is.
    Nothing,
    /// Those that were also changed shortly before the last checkpoint. The default.
    #[default]
    Hot,
    /// All but what is appended to lists. Each checkpoint stores everything that the database lacks: the least work for the database,
    /// and the largest checkpoints.
    Everything,
}

fn leave_unwritten(text: &str) -> std::result::Result<LeaveUnwritten, String> {
    one_of(
        text,
        &[
            ("NOTHING", LeaveUnwritten::Nothing),
            ("HOT", LeaveUnwritten::Hot),
            ("EVERYTHING", LeaveUnwritten::Everything),
        ],
    )
}

/// `state.backend.rocksdb.timer-service.factory`. Flink's `EmbeddedRocksDBStateBackend.PriorityQueueStateType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PriorityQueueStateType {
    /// In memory.
    Heap,
    /// In the database. The default.
    #[default]
    RocksDB,
}

fn priority_queue_state_type(text: &str) -> std::result::Result<PriorityQueueStateType, String> {
    one_of(
        text,
        &[
            ("HEAP", PriorityQueueStateType::Heap),
            ("ROCKSDB", PriorityQueueStateType::RocksDB),
        ],
    )
}
