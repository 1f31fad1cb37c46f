//! Options of the backend: Flink's `state.backend.rocksdb.*` under Flink's names, predefined sets, a factory for everything
//! else, and what becomes of them in RocksDB's own options.

mod heaps;
mod memory;
mod predefined;
mod style;
mod write_buffer;

pub use predefined::PredefinedOptions;
pub use style::{CompactionStyle, LogOptions};

pub(super) use memory::SharedMemory;

use super::NativeMetricOptions;
use super::merge;
pub use millpond_core::config::options::{LeaveUnwritten, PriorityQueueStateType};
use millpond_core::config::{Configuration, options as known};
use millpond_core::{Error, Result};
use rust_rocksdb::statistics::StatsLevel;
use rust_rocksdb::{BlockBasedOptions, LogLevel, Options};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Changes RocksDB's own options after Millpond has set them. Flink's `RocksDBOptionsFactory`.
///
/// # Contract
/// Neither the merge operator, nor the comparator, nor the block cache and write-buffer manager of managed memory may be
/// replaced (trusted).
pub trait RocksDBOptionsFactory: fmt::Debug + Send + Sync + 'static {
    /// Changes the options of a database.
    fn db_options(&self, _options: &mut Options) {}
    /// Changes the options of a state's column family.
    fn column_options(&self, _state: &str, _options: &mut Options) {}
}

/// What a RocksDB backend is configured with. The defaults are Flink's.
#[derive(Clone, Debug)]
pub struct RocksDBOptions {
    /// Folders on local disks, of which each backend takes one by turns. By default the system's folder for temporary files.
    pub local_dirs: Vec<PathBuf>,
    /// What the single options below start from.
    pub predefined: PredefinedOptions,
    /// Has the last word.
    pub factory: Option<Arc<dyn RocksDBOptionsFactory>>,
    /// How many files of a checkpoint are transferred at once.
    pub transfer_threads: usize,
    /// How many bytes are written at once where state is restored from a canonical snapshot.
    pub write_batch_bytes: usize,
    /// Memory of block cache and write buffers; `None` leaves RocksDB its own defaults for each column family.
    pub memory: Option<MemoryOptions>,
    /// Bytes of typed values that are held in front of the database; 0 switches that cache off. With `memory`, all backends
    /// that share it hold them together, without it each backend does.
    pub cache_bytes: usize,
    /// The bytes of changed values that a state holds back from its database, 32 MB by default.
    pub cache_unwritten_bytes: usize,
    /// Which of them an incremental checkpoint leaves there, and stores in a file of its own.
    pub leave_unwritten: LeaveUnwritten,
    /// The share of a write buffer that a filter of its keys takes, from 0, which switches it off, to 0.25; 0.02 by default, about 10 bits
    /// for each small value. Flink has no option for it.
    pub write_buffer_filter_ratio: f64,
    /// Where timers are. Flink's default is the database.
    pub timers: PriorityQueueStateType,
    /// How many timers of each key group, the first ones, are also held in memory when they are in the database.
    pub timer_cache_size: usize,
    /// Single options that were given; they go over the predefined ones.
    pub given: ColumnSettings,
    /// Which of RocksDB's metrics are shown.
    pub metrics: NativeMetricOptions,
}

/// Which backends share memory. Flink's `RocksDBSharedResourcesFactory`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemoryScope {
    /// All of the process, as in a task manager of one slot.
    #[default]
    Process,
    /// Those of a slot, which the subtasks of one number share.
    Slot,
}

/// Flink's managed memory for RocksDB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemoryOptions {
    /// Bytes of cache and write buffers together.
    pub bytes: u64,
    /// Which backends share them.
    pub scope: MemoryScope,
    /// The share that write buffers may take, above 0 and below 1.
    pub write_buffer_ratio: f64,
    /// The share of the block cache for index and filter blocks, from 0 to 1.
    pub high_prio_pool_ratio: f64,
    /// Whether index and filters are read in parts.
    pub partitioned_index_filters: bool,
}

