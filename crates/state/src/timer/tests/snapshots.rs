//! Timers in the snapshots of keyed backends: taken with timers in one place, restored into another.

use super::{MAX_PARALLELISM, Service, entry, in_memory};
use crate::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use crate::handle::KeyedStateHandle;
use crate::redistribute::redistribute_keyed_state;
use crate::snapshot::SnapshotKind;
use crate::stream::memory::MemoryStreams;
use millpond_types::key_group::key_group_range_for_operator;

/// A backend, and where its timers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    HashMap,
    /// With timers in memory, or in the database with so many of a key group in memory.
    #[cfg(feature = "rocksdb")]
    RocksDB(Option<usize>),
}

impl Backend {
    const ALL: &[Backend] = &[
        Backend::HashMap,
        #[cfg(feature = "rocksdb")]
        Backend::RocksDB(None),
        #[cfg(feature = "rocksdb")]
        Backend::RocksDB(Some(5)),
    ];
}

/// A keyed backend that has the timers of `service` registered, with what `handles` hold.
pub(super) fn create(
    backend: Backend,
    incremental: bool,
    parallelism: u32,
    index: u32,
    handles: &[KeyedStateHandle],
    streams: &MemoryStreams,
    service: &Service,
) -> KeyedStateBackend<String> {
    let range = key_group_range_for_operator(MAX_PARALLELISM, parallelism, index);
    let parameters = KeyedStateBackendParameters::new(range, MAX_PARALLELISM).incremental(incremental);
    let mut backend = match backend {
        Backend::HashMap => KeyedStateBackend::hashmap(parameters, handles, streams).unwrap(),
        #[cfg(feature = "rocksdb")]
        Backend::RocksDB(head_size) => {
            use crate::rocksdb::EmbeddedRocksDBStateBackend;
            use crate::rocksdb::options::PriorityQueueStateType;
            let mut factory = EmbeddedRocksDBStateBackend::default();
            factory.options.timers = match head_size {
                None => PriorityQueueStateType::Heap,
                Some(_) => PriorityQueueStateType::RocksDB,
            };
            factory.options.timer_cache_size = head_size.unwrap_or(0);
            factory
                .create_keyed_backend(parameters, handles, streams)
                .unwrap()
        }
    };
    for state in service.key_group_states() {
        backend.register_key_group_state(state).unwrap();
    }
    backend
}

/// Registers 200 timers in each domain with the instances that own their keys.
fn register(services: &mut [Service]) -> Vec<super::Entry> {
    let mut wanted = Vec::new();
    for n in 0..200 {
        let e = entry(&format!("k{n}"), n % 5, i64::from(n % 50) - 25);
        let owner = (e.1 * services.len() as u32 / MAX_PARALLELISM) as usize;
        let timers = &mut services[owner];
        timers.register_event_time_timer(&e.3, &e.4, e.0).unwrap();
        timers
            .register_processing_time_timer(&e.3, &e.4, e.0 + 1)
            .unwrap();
        wanted.push(e);
    }
    wanted.sort();
    wanted
}

/// Takes a snapshot of two instances with timers, lets all of them fire there, and gives what `parallelism` new instances
/// fire against the timers of the snapshot.
fn goes_over(from: Backend, to: Backend, incremental: bool, kind: SnapshotKind, parallelism: u32) {
    let streams = MemoryStreams::default();
    let mut services: Vec<_> = (0..2).map(|index| in_memory(2, index)).collect();
    let mut backends: Vec<_> = (0..)
        .zip(&services)
        .map(|(index, service)| create(from, incremental, 2, index, &[], &streams, service))
        .collect();
    let wanted = register(&mut services);
    let mut old = Vec::new();
    for (backend, timers) in backends.iter_mut().zip(&mut services) {
        let frozen = backend.snapshot(1, kind).unwrap();
        while timers.poll_event_timer(i64::MAX).unwrap().is_some() {}
        old.push(frozen.run(&streams).unwrap().handle.into_iter().collect());
    }
    let mut fired = [Vec::new(), Vec::new()];
    let new = redistribute_keyed_state(&old, parallelism, MAX_PARALLELISM);
    for (index, handles) in (0..).zip(&new) {
        let mut timers = in_memory(parallelism, index);
        let _backend = create(to, incremental, parallelism, index, handles, &streams, &timers);
        while let Some(t) = timers.poll_event_timer(i64::MAX).unwrap() {
            fired[0].push(entry(&t.key, t.namespace, t.timestamp));
        }
        while let Some(t) = timers.poll_processing_timer(i64::MAX).unwrap() {
            fired[1].push(entry(&t.key, t.namespace, t.timestamp - 1));
        }
    }
    for mut fired in fired {
        fired.sort();
        assert_eq!(
            fired, wanted,
            "{from:?} to {to:?}, {kind:?}, {parallelism} instances"
        );
    }
}

