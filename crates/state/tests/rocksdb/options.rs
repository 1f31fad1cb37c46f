//! What a configuration makes of the backend's options.

use millpond_core::config::Configuration;
use millpond_core::{ErrorKind, Result};
use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond_state::rocksdb::options::{
    CompactionStyle, MemoryOptions, MemoryScope, PredefinedOptions, RocksDBOptionsFactory,
};
use millpond_state::rocksdb::{EmbeddedRocksDBStateBackend, RocksDBOptions, native};
use millpond_state::snapshot::SnapshotKind;
use millpond_state::stream::memory::MemoryStreams;
use millpond_types::KeyGroupRange;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn options(given: &[(&str, &str)]) -> Result<RocksDBOptions> {
    let mut config = Configuration::new();
    for (key, value) in given {
        config.set(*key, value);
    }
    RocksDBOptions::from_config(&config)
}

/// Goal: without any option the memory is managed, with Flink's ratios; a quarter of it is for typed values, a sixteenth is nobody's.
#[test]
fn memory_is_managed_by_default() {
    let options = options(&[("taskmanager.memory.managed.size", "256mb")]).unwrap();
    let expected = MemoryOptions {
        bytes: 176 << 20,
        scope: MemoryScope::Process,
        write_buffer_ratio: 0.5,
        high_prio_pool_ratio: 0.1,
        partitioned_index_filters: false,
    };
    assert_eq!(options.memory, Some(expected));
    assert_eq!(options.cache_bytes, 64 << 20);
    assert_eq!(options.transfer_threads, 4);
}

/// Goal: memory for a slot goes before managed memory, and that before memory for a task manager, as in Flink.
#[test]
fn memory_is_given_for_a_slot_or_a_process() {
    let of = |given: &[(&str, &str)]| {
        let memory = options(given).unwrap().memory;
        memory.map(|memory| (memory.bytes >> 20, memory.scope))
    };
    let managed = ("taskmanager.memory.managed.size", "256mb");
    let unmanaged = ("state.backend.rocksdb.memory.managed", "false");
    let per_slot = ("state.backend.rocksdb.memory.fixed-per-slot", "64mb");
    let per_tm = ("state.backend.rocksdb.memory.fixed-per-tm", "128mb");
    assert_eq!(of(&[managed, per_tm]), Some((176, MemoryScope::Process)));
    assert_eq!(of(&[unmanaged, per_tm]), Some((88, MemoryScope::Process)));
    let slot = Some((44, MemoryScope::Slot));
    assert_eq!(of(&[managed, per_tm, per_slot]), slot);
    assert_eq!(of(&[unmanaged, per_tm, per_slot]), slot);
    assert_eq!(of(&[unmanaged]), None);
}

/// Goal: Flink's keys are understood.
#[test]
fn flinks_keys_are_read() {
    let options = options(&[
        ("state.backend.rocksdb.localdir", "/a,/b"),
        (
            "state.backend.rocksdb.predefined-options",
            "SPINNING_DISK_OPTIMIZED_HIGH_MEM",
        ),
        ("state.backend.rocksdb.memory.managed", "false"),
        ("state.backend.rocksdb.writebuffer.size", "8mb"),
        ("state.backend.rocksdb.writebuffer.filter-ratio", "0.1"),
        ("state.backend.rocksdb.checkpoint.transfer.thread.num", "2"),
        ("state.backend.rocksdb.typed-cache.size", "0b"),
        ("state.backend.rocksdb.typed-cache.unwritten-size", "3mb"),
        ("state.backend.rocksdb.compaction.style", "universal"),
        (
            "state.backend.rocksdb.compression.per.level",
            "NO_COMPRESSION;SNAPPY_COMPRESSION",
        ),
        ("state.backend.rocksdb.block.metadata-blocksize", "8kb"),
        ("state.backend.rocksdb.bloom-filter.bits-per-key", "12.5"),
        ("state.backend.rocksdb.write-batch-size", "1mb"),
        ("state.backend.rocksdb.log.level", "info_level"),
        ("state.backend.rocksdb.log.file-num", "2"),
    ])
    .unwrap();
    assert_eq!(options.local_dirs.len(), 2);
    assert_eq!(
        options.predefined,
        PredefinedOptions::SpinningDiskOptimizedHighMem
    );
    assert_eq!(options.memory, None);
    assert_eq!(options.given.write_buffer_size, Some(8 << 20));
    assert_eq!(options.write_buffer_filter_ratio, 0.1);
    assert_eq!((options.transfer_threads, options.cache_bytes), (2, 0));
    assert_eq!(options.cache_unwritten_bytes, 3 << 20);
    assert_eq!(options.write_batch_bytes, 1 << 20);
    assert_eq!(options.given.compaction_style, Some(CompactionStyle::Universal));
    assert_eq!(options.given.compressed_levels, Some(vec![false, true]));
    assert_eq!(options.given.metadata_block_size, Some(8 << 10));
    assert_eq!(options.given.bloom_bits_per_key, Some(12.5));
    assert_eq!(options.given.log.map(|log| log.files), Some(2));
}

