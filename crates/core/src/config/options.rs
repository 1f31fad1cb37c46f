//! Every option that Millpond knows, under Flink's keys, with Flink's defaults where it has one.

use super::failure::{attempts, failover_strategy, restart_strategy};
use super::parse::{parse_bool, parse_duration, parse_memory_size, parse_number};
use super::ports::port_range;
use super::{ConfigOption, Configuration};
use crate::error::Result;
use crate::ids::JobId;
use std::time::Duration;

pub use super::failure::{Attempts, FailoverStrategyKind, RestartStrategyKind};
pub use super::ports::PortRange;

/// An option without its type: what `--help`, the docs and the check of given keys need.
pub struct KnownOption {
    /// See [`ConfigOption::key`].
    pub key: &'static str,
    /// See [`ConfigOption::fallback_keys`].
    pub fallback_keys: &'static [&'static str],
    /// See [`ConfigOption::default`].
    pub default: Option<&'static str>,
    /// See [`ConfigOption::doc`].
    pub doc: &'static str,
    /// Says what is wrong with a text.
    pub check: fn(&str) -> std::result::Result<(), String>,
}

impl KnownOption {
    /// Whether `key` is its key or an older spelling.
    pub fn answers_to(&self, key: &str) -> bool {
        self.key == key || self.fallback_keys.contains(&key)
    }
}

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident: $t:ty = $key:literal $(or $fallback:literal)*, $default:expr, $parse:expr, $text:literal;)*) => {
        $(
            #[doc = concat!("`", $key, "`: ", $text)]
            pub const $name: ConfigOption<$t> = ConfigOption {
                key: $key,
                fallback_keys: &[$($fallback),*],
                default: $default,
                doc: $text,
                parse: $parse,
            };
        )*
        /// Every option, in the order of the documentation.
        pub fn known() -> &'static [KnownOption] {
            const KNOWN: &[KnownOption] = &[$(KnownOption {
                key: $name.key,
                fallback_keys: $name.fallback_keys,
                default: $name.default,
                doc: $name.doc,
                check: |text| ($name.parse)(text).map(|_| ()),
            }),*];
            KNOWN
        }
    };
}