/// Options of RocksDB that Flink has a name for. `None`: as predefined, else RocksDB's own default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnSettings {
    /// `state.backend.rocksdb.thread.num`.
    pub max_background_threads: Option<i32>,
    /// `state.backend.rocksdb.files.open`.
    pub max_open_files: Option<i32>,
    /// `state.backend.rocksdb.compaction.level.use-dynamic-size`.
    pub use_dynamic_level_size: Option<bool>,
    /// `state.backend.rocksdb.compaction.level.target-file-size-base`, in bytes.
    pub target_file_size_base: Option<u64>,
    /// `state.backend.rocksdb.compaction.level.max-size-level-base`, in bytes.
    pub max_size_level_base: Option<u64>,
    /// `state.backend.rocksdb.writebuffer.size`, in bytes.
    pub write_buffer_size: Option<u64>,
    /// `state.backend.rocksdb.writebuffer.count`.
    pub max_write_buffers: Option<i32>,
    /// `state.backend.rocksdb.writebuffer.number-to-merge`.
    pub min_write_buffers_to_merge: Option<i32>,
    /// `state.backend.rocksdb.block.blocksize`, in bytes.
    pub block_size: Option<u64>,
    /// `state.backend.rocksdb.block.cache-size`, in bytes; without managed memory only.
    pub block_cache_size: Option<u64>,
    /// `state.backend.rocksdb.use-bloom-filter`.
    pub use_bloom_filter: Option<bool>,
    /// `state.backend.rocksdb.block.metadata-blocksize`, in bytes.
    pub metadata_block_size: Option<u64>,
    /// `state.backend.rocksdb.bloom-filter.bits-per-key`.
    pub bloom_bits_per_key: Option<f64>,
    /// `state.backend.rocksdb.bloom-filter.block-based-mode`.
    pub bloom_block_based: Option<bool>,
    /// `state.backend.rocksdb.compaction.style`.
    pub compaction_style: Option<CompactionStyle>,
    /// `state.backend.rocksdb.compression.per.level`: whether each level is compressed, the last one for all further levels.
    pub compressed_levels: Option<Vec<bool>>,
    /// `state.backend.rocksdb.log.*`.
    pub log: Option<LogOptions>,
}

impl ColumnSettings {
    /// These, and `under` where one is not set.
    fn over(&self, under: &ColumnSettings) -> ColumnSettings {
        ColumnSettings {
            max_background_threads: self.max_background_threads.or(under.max_background_threads),
            max_open_files: self.max_open_files.or(under.max_open_files),
            use_dynamic_level_size: self.use_dynamic_level_size.or(under.use_dynamic_level_size),
            target_file_size_base: self.target_file_size_base.or(under.target_file_size_base),
            max_size_level_base: self.max_size_level_base.or(under.max_size_level_base),
            write_buffer_size: self.write_buffer_size.or(under.write_buffer_size),
            max_write_buffers: self.max_write_buffers.or(under.max_write_buffers),
            min_write_buffers_to_merge: self
                .min_write_buffers_to_merge
                .or(under.min_write_buffers_to_merge),
            block_size: self.block_size.or(under.block_size),
            block_cache_size: self.block_cache_size.or(under.block_cache_size),
            use_bloom_filter: self.use_bloom_filter.or(under.use_bloom_filter),
            metadata_block_size: self.metadata_block_size.or(under.metadata_block_size),
            bloom_bits_per_key: self.bloom_bits_per_key.or(under.bloom_bits_per_key),
            bloom_block_based: self.bloom_block_based.or(under.bloom_block_based),
            compaction_style: self.compaction_style.or(under.compaction_style),
            compressed_levels: self
                .compressed_levels
                .clone()
                .or_else(|| under.compressed_levels.clone()),
            log: self.log.clone().or_else(|| under.log.clone()),
        }
    }
}

/// The share of managed memory that typed values get when nobody says how much.
const CACHE_SHARE_DEFAULT: u64 = 4;
/// The share of managed memory that nobody is given: what lies free between cached blocks, where no page can go back to the system.
/// Without it four databases under a write load went over their bound by 6 % after 20 GB (`rocksdb_memory` of the bench).
const HOLES_SHARE: u64 = 16;

