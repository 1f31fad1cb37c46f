//! What incremental checkpoints leave out of the database: which entries that are, how large it makes a checkpoint, what becomes of it in a
//! rescale. That checkpoints hold what was there is tested by `keyed_state` and `conformance` as well.

use super::files::{checkpoint, count, fill, open};
use millpond_core::ErrorKind;
use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond_state::descriptor::{ListStateDescriptor, MapStateDescriptor};
use millpond_state::handle::{IncrementalRemoteKeyedStateHandle, KeyedStateHandle, StreamStateHandle};
use millpond_state::keyed::ValueState;
use millpond_state::rocksdb::options::LeaveUnwritten;
use millpond_state::rocksdb::{EmbeddedRocksDBStateBackend, RocksDBOptions};
use millpond_state::snapshot::SnapshotKind;
use millpond_state::stream::StateHandleReader;
use millpond_state::stream::memory::MemoryStreams;
use millpond_types::{KeyGroupRange, StateType, VoidNamespace};
use std::path::Path;

const FILE: &str = "millpond-unwritten";
const ALL: (u32, u32) = (0, 15);

fn unwritten(handle: &IncrementalRemoteKeyedStateHandle) -> Option<&StreamStateHandle> {
    let file = handle.private.iter().find(|f| f.local_path == FILE);
    file.map(|f| &f.stream)
}

fn tables(handle: &IncrementalRemoteKeyedStateHandle) -> Vec<&StreamStateHandle> {
    handle.shared.iter().map(|f| &f.stream).collect()
}

/// Takes a checkpoint and completes it.
fn next(
    backend: &mut KeyedStateBackend<i64>,
    streams: &MemoryStreams,
    id: u64,
) -> IncrementalRemoteKeyedStateHandle {
    let handle = checkpoint(backend, streams, id, SnapshotKind::Checkpoint);
    backend.notify_checkpoint_complete(id);
    handle
}

fn restored(
    folder: &Path,
    handle: &IncrementalRemoteKeyedStateHandle,
    streams: &MemoryStreams,
    key: i64,
) -> Option<i64> {
    let handle = KeyedStateHandle::Incremental(handle.clone());
    let mut backend = open(folder, ALL, &[handle], streams);
    let state = count(&mut backend);
    backend.set_current_key(key).unwrap();
    state.get().unwrap()
}

/// Goal: what changes from checkpoint to checkpoint is in a checkpoint's own file, and gets to the database when it has not changed for
/// a while. Method: change everything before some checkpoints, then nothing any more.
#[test]
fn what_changes_again_and_again_stays_unwritten() {
    let (folder, streams) = (tempfile::tempdir().unwrap(), MemoryStreams::default());
    let mut backend = open(folder.path(), ALL, &[], &streams);
    let state = count(&mut backend);
    fill(&backend, &state, 1);
    let first = next(&mut backend, &streams, 1);
    assert!(
        unwritten(&first).is_none(),
        "nobody knows yet that it changes again"
    );
    for id in 2..5 {
        fill(&backend, &state, id as i64);
        let hot = next(&mut backend, &streams, id);
        assert_eq!(tables(&hot), tables(&first));
        assert!(unwritten(&hot).is_some());
        assert_eq!(restored(folder.path(), &hot, &streams, 7), Some(id as i64));
        assert_eq!(restored(folder.path(), &first, &streams, 7), Some(1));
    }
    for id in 5..7 {
        let cooling = next(&mut backend, &streams, id);
        assert_eq!(tables(&cooling), tables(&first));
        assert!(unwritten(&cooling).is_some());
        assert_eq!(restored(folder.path(), &cooling, &streams, 7), Some(4));
    }
    let cold = next(&mut backend, &streams, 7);
    assert_ne!(tables(&cold), tables(&first));
    assert!(unwritten(&cold).is_none());
    assert_eq!(restored(folder.path(), &cold, &streams, 7), Some(4));
}

/// Goal: a checkpoint after one percent of a state has changed adds less than a tenth of it, also when that percent changed before, and
/// when it is another one each time. Of these only a few: each leaves a file, and a fourth would have RocksDB compact all of such a small
/// state.
#[test]
fn a_percent_adds_less_than_a_tenth() {
    const KEYS: i64 = 100_000;
    let (folder, streams) = (tempfile::tempdir().unwrap(), MemoryStreams::default());
    for moving in [false, true] {
        let mut backend = open(folder.path(), ALL, &[], &streams);
        let state = count(&mut backend);
        for key in 0..KEYS {
            backend.set_current_key(key).unwrap();
            state.update(key).unwrap();
        }
        let whole = next(&mut backend, &streams, 1).checkpointed_size;
        for round in 0..if moving { 3 } else { 12i64 } {
            for key in 0..KEYS / 100 {
                let first = if moving { round * KEYS / 100 } else { 0 };
                backend.set_current_key(first + key).unwrap();
                state.update(-round).unwrap();
            }
            let added = next(&mut backend, &streams, 2 + round as u64).checkpointed_size;
            assert!(
                added * 10 < whole,
                "{added} of {whole} bytes in round {round}, moving: {moving}"
            );
        }
    }
}