options! {
    PIPELINE_NAME: String = "pipeline.name", None, text,
        "the job's name; its id, and so its checkpoint folder, follows from it";
    JOB_ID: JobId = "$internal.pipeline.job-id" or "pipeline.job-id", None, job_id,
        "the job's id, 32 hexadecimal digits, instead of the one that follows from its name";
    PARALLELISM_DEFAULT: u32 = "parallelism.default", Some("1"), positive,
        "how many tasks an operator runs as, from 1 to 32768";
    MAX_PARALLELISM: u32 = "pipeline.max-parallelism", None, positive,
        "how many key groups keyed state has, from 1 to 32768: no operator can ever have more tasks, and it can't be changed while state is kept; by default 128, more for a high parallelism";
    OPERATOR_CHAINING: bool = "pipeline.operator-chaining.enabled", Some("true"), parse_bool,
        "whether operators that need no exchange between them share a task";
    BUFFER_TIMEOUT: Duration = "execution.buffer-timeout.interval" or "execution.buffer-timeout", Some("100 ms"), parse_duration,
        "the longest that a busy task keeps records back to fill a batch";
    BUFFERS_PER_CHANNEL: u32 = "taskmanager.network.memory.buffers-per-channel", Some("8"), positive,
        "how many batches a channel between two tasks holds before its sender has to wait";
    MAX_OVERDRAFT_BUFFERS: u32 = "taskmanager.network.memory.max-overdraft-buffers-per-gate", Some("5"), parse_number,
        "how many batches more a channel may hold when its sender is in the midst of its input and can't stop there";
    ASYNC_STATE_TOTAL_BUFFER_SIZE: u32 = "execution.async-state.total-buffer-size" or "execution.async-state.in-flight-records-limit", Some("6000"), positive,
        "how many records and timers of an operator with asynchronous state may be in flight; others wait until there are fewer";
    ASYNC_STATE_ACTIVE_BUFFER_SIZE: u32 = "execution.async-state.active-buffer-size" or "execution.async-state.buffer-size", Some("1000"), positive,
        "how many accesses to asynchronous state are gathered before they are executed together, while there is input";
    ASYNC_STATE_ACTIVE_BUFFER_TIMEOUT: u32 = "execution.async-state.active-buffer-timeout" or "execution.async-state.buffer-timeout", Some("1000"), parse_number,
        "the milliseconds after which gathered accesses are executed although there are fewer; 0: never, as long as there is input";
    ASYNC_STATE_GATHER_ALL: bool = "$internal.execution.async-state.gather-all", Some("false"), parse_bool,
        "whether accesses to asynchronous state are gathered also when nothing has to be loaded for them: for tests";
    COMMITTER_RETRIES: u32 = "sink.committer.retries", Some("10"), parse_number,
        "how often a sink tries again to commit what it can't commit for the moment before its task fails";
    STATE_BACKEND: StateBackendKind = "state.backend.type" or "state.backend", Some("hashmap"), state_backend,
        "where keyed state lives: hashmap, or rocksdb in a build with the feature of that name";

    LATENCY_TRACK_ENABLED: bool = "state.latency-track.keyed-state-enabled" or "state.backend.latency-track.keyed-state-enabled", Some("false"), parse_bool,
        "whether accesses to keyed state are timed; it costs each access a little, and those that are timed more";
    LATENCY_TRACK_SAMPLE_INTERVAL: u32 = "state.latency-track.sample-interval" or "state.backend.latency-track.sample-interval", Some("100"), positive,
        "of so many accesses of a kind to a state one is timed";
    LATENCY_TRACK_HISTORY_SIZE: u32 = "state.latency-track.history-size" or "state.backend.latency-track.history-size", Some("128"), positive,
        "from how many of the last timed accesses percentiles are computed";
    LATENCY_TRACK_STATE_NAME_AS_VARIABLE: bool = "state.latency-track.state-name-as-variable" or "state.backend.latency-track.state-name-as-variable", Some("true"), parse_bool,
        "whether metrics of a state are called state_name.NAME.METRIC instead of NAME.METRIC";
    SIZE_TRACK_ENABLED: bool = "state.size-track.keyed-state-enabled", Some("false"), parse_bool,
        "whether the number of keys of each keyed state is shown, as the last snapshot found it; for state in memory";

    CHECKPOINTING_INTERVAL: Duration = "execution.checkpointing.interval", None, parse_duration,
        "the time from one checkpoint to the next; unset or 0: no periodic checkpoints";
    CHECKPOINTING_INTERVAL_DURING_BACKLOG: Duration = "execution.checkpointing.interval-during-backlog", None, parse_duration,
        "the time from one checkpoint to the next while a source reports that it works off a backlog: 0 for no checkpoints then, else at least the interval; unset: the interval";
    CHECKPOINTING_MODE: CheckpointingMode = "execution.checkpointing.mode", Some("EXACTLY_ONCE"), mode,
        "EXACTLY_ONCE or AT_LEAST_ONCE";
    CHECKPOINTING_TIMEOUT: Duration = "execution.checkpointing.timeout", Some("10 min"), parse_duration,
        "a checkpoint that takes longer is aborted";
    CHECKPOINTING_MIN_PAUSE: Duration = "execution.checkpointing.min-pause", Some("0 ms"), parse_duration,
        "the least time from the end of one checkpoint to the start of the next";
    MAX_CONCURRENT_CHECKPOINTS: u32 = "execution.checkpointing.max-concurrent-checkpoints", Some("1"), positive,
        "how many checkpoints may be under way at once";
    TOLERABLE_FAILED_CHECKPOINTS: u32 = "execution.checkpointing.tolerable-failed-checkpoints", Some("0"), parse_number,
        "how many checkpoints in a row may fail before the job fails";
    CHECKPOINT_STORAGE: CheckpointStorageKind = "execution.checkpointing.storage" or "state.checkpoint-storage", None, checkpoint_storage,
        "where checkpoints are kept: jobmanager (in memory, gone with the process) or filesystem (in execution.checkpointing.dir); by default filesystem if a folder is given, else jobmanager";
    MEMORY_MAX_STATE_SIZE: u64 = "$internal.execution.checkpointing.storage.jobmanager.max-state-size" or "execution.checkpointing.storage.jobmanager.max-state-size", Some("5mb"), parse_memory_size,
        "the largest state, per operator instance, that a checkpoint in memory takes; in Flink an argument of JobManagerCheckpointStorage";
    CHECKPOINTS_AFTER_TASKS_FINISH: bool = "execution.checkpointing.checkpoints-after-tasks-finish" or "execution.checkpointing.checkpoints-after-tasks-finish.enabled", Some("true"), parse_bool,
        "whether checkpoints are still taken when some tasks have read all their input, the final one included that commits the last output; false: none is, and what sinks hold back for a commit is not committed";
    UNALIGNED_ENABLED: bool = "execution.checkpointing.unaligned.enabled" or "execution.checkpointing.unaligned", Some("false"), parse_bool,
        "whether barriers overtake records that wait in channels, which become part of the checkpoint: it then takes as long under backpressure as without, and is larger; for EXACTLY_ONCE and one checkpoint at a time";
    ALIGNED_CHECKPOINT_TIMEOUT: Duration = "execution.checkpointing.aligned-checkpoint-timeout" or "execution.checkpointing.alignment-timeout", Some("0 ms"), parse_duration,
        "with unaligned checkpoints, barriers overtake records only when their checkpoint is older than this; 0: at once";
    UNALIGNED_FORCED: bool = "execution.checkpointing.unaligned.forced", Some("false"), parse_bool,
        "taken and without effect: Flink allows unaligned checkpoints of iterative jobs by it, and there are none here";
    UNALIGNED_INTERRUPTIBLE_TIMERS: bool = "execution.checkpointing.unaligned.interruptible-timers.enabled", Some("false"), parse_bool,
        "true is refused with unaligned checkpoints: Flink interrupts timers for a barrier in its table operators alone";
    UNALIGNED_MAX_SUBTASKS_PER_FILE: u32 = "execution.checkpointing.unaligned.max-subtasks-per-channel-state-file", Some("1"), one,
        "how many tasks share a file of records in flight: only 1, since each task writes its own (Flink's default is 5)";
    CHECKPOINTS_DIR: String = "execution.checkpointing.dir" or "state.checkpoints.dir", None, text,
        "the folder for checkpoints: a path, or a URI file://, s3:// or hdfs://; unset: checkpoints are kept in memory and the job can't come back after its process ends";
    SAVEPOINT_DIR: String = "execution.checkpointing.savepoint-dir" or "state.savepoints.dir", None, text,
        "the folder for savepoints whose request names none";
    NUM_RETAINED: u32 = "execution.checkpointing.num-retained" or "state.checkpoints.num-retained", Some("1"), positive,
        "how many completed checkpoints are kept; more cost space and are what a damaged one is replaced by";
    CHECKPOINT_RETENTION: CheckpointRetention = "execution.checkpointing.externalized-checkpoint-retention" or "execution.checkpointing.externalized-checkpoint-mode", Some("NO_EXTERNALIZED_CHECKPOINTS"), retention,
        "what becomes of checkpoints when the job is cancelled: RETAIN_ON_CANCELLATION, DELETE_ON_CANCELLATION or NO_EXTERNALIZED_CHECKPOINTS (deleted, too); a job that fails for good always keeps them, since they are what it goes on from when it is started again";
    INCREMENTAL: bool = "execution.checkpointing.incremental" or "state.backend.incremental", Some("false"), parse_bool,
        "whether a checkpoint stores only what changed since the one before";
    DATA_INLINE_THRESHOLD: u64 = "execution.checkpointing.data-inline-threshold" or "state.storage.fs.memory-threshold" or "state.backend.fs.memory-threshold", Some("20kb"), parse_memory_size,
        "state smaller than this stands in the metadata file instead of a file of its own, at most 1 mb";
    WRITE_BUFFER_SIZE: u64 = "execution.checkpointing.write-buffer-size" or "state.storage.fs.write-buffer-size" or "state.backend.fs.write-buffer-size", Some("8mb"), parse_memory_size,
        "how much of a checkpoint file is gathered before it goes out; from 5 mb (which less is raised to) to 64 mb: more uses more memory, less makes more requests";
    LOCAL_BACKUP_ENABLED: bool = "execution.checkpointing.local-backup.enabled" or "state.backend.local-recovery", Some("false"), parse_bool,
        "whether state files are also copied to a local disk, for checkpoints that lie far away";
    LOCAL_BACKUP_DIRS: String = "execution.checkpointing.local-backup.dirs" or "taskmanager.state.local.root-dirs", None, text,
        "folders for local copies of state files, separated by commas: one for each disk; unset: millpond-local-state in the folder for temporary files";
    RECOVER_FROM_LOCAL: bool = "execution.state-recovery.from-local" or "state.backend.local-recovery", Some("false"), parse_bool,
        "whether a restart reads local copies of state files where they are whole, instead of the checkpoint's files";
    S3_ACCESS_KEY: String = "s3.access-key" or "s3.access.key" or "fs.s3a.access.key", None, text,
        "the id of the S3 key; unset: as AWS's tools find it (environment, web identity, profile, machine)";
    S3_SECRET_KEY: String = "s3.secret-key" or "s3.secret.key" or "fs.s3a.secret.key", None, text,
        "the secret of the S3 key; better left to the environment than written into a file";
    S3_SESSION_TOKEN: String = "s3.session-token" or "s3.session.token" or "fs.s3a.session.token", None, text,
        "the token of an S3 key that expires";
    S3_ENDPOINT: String = "s3.endpoint" or "fs.s3a.endpoint", None, text,
        "the address of a store that speaks S3's protocol, other than AWS's: https://host:port";
    S3_REGION: String = "s3.endpoint.region" or "s3.endpoint-region" or "fs.s3a.endpoint.region", None, text,
        "the region of the S3 bucket; unset: the environment's, or us-east-1";
    S3_PATH_STYLE_ACCESS: bool = "s3.path.style.access" or "s3.path-style-access" or "fs.s3a.path.style.access", Some("false"), parse_bool,
        "whether the bucket stands in the path of S3 requests and not in the host's name; always so for a host that is an address";
    S3_ATTEMPTS_MAXIMUM: u32 = "s3.attempts.maximum" or "fs.s3a.attempts.maximum", Some("10"), positive,
        "how often an S3 request is tried before it fails, ever longer and at random apart";
    S3_CONNECT_TIMEOUT: Duration = "s3.connection.establish.timeout" or "fs.s3a.connection.establish.timeout", Some("5 s"), parse_duration,
        "how long a connection to S3 may take to be made";
    S3_REQUEST_TIMEOUT: Duration = "s3.connection.request.timeout" or "fs.s3a.connection.request.timeout", Some("60 s"), parse_duration,
        "how long one S3 request may take; all attempts together take at most twice as long";
    HADOOP_CONF_DIR: String = "env.hadoop.conf.dir", None, text,
        "the folder of core-site.xml and hdfs-site.xml, for HDFS; unset: $HADOOP_CONF_DIR";
    CHECKPOINT_HISTORY: u32 = "web.checkpoints.history", Some("10"), positive,
        "how many checkpoints the statistics remember";

    RECOVERY_PATH: String = "execution.state-recovery.path" or "execution.savepoint.path", None, text,
        "the savepoint or checkpoint to start from";
    IGNORE_UNCLAIMED_STATE: bool = "execution.state-recovery.ignore-unclaimed-state" or "execution.savepoint.ignore-unclaimed-state", Some("false"), parse_bool,
        "whether state that belongs to no operator of the job may be left behind";
    CLAIM_MODE: ClaimMode = "execution.state-recovery.claim-mode" or "execution.savepoint-restore-mode", Some("NO_CLAIM"), claim_mode,
        "who owns the snapshot that the job starts from: NO_CLAIM (the user) or CLAIM (the job, which deletes it when it is no longer needed)";

    RESTART_STRATEGY: RestartStrategyKind = "restart-strategy.type" or "restart-strategy", None, restart_strategy,
        "what happens when the job fails: none, fixed-delay, failure-rate or exponential-delay; by default exponential-delay with checkpoints, else none";
    FIXED_DELAY_ATTEMPTS: u32 = "restart-strategy.fixed-delay.attempts", Some("1"), parse_number,
        "how often the job is restarted before it fails for good";
    FIXED_DELAY_DELAY: Duration = "restart-strategy.fixed-delay.delay", Some("1 s"), parse_duration,
        "the time from a failure to the restart";
    EXPONENTIAL_INITIAL_BACKOFF: Duration = "restart-strategy.exponential-delay.initial-backoff", Some("1 s"), parse_duration,
        "the time to the first restart";
    EXPONENTIAL_MAX_BACKOFF: Duration = "restart-strategy.exponential-delay.max-backoff", Some("1 min"), parse_duration,
        "the longest time to a restart";
    EXPONENTIAL_MULTIPLIER: f64 = "restart-strategy.exponential-delay.backoff-multiplier", Some("1.5"), parse_number,
        "by how much the time grows with each failure, above 1";
    EXPONENTIAL_RESET_THRESHOLD: Duration = "restart-strategy.exponential-delay.reset-backoff-threshold", Some("1 h"), parse_duration,
        "after so long without a failure the time is the initial one again";
    EXPONENTIAL_JITTER: f64 = "restart-strategy.exponential-delay.jitter-factor", Some("0.1"), parse_number,
        "by what share the time is varied at random, from 0 to 1";
    EXPONENTIAL_ATTEMPTS: Attempts = "restart-strategy.exponential-delay.attempts-before-reset-backoff", Some("infinite"), attempts,
        "how often the job is restarted, without a reset between, before it fails for good: a number or infinite";
    FAILURE_RATE_MAX_FAILURES: u32 = "restart-strategy.failure-rate.max-failures-per-interval", Some("1"), parse_number,
        "how many failures within the interval are answered by a restart, at least 1";
    FAILURE_RATE_INTERVAL: Duration = "restart-strategy.failure-rate.failure-rate-interval", Some("1 min"), parse_duration,
        "the time over which failures are counted";
    FAILURE_RATE_DELAY: Duration = "restart-strategy.failure-rate.delay", Some("1 s"), parse_duration,
        "the time from a failure to the restart";
    FAILOVER_STRATEGY: FailoverStrategyKind = "jobmanager.execution.failover-strategy", Some("region"), failover_strategy,
        "which tasks are restarted when one fails: region (those that are connected with it) or full (all)";

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
    ROCKSDB_FIXED_MEMORY: u64 = "state.backend.rocksdb.memory.fixed-per-slot" or "state.backend.rocksdb.memory.fixed-per-tm", None, parse_memory_size,
        "the memory of the RocksDB backends instead of the managed one";
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
        "how large a write buffer of a state grows before it is flushed";
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

    METRICS_REPORTERS: String = "metrics.reporters", None, text,
        "names of the reporters to start, with commas between them: prom is the one that is there";
    PROMETHEUS_FACTORY_CLASS: String = "metrics.reporter.prom.factory.class", None, text,
        "org.apache.flink.metrics.prometheus.PrometheusReporterFactory starts the reporter prom where metrics.reporters is not set";
    PROMETHEUS_PORT: PortRange = "metrics.reporter.prom.port", Some("9249"), port_range,
        "the port that Prometheus reads metrics at: one, a range such as 9250-9260 of which the first free one is taken, or 0 for any";
    PROMETHEUS_BIND_ADDRESS: String = "metrics.reporter.prom.bind-address", Some("127.0.0.1"), text,
        "the address that the reporter listens at; 0.0.0.0 lets other machines read the metrics";
    PROMETHEUS_FILTER_LABEL_VALUES: bool = "metrics.reporter.prom.filterLabelValueCharacters", Some("true"), parse_bool,
        "whether label values keep only letters, digits, colons and underscores";
    REST_PORT: u16 = "rest.port", Some("0"), parse_number,
        "the port of the REST interface; 0: any free one";
    REST_BIND_ADDRESS: String = "rest.bind-address" or "rest.address", Some("127.0.0.1"), text,
        "the address of the REST interface: a loopback address";
}