impl Default for RocksDBOptions {
    fn default() -> Self {
        RocksDBOptions {
            local_dirs: vec![std::env::temp_dir()],
            predefined: PredefinedOptions::Default,
            factory: None,
            transfer_threads: 4,
            write_batch_bytes: 2 << 20,
            memory: None,
            cache_bytes: 64 << 20,
            cache_unwritten_bytes: 32 << 20,
            leave_unwritten: LeaveUnwritten::default(),
            write_buffer_filter_ratio: 0.02,
            timers: PriorityQueueStateType::RocksDB,
            timer_cache_size: 128,
            given: ColumnSettings::default(),
            metrics: NativeMetricOptions::default(),
        }
    }
}

impl RocksDBOptions {
    /// What a configuration says.
    ///
    /// # Errors
    /// Config for a value that is out of range, naming its key.
    pub fn from_config(config: &Configuration) -> Result<Self> {
        let mut options = RocksDBOptions::default();
        if let Some(dirs) = config.get(&known::ROCKSDB_LOCAL_DIRS)? {
            let dirs = dirs.split([',', ':']).map(str::trim).filter(|d| !d.is_empty());
            options.local_dirs = dirs.map(PathBuf::from).collect();
            if options.local_dirs.is_empty() {
                return Err(out_of_range(known::ROCKSDB_LOCAL_DIRS.key, "it names no folder"));
            }
        }
        if let Some(name) = config.get(&known::ROCKSDB_PREDEFINED_OPTIONS)? {
            options.predefined = PredefinedOptions::parse(&name).ok_or_else(|| {
                out_of_range(known::ROCKSDB_PREDEFINED_OPTIONS.key, PredefinedOptions::NAMES)
            })?;
        }
        options.write_batch_bytes =
            usize::try_from(config.require(&known::ROCKSDB_WRITE_BATCH_SIZE)?).unwrap_or(usize::MAX);
        options.transfer_threads = config.require(&known::ROCKSDB_TRANSFER_THREADS)? as usize;
        let managed = config.require(&known::MANAGED_MEMORY_SIZE)?;
        let cache = config.get(&known::ROCKSDB_TYPED_CACHE_SIZE)?;
        // What is given for a slot goes before managed memory, and that before what is given for a task manager.
        let per_slot = config.get(&known::ROCKSDB_FIXED_MEMORY_PER_SLOT)?;
        let per_process = if config.require(&known::ROCKSDB_MANAGED_MEMORY)? {
            Some(managed)
        } else {
            config.get(&known::ROCKSDB_FIXED_MEMORY_PER_TM)?
        };
        let memory = per_slot
            .map(|bytes| (bytes, MemoryScope::Slot))
            .or(per_process.map(|bytes| (bytes, MemoryScope::Process)));
        if let Some((total, scope)) = memory {
            let cache = cache.unwrap_or(total / CACHE_SHARE_DEFAULT);
            let given = total - total / HOLES_SHARE;
            let bytes = given.checked_sub(cache).filter(|b| *b > 0).ok_or_else(|| {
                out_of_range(
                    known::ROCKSDB_TYPED_CACHE_SIZE.key,
                    "the cache of typed values leaves no managed memory to RocksDB",
                )
                .with("managed", total)
                .with("cache", cache)
                .with("cache_max", given)
            })?;
            options.cache_bytes = usize::try_from(cache).unwrap_or(usize::MAX);
            options.memory = Some(MemoryOptions::from_config(config, bytes, scope)?);
        } else if let Some(cache) = cache {
            options.cache_bytes = usize::try_from(cache).unwrap_or(usize::MAX);
        }
        options.cache_unwritten_bytes =
            usize::try_from(config.require(&known::ROCKSDB_TYPED_CACHE_UNWRITTEN)?).unwrap_or(usize::MAX);
        options.leave_unwritten = config.require(&known::ROCKSDB_LEAVE_UNWRITTEN)?;
        options.write_buffer_filter_ratio = config.require(&known::ROCKSDB_WRITE_BUFFER_FILTER_RATIO)?;
        if !(0.0..=write_buffer::FILTER_RATIO_MAX).contains(&options.write_buffer_filter_ratio) {
            return Err(out_of_range(
                known::ROCKSDB_WRITE_BUFFER_FILTER_RATIO.key,
                "expected a number from 0 to 0.25",
            ));
        }
        options.timers = config.require(&known::ROCKSDB_TIMERS)?;
        options.timer_cache_size = config.require(&known::ROCKSDB_TIMER_CACHE_SIZE)? as usize;
        options.given = ColumnSettings::from_config(config)?;
        options.metrics = NativeMetricOptions::from_config(config)?;
        Ok(options)
    }