/// Goal: what is out of range is refused with its key.
#[test]
fn options_out_of_range_are_refused_by_key() {
    for (key, value) in [
        ("state.backend.rocksdb.memory.write-buffer-ratio", "1.5"),
        ("state.backend.rocksdb.memory.high-prio-pool-ratio", "0.6"),
        ("state.backend.rocksdb.writebuffer.filter-ratio", "0.3"),
        ("state.backend.rocksdb.writebuffer.filter-ratio", "NaN"),
        ("state.backend.rocksdb.predefined-options", "FAST"),
        ("state.backend.rocksdb.typed-cache.size", "600mb"),
        ("state.backend.rocksdb.localdir", " , "),
        ("state.backend.rocksdb.compaction.style", "FIFO"),
        ("state.backend.rocksdb.compression.per.level", "ZSTD_COMPRESSION"),
        ("state.backend.rocksdb.log.level", "LOUD"),
    ] {
        let e = options(&[(key, value)]).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Config, "{key}");
        assert!(e.report().contains(key), "{}", e.report());
    }
}

/// Goal: a read of a key that no write buffer holds is spared the search in it, also with managed memory, unless filters are off. Method:
/// RocksDB's counters of this thread.
#[test]
fn write_buffers_have_filters() {
    use native::perf::{PerfContext, PerfMetric, PerfStatsLevel, set_perf_stats};
    let managed = ("state.backend.rocksdb.memory.managed", "true");
    let unmanaged = ("state.backend.rocksdb.memory.managed", "false");
    let off = ("state.backend.rocksdb.writebuffer.filter-ratio", "0");
    let no_cache = ("state.backend.rocksdb.typed-cache.size", "0b");
    for (given, spared) in [
        (vec![managed, no_cache], true),
        (vec![unmanaged, no_cache], true),
        (vec![managed, no_cache, off], false),
    ] {
        let backend = EmbeddedRocksDBStateBackend::new(options(&given).unwrap());
        let parameters = KeyedStateBackendParameters::<i64>::new(KeyGroupRange::new(0, 7).unwrap(), 8);
        let mut backend = backend
            .create_keyed_backend(parameters, &[], &MemoryStreams::default())
            .unwrap();
        let count = super::files::count(&mut backend);
        for key in 0..100 {
            backend.set_current_key(key).unwrap();
            count.update(key).unwrap();
        }
        set_perf_stats(PerfStatsLevel::EnableCount);
        let mut counters = PerfContext::default();
        counters.reset();
        for key in 0..200 {
            backend.set_current_key(key).unwrap();
            assert_eq!(count.get().unwrap(), (key < 100).then_some(key));
        }
        let missed = counters.metric(PerfMetric::BloomMemtableMissCount);
        set_perf_stats(PerfStatsLevel::Disable);
        // A filter takes few keys for others: it is far larger than these need.
        let expected = if spared { 90..=100 } else { 0..=0 };
        assert!(expected.contains(&missed), "{given:?}: {missed}");
    }
}

/// Goal: a write buffer has four parts that a flush merges, unless memory is managed or the buffer small. Method: what RocksDB says of its own
/// options in the database's folder.
#[test]
fn write_buffers_have_parts() {
    let managed = ("state.backend.rocksdb.memory.managed", "true");
    let unmanaged = ("state.backend.rocksdb.memory.managed", "false");
    let small = ("state.backend.rocksdb.writebuffer.size", "8mb");
    let merged = ("state.backend.rocksdb.writebuffer.number-to-merge", "2");
    let counted = ("state.backend.rocksdb.writebuffer.count", "5");
    for (given, bytes, count, to_merge) in [
        (vec![unmanaged], 16 << 20, 16, 4),
        (vec![unmanaged, merged, counted], 16 << 20, 20, 8),
        (vec![unmanaged, small], 8 << 20, 4, 1),
        (vec![managed], 64 << 20, 4, 1),
        (vec![managed, merged, counted], 64 << 20, 5, 2),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut factory = EmbeddedRocksDBStateBackend::new(options(&given).unwrap());
        factory.options.local_dirs = vec![folder.path().to_owned()];
        let parameters = KeyedStateBackendParameters::<i64>::new(KeyGroupRange::new(0, 7).unwrap(), 8);
        let mut backend = factory
            .create_keyed_backend(parameters, &[], &MemoryStreams::default())
            .unwrap();
        super::files::count(&mut backend);
        let written = written_options(folder.path(), "count");
        for (option, expected) in [
            ("write_buffer_size", bytes),
            ("max_write_buffer_number", count),
            ("min_write_buffer_number_to_merge", to_merge),
        ] {
            let expected = format!("  {option}={expected}\n");
            assert!(written.contains(&expected), "{given:?}: {expected} in {written}");
        }
    }
}