/// `state.backend.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateBackendKind {
    /// State as objects in memory. Flink's `HashMapStateBackend`.
    HashMap,
    /// State on local disks in RocksDB. Flink's `EmbeddedRocksDBStateBackend`.
    RocksDB,
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

/// `execution.checkpointing.storage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointStorageKind {
    /// In memory. Flink's `JobManagerCheckpointStorage`.
    JobManager,
    /// In a folder. Flink's `FileSystemCheckpointStorage`.
    FileSystem,
}

/// `execution.checkpointing.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointingMode {
    /// Each record counts once.
    ExactlyOnce,
    /// Each record counts at least once.
    AtLeastOnce,
}

/// `execution.checkpointing.externalized-checkpoint-retention`. Flink's `ExternalizedCheckpointRetention`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointRetention {
    /// Kept when the job is cancelled or fails for good.
    RetainOnCancellation,
    /// Deleted when the job is cancelled, kept when it fails for good.
    DeleteOnCancellation,
    /// Deleted when the job reaches any end.
    NoExternalizedCheckpoints,
}

/// `execution.state-recovery.claim-mode`: whose a snapshot is after a job was started from it. Flink's `RecoveryClaimMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClaimMode {
    /// It is the job's now: deleted when newer checkpoints take its place.
    Claim,
    /// It stays its owner's: never changed or deleted, and no later checkpoint names its files. The default.
    #[default]
    NoClaim,
}

