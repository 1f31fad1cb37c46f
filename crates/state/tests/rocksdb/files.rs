//! Files and folders: what is uploaded and what is named again, what is left on the local disk, what a rescale reads.

use millpond_core::ErrorKind;
use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond_state::descriptor::ValueStateDescriptor;
use millpond_state::handle::{IncrementalRemoteKeyedStateHandle, KeyedStateHandle, StreamStateHandle};
use millpond_state::keyed::ValueState;
use millpond_state::rocksdb::EmbeddedRocksDBStateBackend;
use millpond_state::snapshot::SnapshotKind;
use millpond_state::stream::memory::MemoryStreams;
use millpond_types::{KeyGroupRange, StateType, VoidNamespace};
use std::path::Path;

const MAX_PARALLELISM: u32 = 16;

/// Opens the state that these tests use.
pub fn count(backend: &mut KeyedStateBackend<i64>) -> ValueState<i64> {
    backend
        .value_state(
            ValueStateDescriptor::new("count"),
            VoidNamespace::serializer(),
            VoidNamespace,
        )
        .unwrap()
}

pub fn open(
    folder: &Path,
    range: (u32, u32),
    handles: &[KeyedStateHandle],
    streams: &MemoryStreams,
) -> KeyedStateBackend<i64> {
    let mut backend = EmbeddedRocksDBStateBackend::default();
    backend.options.local_dirs = vec![folder.to_owned()];
    let range = KeyGroupRange::new(range.0, range.1).unwrap();
    let parameters = KeyedStateBackendParameters::new(range, MAX_PARALLELISM).incremental(true);
    backend
        .create_keyed_backend(parameters, handles, streams)
        .unwrap()
}

/// Writes `value` for the keys of the instance among the first thousand.
pub fn fill(backend: &KeyedStateBackend<i64>, state: &ValueState<i64>, value: i64) {
    for key in 0..1_000 {
        let group = backend.key_context().key_group_of(&key);
        if backend.key_group_range().contains(group) {
            backend.set_current_key(key).unwrap();
            state.update(value).unwrap();
        }
    }
}

pub fn checkpoint(
    backend: &mut KeyedStateBackend<i64>,
    streams: &MemoryStreams,
    id: u64,
    kind: SnapshotKind,
) -> IncrementalRemoteKeyedStateHandle {
    let handle = backend.snapshot(id, kind).unwrap().run(streams).unwrap().handle;
    match handle {
        Some(KeyedStateHandle::Incremental(handle)) => handle,
        other => panic!("not an incremental checkpoint: {other:?}"),
    }
}

fn shared(handle: &IncrementalRemoteKeyedStateHandle) -> Vec<&StreamStateHandle> {
    handle.shared.iter().map(|f| &f.stream).collect()
}

fn entries_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// Goal: a checkpoint names the files of the last one that was completed, uploads new ones only, and after an abortion builds
/// on the completed one still. A full one names none.
#[test]
fn only_files_that_no_completed_checkpoint_has_are_uploaded() {
    let (folder, streams) = (tempfile::tempdir().unwrap(), MemoryStreams::default());
    let mut backend = open(folder.path(), (0, 15), &[], &streams);
    let state = count(&mut backend);
    fill(&backend, &state, 1);
    let first = checkpoint(&mut backend, &streams, 1, SnapshotKind::Checkpoint);
    assert!(!first.shared.is_empty());

    let unconfirmed = checkpoint(&mut backend, &streams, 2, SnapshotKind::Checkpoint);
    assert!(shared(&unconfirmed).iter().all(|s| !shared(&first).contains(s)));
    backend.notify_checkpoint_aborted(2);
    backend.notify_checkpoint_complete(1);

    let unchanged = checkpoint(&mut backend, &streams, 3, SnapshotKind::Checkpoint);
    assert_eq!(shared(&unchanged), shared(&first));
    backend.set_current_key(1_001).unwrap();
    state.update(2).unwrap();
    let next = checkpoint(&mut backend, &streams, 4, SnapshotKind::Checkpoint);
    assert_eq!(next.shared.len(), first.shared.len() + 1);
    assert!(shared(&first).iter().all(|s| shared(&next).contains(s)));

    let full = checkpoint(&mut backend, &streams, 5, SnapshotKind::FullCheckpoint);
    assert!(shared(&full).iter().all(|s| !shared(&next).contains(s)));
}

/// Goal: nothing stays on the local disk: neither links of a checkpoint that ran, was dropped or failed, nor the folder of a
/// backend that is gone, nor that of a process that crashed.
#[test]
fn the_local_disk_is_clean_afterwards() {
    let (folder, streams) = (tempfile::tempdir().unwrap(), MemoryStreams::default());
    let crashed = folder.path().join("millpond-rocksdb-4294967294-00000000");
    std::fs::create_dir(&crashed).unwrap();
    std::fs::write(crashed.join("000001.sst"), "left over").unwrap();
    let strange = folder.path().join("somebody-elses");
    std::fs::create_dir(&strange).unwrap();

    let mut backend = open(folder.path(), (0, 15), &[], &streams);
    assert!(!crashed.exists() && strange.exists());
    assert_eq!(entries_in(folder.path()), 2);
    let own = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| *p != strange)
        .unwrap();
    let state = count(&mut backend);
    fill(&backend, &state, 1);
    checkpoint(&mut backend, &streams, 1, SnapshotKind::Checkpoint);
    drop(backend.snapshot(2, SnapshotKind::Checkpoint).unwrap());
    streams.refuse_writes(true);
    fill(&backend, &state, 2);
    let failed = backend
        .snapshot(3, SnapshotKind::Checkpoint)
        .unwrap()
        .run(&streams);
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(entries_in(&own), 1, "only the database");
    drop((state, backend));
    assert_eq!(entries_in(folder.path()), 1);
}