/// What RocksDB has written of the options of a column family of the database below `folder`.
fn written_options(folder: &Path, column: &str) -> String {
    let folders = std::fs::read_dir(folder).unwrap();
    let databases = folders.map(|entry| entry.unwrap().path().join("db"));
    let mut options: Vec<_> = databases
        .flat_map(|db| std::fs::read_dir(db).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("OPTIONS-"))
        .collect();
    options.sort();
    let text = std::fs::read_to_string(options.last().unwrap()).unwrap();
    let (_, section) = text.split_once(&format!("[CFOptions \"{column}\"]")).unwrap();
    section.split("[CFOptions").next().unwrap().to_owned()
}

/// Goal: a local folder that cannot be made is named, with the option that chooses it.
#[test]
fn a_local_folder_that_cannot_be_used_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut backend = EmbeddedRocksDBStateBackend::default();
    backend.options.local_dirs = vec![file.path().join("below-a-file")];
    let parameters = KeyedStateBackendParameters::<i64>::new(KeyGroupRange::new(0, 7).unwrap(), 8);
    let e = backend
        .create_keyed_backend(parameters, &[], &MemoryStreams::default())
        .unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Io);
    let report = e.report();
    assert!(
        report.contains("below-a-file") && report.contains("localdir"),
        "{report}"
    );
}

/// Goal: a local folder that goes away while the job runs is named in the checkpoint that needs it. Method: removed under an open
/// database.
#[test]
fn a_local_folder_that_is_gone_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let mut backend = EmbeddedRocksDBStateBackend::default();
    backend.options.local_dirs = vec![parent.path().join("state")];
    let parameters =
        KeyedStateBackendParameters::<i64>::new(KeyGroupRange::new(0, 7).unwrap(), 8).incremental(true);
    let streams = MemoryStreams::default();
    let mut backend = backend.create_keyed_backend(parameters, &[], &streams).unwrap();
    let count = super::files::count(&mut backend);
    backend.set_current_key(1).unwrap();
    count.update(1).unwrap();
    std::fs::remove_dir_all(parent.path()).unwrap();
    let snapshot = backend.snapshot(1, SnapshotKind::Checkpoint);
    let e = snapshot.and_then(|s| s.run(&streams)).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Io, "{}", e.report());
    let report = e.report().to_string();
    let folder = parent.path().display().to_string();
    assert!(
        report.contains(&folder) && report.contains("localdir"),
        "{report}"
    );
}

#[derive(Debug, Default)]
struct Counting {
    databases: AtomicUsize,
    columns: AtomicUsize,
}

impl RocksDBOptionsFactory for Counting {
    fn db_options(&self, options: &mut native::Options) {
        options.set_max_background_jobs(1);
        self.databases.fetch_add(1, Ordering::SeqCst);
    }
    fn column_options(&self, state: &str, _options: &mut native::Options) {
        if state == "count" {
            self.columns.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Goal: a factory has its say about the database and about each state.
#[test]
fn a_factory_changes_options() {
    let factory = Arc::new(Counting::default());
    let mut backend = EmbeddedRocksDBStateBackend::default();
    backend.options.factory = Some(factory.clone());
    let parameters = KeyedStateBackendParameters::<i64>::new(KeyGroupRange::new(0, 7).unwrap(), 8);
    let mut backend: KeyedStateBackend<i64> = backend
        .create_keyed_backend(parameters, &[], &MemoryStreams::default())
        .unwrap();
    super::files::count(&mut backend);
    assert_eq!(factory.databases.load(Ordering::SeqCst), 1);
    assert_eq!(factory.columns.load(Ordering::SeqCst), 1);
}