/// Goal: timers lie in the keyed backend's snapshots of every kind and come back in any other number of instances, in any
/// place. Method: every pair of backends; what only the HashMap backend can't read is an incremental checkpoint of RocksDB.
#[test]
fn a_keyed_backend_stores_timers_and_gives_them_back_rescaled() {
    let kinds = [
        SnapshotKind::Checkpoint,
        SnapshotKind::FullCheckpoint,
        SnapshotKind::Savepoint,
    ];
    for from in Backend::ALL {
        for to in Backend::ALL {
            for (kind, incremental) in kinds.into_iter().flat_map(|k| [(k, false), (k, true)]) {
                let canonical = kind == SnapshotKind::Savepoint || !incremental;
                if *from != Backend::HashMap && *to == Backend::HashMap && !canonical {
                    continue;
                }
                let both_heap = *from == Backend::HashMap && *to == Backend::HashMap;
                let most = if both_heap { 5 } else { 3 };
                for parallelism in 1..=most {
                    goes_over(*from, *to, incremental, kind, parallelism);
                }
            }
        }
    }
}

/// Goal: a canonical snapshot doesn't tell where the timers were. Method: the same timers in each place, some of them deleted
/// and fired; bytes compared.
#[cfg(feature = "rocksdb")]
#[test]
fn a_savepoint_is_the_same_wherever_its_timers_are() {
    use crate::stream::StateHandleReader;
    let savepoint = |backend: Backend| {
        let streams = MemoryStreams::default();
        let mut services = [in_memory(1, 0)];
        let mut backend = create(backend, false, 1, 0, &[], &streams, &services[0]);
        let all = register(&mut services);
        for e in all.iter().step_by(7) {
            services[0].delete_event_time_timer(&e.3, &e.4, e.0).unwrap();
        }
        while services[0].poll_event_timer(-10).unwrap().is_some() {}
        let snapshot = backend.snapshot(1, SnapshotKind::Savepoint).unwrap();
        let result = snapshot.run(&streams).unwrap();
        let Some(KeyedStateHandle::KeyGroups(handle)) = result.handle else {
            panic!("not a canonical snapshot");
        };
        let bytes = streams
            .read_range(&handle.stream, 0..handle.stream.size())
            .unwrap();
        (result.entries_written, handle.offsets, bytes)
    };
    let expected = savepoint(Backend::HashMap);
    assert!(expected.0 > 200);
    for backend in &Backend::ALL[1..] {
        assert_eq!(savepoint(*backend), expected, "{backend:?}");
    }
}

/// Goal: in an incremental checkpoint timers in the database are files of the database: unchanged ones are not written again,
/// and no stream of their own is. Method: the names and handles of two checkpoints.
#[cfg(feature = "rocksdb")]
#[test]
fn incremental_checkpoints_hold_timers_as_files() {
    let streams = MemoryStreams::default();
    let mut services = [in_memory(1, 0)];
    let mut backend = create(Backend::RocksDB(Some(2)), true, 1, 0, &[], &streams, &services[0]);
    register(&mut services);
    let mut take = |id| {
        let snapshot = backend.snapshot(id, SnapshotKind::Checkpoint).unwrap();
        let handle = snapshot.run(&streams).unwrap().handle;
        backend.notify_checkpoint_complete(id);
        match handle {
            Some(KeyedStateHandle::Incremental(handle)) => handle,
            other => panic!("not an incremental checkpoint: {other:?}"),
        }
    };
    let first = take(1);
    assert!(!first.shared.is_empty());
    assert!(first.private.iter().all(|f| f.local_path != "millpond-timers"));
    assert_eq!(take(2).shared, first.shared);
    services[0]
        .register_event_time_timer(&"another".to_string(), &0, 77)
        .unwrap();
    assert_eq!(take(3).shared.len(), first.shared.len() + 1);
}
