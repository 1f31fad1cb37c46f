//! The cache of typed entries, where its bounds and its partial knowledge show: maps that don't fit, looks inside of looks, many
//! keys at once, gauges. That it is right under random operations is tested by `keyed_state` and `ttl`.

use millpond_core::ErrorKind;
use millpond_core::config::Configuration;
use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond_state::descriptor::{ListStateDescriptor, MapStateDescriptor};
use millpond_state::gauge::Gauges;
use millpond_state::keyed::MapState;
use millpond_state::rocksdb::{EmbeddedRocksDBStateBackend, RocksDBOptions};
use millpond_state::snapshot::SnapshotKind;
use millpond_state::stream::memory::MemoryStreams;
use millpond_types::{KeyGroupRange, StateType, VoidNamespace};
use std::collections::BTreeMap;

/// Off, so small that nearly everything has to leave, so large that nothing has to.
const CACHES: [usize; 3] = [0, 8 << 10, 64 << 20];

fn parameters() -> KeyedStateBackendParameters<i64> {
    KeyedStateBackendParameters::new(KeyGroupRange::new(0, 15).unwrap(), 16)
}

fn backend(cache_bytes: usize) -> KeyedStateBackend<i64> {
    let options = RocksDBOptions {
        cache_bytes,
        ..RocksDBOptions::default()
    };
    EmbeddedRocksDBStateBackend::new(options)
        .create_keyed_backend(parameters(), &[], &MemoryStreams::default())
        .unwrap()
}

fn map(backend: &mut KeyedStateBackend<i64>) -> MapState<i64, String> {
    backend
        .map_state(
            MapStateDescriptor::new("map"),
            VoidNamespace::serializer(),
            VoidNamespace,
        )
        .unwrap()
}

/// Has the cache written back, as every snapshot does; the snapshot itself is not wanted.
fn write_back(backend: &mut KeyedStateBackend<i64>) {
    drop(backend.snapshot(1, SnapshotKind::Checkpoint).unwrap());
}

/// Goal: a map that is larger than the cache is seen as a whole, with what was not written yet. Method: fill one, write it back,
/// change some of its entries, iterate.
#[test]
fn a_map_larger_than_the_cache_is_seen_as_a_whole() {
    for cache in CACHES {
        let mut backend = backend(cache);
        let state = map(&mut backend);
        backend.set_current_key(7).unwrap();
        let mut expected = BTreeMap::new();
        for key in 0..2_000 {
            state.put(key, format!("value {key}")).unwrap();
            expected.insert(key, format!("value {key}"));
        }
        write_back(&mut backend);
        for key in (0..2_000).step_by(3) {
            state.remove(&key).unwrap();
            expected.remove(&key);
            state.put(key + 1, "changed".into()).unwrap();
            expected.insert(key + 1, "changed".into());
        }
        let seen: BTreeMap<i64, String> = state.entries().unwrap().into_iter().collect();
        assert_eq!(seen, expected, "cache of {cache} bytes");
        assert_eq!(state.len().unwrap(), expected.len());
    }
}

/// Goal: after `clear` nothing of the map comes back, whether the cache knew all of it or a part.
#[test]
fn a_cleared_map_stays_empty() {
    for cache in CACHES {
        for whole in [false, true] {
            let mut backend = backend(cache);
            let state = map(&mut backend);
            backend.set_current_key(7).unwrap();
            for key in 0..50 {
                state.put(key, "x".into()).unwrap();
            }
            write_back(&mut backend);
            state.put(60, "new".into()).unwrap();
            if whole {
                assert_eq!(state.len().unwrap(), 51);
            }
            state.clear().unwrap();
            state.put(3, "later".into()).unwrap();
            // Written back, and read from the database again.
            assert_eq!(backend.num_entries(), 1);
            assert_eq!(state.entries().unwrap(), [(3, "later".to_owned())]);
            assert_eq!(state.get(&4).unwrap(), None);
        }
    }
}

/// Goal: while an entry is being looked at, others can be looked at too, and nothing can be changed.
#[test]
fn looks_nest_and_changes_wait() {
    for cache in CACHES {
        let mut backend = backend(cache);
        let state = map(&mut backend);
        backend.set_current_key(7).unwrap();
        state.put(1, "one".into()).unwrap();
        state.put(2, "two".into()).unwrap();
        write_back(&mut backend);
        state.put(3, "three".into()).unwrap();
        let other = state.clone();
        let (two, five, all, put) = state
            .with(&1, |one| {
                assert_eq!(one.map(String::as_str), Some("one"));
                (
                    other.get(&2),
                    other.get(&5),
                    other.len(),
                    other.put(9, "nine".into()),
                )
            })
            .unwrap();
        assert_eq!((two.unwrap().as_deref(), five.unwrap()), (Some("two"), None));
        assert_eq!(all.unwrap(), 3, "cache of {cache} bytes");
        assert_eq!(put.unwrap_err().kind(), ErrorKind::IllegalState);
    }
}