/// Clears, changes and keeps keys that the database has, and adds others.
fn change(backend: &KeyedStateBackend<i64>, state: &ValueState<i64>, value: i64) {
    for key in 0..1_200 {
        if backend
            .key_group_range()
            .contains(backend.key_context().key_group_of(&key))
        {
            backend.set_current_key(key).unwrap();
            match key % 3 {
                0 => state.clear().unwrap(),
                1 => state.update(value).unwrap(),
                _ => {}
            }
        }
    }
}

fn changed(key: i64, value: i64) -> Option<i64> {
    match key % 3 {
        0 => None,
        1 => Some(value),
        _ => (key < 1_000).then_some(1),
    }
}

/// Goal: a rescale takes of each checkpoint's unwritten entries those of its key groups, over what the database had, deletions
/// included, on either way of putting databases together.
#[test]
fn a_rescale_takes_its_part() {
    let (folder, streams) = (tempfile::tempdir().unwrap(), MemoryStreams::default());
    let options = RocksDBOptions {
        local_dirs: vec![folder.path().to_owned()],
        leave_unwritten: LeaveUnwritten::Everything,
        ..RocksDBOptions::default()
    };
    let start = |range: (u32, u32), handles: &[KeyedStateHandle]| {
        let range = KeyGroupRange::new(range.0, range.1).unwrap();
        let parameters = KeyedStateBackendParameters::<i64>::new(range, 16).incremental(true);
        let backend = EmbeddedRocksDBStateBackend::new(options.clone());
        backend
            .create_keyed_backend(parameters, handles, &streams)
            .unwrap()
    };
    let mut handles = Vec::new();
    for (round, ranges) in [
        &[ALL][..],
        &[(0, 4), (5, 15)],
        &[(0, 3), (4, 9), (10, 15)],
        &[ALL],
    ]
    .into_iter()
    .enumerate()
    {
        let value = round as i64 + 10;
        let mut taken = Vec::new();
        let mut seen = 0;
        for &range in ranges {
            let mut backend = start(range, &handles);
            let state = count(&mut backend);
            for key in 0..1_200 {
                let group = backend.key_context().key_group_of(&key);
                if round > 0 && backend.key_group_range().contains(group) {
                    seen += 1;
                    backend.set_current_key(key).unwrap();
                    assert_eq!(
                        state.get().unwrap(),
                        changed(key, value - 1),
                        "key {key}, round {round}"
                    );
                }
            }
            if round == 0 {
                fill(&backend, &state, 1);
                assert_eq!(backend.num_entries(), 1_000, "and all of them are written");
            }
            change(&backend, &state, value);
            let handle = checkpoint(&mut backend, &streams, value as u64, SnapshotKind::Checkpoint);
            assert!(unwritten(&handle).is_some());
            taken.push(KeyedStateHandle::Incremental(handle));
        }
        assert_eq!(seen, if round > 0 { 1_200 } else { 0 });
        handles = taken;
    }
}

/// Goal: of maps and lists only what is replaced again and again stays; what is added is written once.
#[test]
fn what_is_appended_is_written() {
    let (folder, streams) = (tempfile::tempdir().unwrap(), MemoryStreams::default());
    let mut backend = open(folder.path(), ALL, &[], &streams);
    let serializer = VoidNamespace::serializer;
    let list = ListStateDescriptor::<i64>::new("list");
    let list = backend.list_state(list, serializer(), VoidNamespace).unwrap();
    let map = MapStateDescriptor::<i64, i64>::new("map");
    let map = backend.map_state(map, serializer(), VoidNamespace).unwrap();
    backend.set_current_key(1).unwrap();
    for id in 1..6u64 {
        list.add(id as i64).unwrap();
        map.put(id as i64, 0).unwrap();
        assert!(unwritten(&next(&mut backend, &streams, id)).is_none());
    }
    list.update(vec![1]).unwrap();
    map.put(5, 1).unwrap();
    let last = next(&mut backend, &streams, 6);
    let of_map = unwritten(&last).unwrap().size();
    list.update(vec![2, 3]).unwrap();
    map.put(5, 2).unwrap();
    let last = next(&mut backend, &streams, 7);
    assert!(unwritten(&last).unwrap().size() > of_map, "the list too");
    list.add(4).unwrap();
    next(&mut backend, &streams, 8);
    list.add(5).unwrap();
    let last = next(&mut backend, &streams, 9);

    let handle = KeyedStateHandle::Incremental(last);
    let mut backend = open(folder.path(), ALL, &[handle], &streams);
    let list = ListStateDescriptor::<i64>::new("list");
    let list = backend.list_state(list, serializer(), VoidNamespace).unwrap();
    let map = MapStateDescriptor::<i64, i64>::new("map");
    let map = backend.map_state(map, serializer(), VoidNamespace).unwrap();
    backend.set_current_key(1).unwrap();
    assert_eq!(list.get().unwrap(), [2, 3, 4, 5]);
    let mut entries = map.entries().unwrap();
    entries.sort_unstable();
    assert_eq!(entries, [(1, 0), (2, 0), (3, 0), (4, 0), (5, 2)]);
}