    /// How many timers of a key group may be in memory when they are in the database; `None`: they are in memory alone.
    pub(super) fn timer_head_size(&self) -> Option<usize> {
        match self.timers {
            PriorityQueueStateType::Heap => None,
            PriorityQueueStateType::RocksDB => Some(self.timer_cache_size),
        }
    }
}

impl MemoryOptions {
    /// The slot that the memory of a backend in `slot` belongs to; `None`: it is everybody's.
    pub(super) fn slot(&self, slot: u32) -> Option<u32> {
        match self.scope {
            MemoryScope::Process => None,
            MemoryScope::Slot => Some(slot),
        }
    }

    fn from_config(config: &Configuration, bytes: u64, scope: MemoryScope) -> Result<Self> {
        let write_buffer_ratio = config.require(&known::ROCKSDB_WRITE_BUFFER_RATIO)?;
        let high_prio_pool_ratio = config.require(&known::ROCKSDB_HIGH_PRIO_POOL_RATIO)?;
        if !(write_buffer_ratio > 0.0 && write_buffer_ratio < 1.0) {
            return Err(out_of_range(
                known::ROCKSDB_WRITE_BUFFER_RATIO.key,
                "expected a number between 0 and 1",
            ));
        }
        if !(0.0..1.0).contains(&high_prio_pool_ratio) || write_buffer_ratio + high_prio_pool_ratio >= 1.0 {
            return Err(out_of_range(
                known::ROCKSDB_HIGH_PRIO_POOL_RATIO.key,
                "expected a number from 0 that with the write-buffer ratio stays below 1",
            ));
        }
        Ok(MemoryOptions {
            bytes,
            scope,
            write_buffer_ratio,
            high_prio_pool_ratio,
            partitioned_index_filters: config.require(&known::ROCKSDB_PARTITIONED_INDEX_FILTERS)?,
        })
    }
}

impl ColumnSettings {
    fn from_config(config: &Configuration) -> Result<Self> {
        Ok(ColumnSettings {
            max_background_threads: config.get(&known::ROCKSDB_THREADS)?.map(small),
            max_open_files: config.get(&known::ROCKSDB_OPEN_FILES)?,
            use_dynamic_level_size: config.get(&known::ROCKSDB_DYNAMIC_LEVEL_SIZE)?,
            target_file_size_base: config.get(&known::ROCKSDB_TARGET_FILE_SIZE)?,
            max_size_level_base: config.get(&known::ROCKSDB_LEVEL_BASE_SIZE)?,
            write_buffer_size: config.get(&known::ROCKSDB_WRITE_BUFFER_SIZE)?,
            max_write_buffers: config.get(&known::ROCKSDB_WRITE_BUFFERS)?.map(small),
            min_write_buffers_to_merge: config.get(&known::ROCKSDB_WRITE_BUFFERS_TO_MERGE)?.map(small),
            block_size: config.get(&known::ROCKSDB_BLOCK_SIZE)?,
            block_cache_size: config.get(&known::ROCKSDB_BLOCK_CACHE_SIZE)?,
            use_bloom_filter: config.get(&known::ROCKSDB_BLOOM_FILTER)?,
            metadata_block_size: config.get(&known::ROCKSDB_METADATA_BLOCK_SIZE)?,
            bloom_bits_per_key: config.get(&known::ROCKSDB_BLOOM_BITS)?,
            bloom_block_based: config.get(&known::ROCKSDB_BLOOM_BLOCK_BASED)?,
            compaction_style: style::compaction(config)?,
            compressed_levels: style::compressed_levels(config)?,
            log: Some(LogOptions::from_config(config)?),
        })
    }
}

/// How old a file has to be before RocksDB rewrites it for nothing but what snapshots kept from being dropped: a day.
const BOTTOMMOST_DELAY_SECONDS: u32 = 24 * 60 * 60;

