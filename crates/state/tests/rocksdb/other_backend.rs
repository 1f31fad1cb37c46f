//! Snapshots of one backend that are given to the other.

use super::files::{checkpoint, count, fill, open};
use millpond_core::ErrorKind;
use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond_state::handle::KeyedStateHandle;
use millpond_state::snapshot::SnapshotKind;
use millpond_state::stream::memory::MemoryStreams;
use millpond_types::KeyGroupRange;

fn hashmap(
    handles: &[KeyedStateHandle],
    streams: &MemoryStreams,
) -> millpond_core::Result<KeyedStateBackend<i64>> {
    let range = KeyGroupRange::new(0, 15).unwrap();
    let parameters = KeyedStateBackendParameters::new(range, 16).incremental(true);
    KeyedStateBackend::hashmap(parameters, handles, streams)
}

/// Goal: an incremental checkpoint of RocksDB is not taken for damage. Method: the HashMap backend is given one.
#[test]
fn the_hashmap_backend_says_whose_an_incremental_checkpoint_is() {
    let (folder, streams) = (tempfile::tempdir().unwrap(), MemoryStreams::default());
    let mut backend = open(folder.path(), (0, 15), &[], &streams);
    let state = count(&mut backend);
    fill(&backend, &state, 1);
    let handle = checkpoint(&mut backend, &streams, 1, SnapshotKind::Checkpoint);
    let error = hashmap(&[KeyedStateHandle::Incremental(handle)], &streams).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    let report = error.report();
    assert!(
        report.contains("RocksDB") && report.contains("canonical savepoint"),
        "{report}"
    );
}

/// Goal: the other way round nothing is lost: an incremental checkpoint of the HashMap backend is read entry by entry.
#[test]
fn rocksdb_reads_incremental_checkpoints_of_the_hashmap_backend() {
    let (folder, streams) = (tempfile::tempdir().unwrap(), MemoryStreams::default());
    let mut backend = hashmap(&[], &streams).unwrap();
    let state = count(&mut backend);
    fill(&backend, &state, 7);
    let snapshot = backend.snapshot(1, SnapshotKind::Checkpoint).unwrap();
    let handle = snapshot.run(&streams).unwrap().handle.unwrap();
    assert!(matches!(handle, KeyedStateHandle::Incremental(_)));
    let mut restored = open(folder.path(), (0, 15), &[handle], &streams);
    let state = count(&mut restored);
    assert_eq!(restored.num_entries(), 1_000);
    restored.set_current_key(999).unwrap();
    assert_eq!(state.get().unwrap(), Some(7));
}