/// Goal: what is appended before and after a write-back, and around a read, comes in its order.
#[test]
fn appended_elements_keep_their_order() {
    for cache in CACHES {
        let mut backend = backend(cache);
        let state = backend
            .list_state(
                ListStateDescriptor::<String>::new("list"),
                VoidNamespace::serializer(),
                VoidNamespace,
            )
            .unwrap();
        backend.set_current_key(7).unwrap();
        let mut expected = Vec::new();
        for round in 0..20 {
            for i in 0..5 {
                state.add(format!("{round} {i}")).unwrap();
                expected.push(format!("{round} {i}"));
            }
            match round % 4 {
                0 => write_back(&mut backend),
                1 => assert_eq!(state.get().unwrap(), expected),
                2 => assert_eq!(backend.num_entries(), 1),
                _ => {}
            }
        }
        assert_eq!(state.get().unwrap(), expected, "cache of {cache} bytes");
    }
}

/// Goal: many keys are read at once, some from the cache and some from the database, in the order in which they were asked for.
#[test]
fn many_keys_are_read_at_once() {
    for cache in CACHES {
        let mut backend = backend(cache);
        let count = super::files::count(&mut backend);
        for key in 0..500 {
            backend.set_current_key(key).unwrap();
            count.update(key * 2).unwrap();
            if key % 5 == 0 {
                count.clear().unwrap();
            }
        }
        let KeyedStateBackend::RocksDB(rocksdb) = &backend else {
            panic!("another backend");
        };
        let keys: Vec<i64> = (0..600).rev().collect();
        let expected: Vec<Option<i64>> = keys
            .iter()
            .map(|key| (*key < 500 && key % 5 != 0).then_some(key * 2))
            .collect();
        assert_eq!(
            rocksdb.values_of("count", &VoidNamespace, &keys).unwrap(),
            expected
        );
        let e = rocksdb
            .values_of::<String, _>("count", &VoidNamespace, &keys)
            .unwrap_err();
        assert_eq!(e.kind(), ErrorKind::IllegalState);
        let e = rocksdb
            .values_of::<i64, _>("other", &VoidNamespace, &keys)
            .unwrap_err();
        assert_eq!(e.kind(), ErrorKind::NotFound);
    }
}

/// Goal: the metrics that are switched on, and no others, are shown under Flink's names, with numbers of the database.
#[test]
fn metrics_have_flinks_names() {
    let mut config = Configuration::new();
    for metric in [
        "estimate-num-keys",
        "block-cache-capacity",
        "num-files-at-level",
        "bytes-written",
    ] {
        config.set(format!("state.backend.rocksdb.metrics.{metric}"), true);
    }
    let gauges = Gauges::default();
    let mut backend = EmbeddedRocksDBStateBackend::from_config(&config)
        .unwrap()
        .create_keyed_backend(
            parameters().gauges(gauges.clone()),
            &[],
            &MemoryStreams::default(),
        )
        .unwrap();
    let count = super::files::count(&mut backend);
    for key in 0..100 {
        backend.set_current_key(key).unwrap();
        count.update(key).unwrap();
    }
    write_back(&mut backend);
    let values: BTreeMap<String, u64> = gauges.values().into_iter().collect();
    assert_eq!(values.get("count.rocksdb_estimate-num-keys"), Some(&100));
    assert!(
        values
            .get("count.rocksdb_block-cache-capacity")
            .is_some_and(|bytes| *bytes > 1 << 20)
    );
    assert!(
        values
            .get("rocksdb_bytes_written")
            .is_some_and(|bytes| *bytes > 0)
    );
    assert!(values.contains_key("count.rocksdb_num-files-at-level6"));
    assert!(
        values
            .get("rocksdb_typed-cache-write-back-micros")
            .is_some_and(|micros| *micros > 0)
    );
    assert!(values.contains_key("rocksdb_typed-cache-freeze-micros"));
    assert!(!values.contains_key("count.rocksdb_num-snapshots"));
    drop((count, backend));
    // Whoever shows the gauges doesn't hold the database.
    assert!(gauges.values().iter().all(|(_, value)| *value == 0));
}