fn small(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

fn out_of_range(key: &'static str, message: &'static str) -> Error {
    Error::config("configure rocksdb", message).with("option", key)
}

/// RocksDB's options for one backend.
#[derive(Debug)]
pub(super) struct ColumnOptions {
    settings: ColumnSettings,
    write_buffer_filter_ratio: f64,
    factory: Option<Arc<dyn RocksDBOptionsFactory>>,
    memory: Option<Arc<SharedMemory>>,
    pub(super) metrics: NativeMetricOptions,
}

impl ColumnOptions {
    /// The options of a backend in a slot.
    pub(super) fn new(options: &RocksDBOptions, slot: u32) -> Arc<Self> {
        Arc::new(ColumnOptions {
            settings: options.given.over(&options.predefined.settings()),
            write_buffer_filter_ratio: options.write_buffer_filter_ratio,
            factory: options.factory.clone(),
            memory: options.memory.map(|memory| SharedMemory::get(memory, slot)),
            metrics: options.metrics.clone(),
        })
    }

    /// Called before so many bytes are written: where memory is managed, a writer may have to wait.
    #[inline]
    pub(super) fn before_write(&self, bytes: usize) {
        if let Some(memory) = &self.memory {
            memory.before_write(bytes);
        }
    }

    /// For the database.
    pub(super) fn database(&self) -> Options {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        // Checkpoints are the durability: the database itself never outlives its process.
        options.set_use_fsync(false);
        options.set_stats_dump_period_sec(0);
        match &self.settings.log {
            Some(log) => log.apply(&mut options),
            None => options.set_log_level(LogLevel::Header),
        }
        options.set_avoid_unnecessary_blocking_io(true);
        if let Some(n) = self.settings.max_background_threads {
            options.set_max_background_jobs(n);
        }
        options.set_max_open_files(self.settings.max_open_files.unwrap_or(-1));
        if let Some(memory) = &self.memory {
            options.set_write_buffer_manager(memory.write_buffers());
        }
        if self.metrics.needs_statistics() {
            options.enable_statistics();
            options.set_statistics_level(StatsLevel::ExceptHistogramOrTimers);
        }
        if let Some(factory) = &self.factory {
            factory.db_options(&mut options);
        }
        options
    }

    /// For the column family of a state.
    pub(super) fn column(&self, state: &str) -> Options {
        let settings = &self.settings;
        let mut options = Options::default();
        merge::install(&mut options);
        // Batched reads go through a write buffer in the order of their keys.
        options.set_memtable_batch_lookup_optimization(true);
        // Each snapshot of the database that goes would else have files rewritten, only to take the numbers off their entries, and the
        // next checkpoint would upload them.
        options.set_bottommost_file_compaction_delay(BOTTOMMOST_DELAY_SECONDS);
        style::apply_compression(settings.compressed_levels.as_deref(), &mut options);
        options.set_compaction_style(settings.compaction_style.unwrap_or_default().native());
        options.set_level_compaction_dynamic_level_bytes(settings.use_dynamic_level_size.unwrap_or(false));
        if let Some(bytes) = settings.target_file_size_base {
            options.set_target_file_size_base(bytes);
        }
        if let Some(bytes) = settings.max_size_level_base {
            options.set_max_bytes_for_level_base(bytes);
        }
        let mut table = BlockBasedOptions::default();
        if let Some(bytes) = settings.block_size {
            table.set_block_size(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
        if settings.use_bloom_filter == Some(true) {
            table.set_bloom_filter(
                settings.bloom_bits_per_key.unwrap_or(10.0),
                settings.bloom_block_based.unwrap_or(false),
            );
        }
        if let Some(bytes) = settings.metadata_block_size {
            table.set_metadata_block_size(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
        match &self.memory {
            Some(memory) => memory.apply(&mut options, &mut table),
            None => {
                if let Some(bytes) = settings.block_cache_size {
                    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                    table.set_block_cache(&rust_rocksdb::Cache::new_lru_cache(bytes));
                }
            }
        }
        options.set_block_based_table_factory(&table);
        let memory = self.memory.as_deref();
        write_buffer::apply(settings, self.write_buffer_filter_ratio, memory, &mut options);
        if let Some(factory) = &self.factory {
            factory.column_options(state, &mut options);
        }
        options
    }
}