/// Goal: an upload that is still to run keeps its files when the backend has gone.
#[test]
fn a_snapshot_outlives_its_backend() {
    let (folder, streams) = (tempfile::tempdir().unwrap(), MemoryStreams::default());
    let mut backend = open(folder.path(), (0, 15), &[], &streams);
    let state = count(&mut backend);
    fill(&backend, &state, 1);
    let snapshots =
        [SnapshotKind::Checkpoint, SnapshotKind::Savepoint].map(|k| backend.snapshot(1, k).unwrap());
    drop((state, backend));
    for snapshot in snapshots {
        let handle = snapshot.run(&streams).unwrap().handle.unwrap();
        let mut restored = open(folder.path(), (0, 15), &[handle], &streams);
        count(&mut restored);
        assert_eq!(restored.num_entries(), 1_000);
    }
    assert_eq!(entries_in(folder.path()), 0);
}

/// Goal: a rescale keeps each key once, also after both halves went on writing, and a checkpoint of the result holds no key
/// group of others.
#[test]
fn a_rescale_keeps_what_belongs_to_each_instance() {
    let (folder, streams) = (tempfile::tempdir().unwrap(), MemoryStreams::default());
    let mut whole = open(folder.path(), (0, 15), &[], &streams);
    let state = count(&mut whole);
    fill(&whole, &state, 1);
    let handle = checkpoint(&mut whole, &streams, 1, SnapshotKind::Checkpoint);
    let handle = KeyedStateHandle::Incremental(handle);
    let mut halves =
        [(0, 4), (5, 15)].map(|r| open(folder.path(), r, std::slice::from_ref(&handle), &streams));
    let mut handles = Vec::new();
    let mut counts = Vec::new();
    for half in &mut halves {
        let state = count(half);
        counts.push(half.num_entries());
        fill(half, &state, 2);
        handles.push(KeyedStateHandle::Incremental(checkpoint(
            half,
            &streams,
            2,
            SnapshotKind::Checkpoint,
        )));
    }
    assert_eq!(counts.iter().sum::<usize>(), 1_000);
    assert!(counts.iter().all(|c| *c > 0));
    let mut merged = open(folder.path(), (0, 15), &handles, &streams);
    let state = count(&mut merged);
    assert_eq!(merged.num_entries(), 1_000);
    for key in 0..1_000 {
        merged.set_current_key(key).unwrap();
        assert_eq!(state.get().unwrap(), Some(2));
    }
}

/// Goal: damage to a file, and a file name that leads out of the folder, are refused.
#[test]
fn damaged_checkpoints_are_refused() {
    let (folder, streams) = (tempfile::tempdir().unwrap(), MemoryStreams::default());
    let mut backend = open(folder.path(), (0, 15), &[], &streams);
    let state = count(&mut backend);
    fill(&backend, &state, 1);
    let handle = checkpoint(&mut backend, &streams, 1, SnapshotKind::Checkpoint);
    let restore = |handle: &IncrementalRemoteKeyedStateHandle| {
        let mut backend = EmbeddedRocksDBStateBackend::default();
        backend.options.local_dirs = vec![folder.path().to_owned()];
        let range = KeyGroupRange::new(0, 15).unwrap();
        let parameters = KeyedStateBackendParameters::<i64>::new(range, MAX_PARALLELISM);
        let handle = KeyedStateHandle::Incremental(handle.clone());
        backend
            .create_keyed_backend(parameters, &[handle], &streams)
            .unwrap_err()
    };
    let mut evil = handle.clone();
    evil.shared[0].local_path = "../outside.sst".into();
    assert_eq!(restore(&evil).kind(), ErrorKind::Corrupt);
    let mut cut = handle.clone();
    cut.private.retain(|f| !f.local_path.starts_with("MANIFEST"));
    restore(&cut);
    streams.replace(&handle.meta, vec![0; 7]);
    assert_eq!(restore(&handle).kind(), ErrorKind::Corrupt);
}

/// Goal: a checkpoint is of the moment at which it was begun, whatever happens until it is written. Method: between the two,
/// change every value many times over, through write buffers that are full at once and without a cache, and open another state.
#[test]
fn a_checkpoint_is_of_its_moment() {
    let (folder, streams) = (tempfile::tempdir().unwrap(), MemoryStreams::default());
    let mut made = EmbeddedRocksDBStateBackend::default();
    made.options.local_dirs = vec![folder.path().to_owned()];
    made.options.cache_bytes = 0;
    made.options.given.write_buffer_size = Some(64 << 10);
    let range = KeyGroupRange::new(0, 15).unwrap();
    let parameters = KeyedStateBackendParameters::new(range, MAX_PARALLELISM).incremental(true);
    let mut backend = made.create_keyed_backend(parameters, &[], &streams).unwrap();
    let state = count(&mut backend);
    for round in 1..=5 {
        fill(&backend, &state, -round);
        let snapshot = backend.snapshot(round as u64, SnapshotKind::Checkpoint).unwrap();
        let later = ValueStateDescriptor::<i64>::new(format!("later-{round}"));
        let later = backend
            .value_state(later, VoidNamespace::serializer(), VoidNamespace)
            .unwrap();
        for value in 1..20 {
            fill(&backend, &state, value);
            fill(&backend, &later, value);
        }
        let handle = snapshot.run(&streams).unwrap().handle.unwrap();
        backend.notify_checkpoint_complete(round as u64);

        let mut restored = open(folder.path(), (0, 15), &[handle], &streams);
        let state = count(&mut restored);
        for key in 0..1_000 {
            restored.set_current_key(key).unwrap();
            assert_eq!(state.get().unwrap(), Some(-round), "key {key} in round {round}");
        }
    }
}