impl Configuration {
    /// The checkpoint interval, `None` when checkpoints are off.
    ///
    /// # Errors
    /// As [`Configuration::get`].
    pub fn checkpoint_interval(&self) -> Result<Option<Duration>> {
        Ok(self.get(&CHECKPOINTING_INTERVAL)?.filter(|d| !d.is_zero()))
    }
}

/// Flink's options that would have to mean something here and don't, each with why.
const REFUSED: [(&str, &str); 5] = [
    (
        "state.backend.rocksdb.options-factory",
        "it names a Java class: give `RocksDBOptions::factory` an implementation of `RocksDBOptionsFactory`",
    ),
    (
        "state.backend.rocksdb.use-ingest-db-restore-mode",
        "rescaling always ingests files: leave it out",
    ),
    (
        "state.backend.rocksdb.rescaling.use-delete-files-in-range",
        "rescaling always deletes whole files first: leave it out",
    ),
    (
        "state.backend.rocksdb.restore-overlap-fraction-threshold",
        "rescaling always begins with the checkpoint that has most of the wanted key groups: leave it out",
    ),
    (
        "state.backend.rocksdb.incremental-restore-async-compact-after-rescale",
        "what a rescale leaves behind goes with ordinary compactions: leave it out",
    ),
];

/// Why an option of Flink's is refused, if it is one of those.
pub fn refusal(key: &str) -> Option<&'static str> {
    REFUSED
        .iter()
        .find(|(refused, _)| *refused == key)
        .map(|(_, why)| *why)
}