/// Goal: savepoints and canonical checkpoints hold what stayed unwritten before, and what nothing may leave unwritten is in the database.
#[test]
fn a_savepoint_holds_everything() {
    let (folder, streams) = (tempfile::tempdir().unwrap(), MemoryStreams::default());
    let mut backend = open(folder.path(), ALL, &[], &streams);
    let state = count(&mut backend);
    for id in 1..4 {
        fill(&backend, &state, id as i64);
        next(&mut backend, &streams, id);
    }
    let savepoint = backend.snapshot(4, SnapshotKind::Savepoint).unwrap();
    let handle = savepoint.run(&streams).unwrap().handle.unwrap();
    let mut restored = open(folder.path(), ALL, &[handle], &streams);
    let restored_state = count(&mut restored);
    restored.set_current_key(7).unwrap();
    assert_eq!(restored_state.get().unwrap(), Some(3));
    assert!(
        unwritten(&next(&mut backend, &streams, 5)).is_none(),
        "it is written now"
    );
}

/// Goal: a file that is missing, damaged, or of other states or key groups is refused; metadata of the version before is read.
#[test]
fn what_is_not_whole_is_refused() {
    let (folder, streams) = (tempfile::tempdir().unwrap(), MemoryStreams::default());
    let mut backend = open(folder.path(), ALL, &[], &streams);
    let state = count(&mut backend);
    for id in 1..3 {
        fill(&backend, &state, id as i64);
        next(&mut backend, &streams, id);
    }
    fill(&backend, &state, 3);
    let handle = next(&mut backend, &streams, 3);
    let file = unwritten(&handle).unwrap().clone();
    let bytes = streams.read_range(&file, 0..file.size()).unwrap().to_vec();
    let restore = |handle: &IncrementalRemoteKeyedStateHandle| {
        let mut backend = EmbeddedRocksDBStateBackend::default();
        backend.options.local_dirs = vec![folder.path().to_owned()];
        let range = KeyGroupRange::new(0, 15).unwrap();
        let parameters = KeyedStateBackendParameters::<i64>::new(range, 16);
        let handle = KeyedStateHandle::Incremental(handle.clone());
        backend
            .create_keyed_backend(parameters, &[handle], &streams)
            .map(drop)
            .map_err(|e| e.kind())
    };
    assert_eq!(restore(&handle), Ok(()));
    let mut missing = handle.clone();
    missing.private.retain(|f| f.local_path != FILE);
    assert_eq!(restore(&missing), Err(ErrorKind::Corrupt));
    // A byte each: the mark, the version, the state, the length of its entries, the key group of the first key.
    for (at, value) in [(0, b'X'), (5, 9), (7, 1), (15, 3), (17, 99)] {
        let mut damaged = bytes.clone();
        damaged[at] = value;
        streams.replace(&file, damaged);
        assert_eq!(restore(&handle), Err(ErrorKind::Corrupt), "byte {at}");
    }
    streams.replace(&file, bytes);
    assert_eq!(restore(&handle), Ok(()));

    // The metadata's last number says how long the file is, and was not there in version 1.
    let meta = streams.read_range(&handle.meta, 0..handle.meta.size()).unwrap();
    let mut before = meta[..meta.len() - 8].to_vec();
    let mark = before.windows(4).rposition(|w| w == b"MPRM").unwrap();
    before[mark + 5] = 1;
    let mut old = missing.clone();
    old.meta = StreamStateHandle::ByteStream(millpond_state::handle::ByteStreamStateHandle {
        name: "version 1".into(),
        data: before.into(),
    });
    assert_eq!(restore(&old), Ok(()));
}