/// The known key that is most like `key`, if one is like it at all.
pub fn nearest(key: &str) -> Option<&'static str> {
    known()
        .iter()
        .map(|o| (strsim::jaro_winkler(key, o.key), o.key))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, key)| key)
}

fn text(text: &str) -> std::result::Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        Err("expected some text".to_string())
    } else {
        Ok(text.to_string())
    }
}

pub(super) fn positive(text: &str) -> std::result::Result<u32, String> {
    let number: u32 = parse_number(text)?;
    if number == 0 {
        Err("expected a number above 0".to_string())
    } else {
        Ok(number)
    }
}

fn one(text: &str) -> std::result::Result<u32, String> {
    match positive(text)? {
        1 => Ok(1),
        _ => Err("only 1 is possible: each task writes a file of its own".to_string()),
    }
}

fn job_id(text: &str) -> std::result::Result<JobId, String> {
    text.trim()
        .parse()
        .map_err(|_| "expected 32 hexadecimal digits".to_string())
}

pub(super) fn one_of<T: Copy>(given: &str, names: &[(&str, T)]) -> std::result::Result<T, String> {
    let plain = given.trim().replace('_', "-");
    names
        .iter()
        .find(|(name, _)| name.replace('_', "-").eq_ignore_ascii_case(&plain))
        .map(|(_, v)| *v)
        .ok_or_else(|| {
            format!(
                "expected one of {}",
                names.iter().map(|(n, _)| *n).collect::<Vec<_>>().join(", ")
            )
        })
}

fn checkpoint_storage(text: &str) -> std::result::Result<CheckpointStorageKind, String> {
    let kinds = [
        ("jobmanager", CheckpointStorageKind::JobManager),
        ("filesystem", CheckpointStorageKind::FileSystem),
    ];
    // Flink also takes the class's name.
    one_of(
        text.rsplit('.')
            .next()
            .unwrap_or(text)
            .trim_end_matches("CheckpointStorage"),
        &kinds,
    )
}

fn state_backend(text: &str) -> std::result::Result<StateBackendKind, String> {
    one_of(
        text,
        &[
            ("hashmap", StateBackendKind::HashMap),
            ("rocksdb", StateBackendKind::RocksDB),
        ],
    )
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

fn mode(text: &str) -> std::result::Result<CheckpointingMode, String> {
    one_of(
        text,
        &[
            ("EXACTLY_ONCE", CheckpointingMode::ExactlyOnce),
            ("AT_LEAST_ONCE", CheckpointingMode::AtLeastOnce),
        ],
    )
}

fn retention(text: &str) -> std::result::Result<CheckpointRetention, String> {
    one_of(
        text,
        &[
            (
                "RETAIN_ON_CANCELLATION",
                CheckpointRetention::RetainOnCancellation,
            ),
            (
                "DELETE_ON_CANCELLATION",
                CheckpointRetention::DeleteOnCancellation,
            ),
            (
                "NO_EXTERNALIZED_CHECKPOINTS",
                CheckpointRetention::NoExternalizedCheckpoints,
            ),
        ],
    )
}

fn claim_mode(text: &str) -> std::result::Result<ClaimMode, String> {
    one_of(
        text,
        &[("NO_CLAIM", ClaimMode::NoClaim), ("CLAIM", ClaimMode::Claim)],
    )
}
