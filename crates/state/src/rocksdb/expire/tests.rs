//! Compactions over real column families: what they remove of each kind of state, and from when on.

use crate::backend::KeyedStateBackendParameters;
use crate::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor,
    ReducingStateDescriptor, ValueStateDescriptor,
};
use crate::handle::KeyedStateHandle;
use crate::rocksdb::{RocksDBKeyedStateBackend, RocksDBOptions};
use crate::snapshot::SnapshotKind;
use crate::stream::memory::MemoryStreams;
use crate::ttl::StateTtlConfig;
use millpond_core::host::ManualClock;
use millpond_types::{KeyGroupRange, StateType, VoidNamespace};
use rust_rocksdb::{BottommostLevelCompaction, CompactOptions};
use std::sync::Arc;
use std::time::Duration;

const TTL: Duration = Duration::from_millis(1000);
const KINDS: [&str; 5] = ["value", "list", "map", "reducing", "aggregating"];

#[derive(Clone)]
struct Sum;

impl AggregateFunction for Sum {
    type In = i64;
    type Acc = i64;
    type Out = i64;
    fn create_accumulator(&self) -> i64 {
        0
    }
    fn add(&self, value: i64, accumulator: &mut i64) {
        *accumulator += value;
    }
    fn get_result(&self, accumulator: &i64) -> i64 {
        *accumulator
    }
    fn merge(&self, accumulator: &mut i64, other: i64) {
        *accumulator += other;
    }
}

type Backend = RocksDBKeyedStateBackend<i64>;

fn create(clock: &Arc<ManualClock>, streams: &MemoryStreams, handles: &[KeyedStateHandle]) -> Backend {
    let range = KeyGroupRange::new(0, 7).unwrap();
    let parameters = KeyedStateBackendParameters::new(range, 8)
        .incremental(true)
        .ttl_clock(clock.clone());
    let options = RocksDBOptions {
        cache_bytes: 0,
        ..RocksDBOptions::default()
    };
    RocksDBKeyedStateBackend::restore(parameters, &options, handles, streams).unwrap()
}

/// Opens a state that only compactions clean up; what comes back writes for a key.
fn open(backend: &mut Backend, kind: &str) -> Box<dyn Fn(i64)> {
    let ttl = StateTtlConfig::new_builder(TTL)
        .disable_cleanup_in_background()
        .cleanup_in_rocksdb_compact_filter(1)
        .build()
        .unwrap();
    let context = backend.key_context().clone();
    let key = move |key| context.set_current_key(key).unwrap();
    let void = VoidNamespace::serializer();
    match kind {
        "value" => {
            let descriptor = ValueStateDescriptor::<i64>::new(kind).enable_time_to_live(ttl);
            let state = backend.value_state(descriptor, void, VoidNamespace).unwrap();
            Box::new(move |k| {
                key(k);
                state.update(k).unwrap();
            })
        }
        "list" => {
            // Strings: their sizes differ, and they contain the delimiter.
            let descriptor = ListStateDescriptor::<String>::new(kind).enable_time_to_live(ttl);
            let state = backend.list_state(descriptor, void, VoidNamespace).unwrap();
            Box::new(move |k| {
                key(k);
                state.add(",".repeat(k as usize % 5)).unwrap();
            })
        }
        "map" => {
            let descriptor = MapStateDescriptor::<i64, i64>::new(kind).enable_time_to_live(ttl);
            let state = backend.map_state(descriptor, void, VoidNamespace).unwrap();
            Box::new(move |k| {
                key(k % 3);
                state.put(k, k).unwrap();
            })
        }
        "reducing" => {
            let descriptor = ReducingStateDescriptor::new(kind, |sum: &mut i64, v: i64| *sum += v);
            let state = backend
                .reducing_state(descriptor.enable_time_to_live(ttl), void, VoidNamespace)
                .unwrap();
            Box::new(move |k| {
                key(k);
                state.add(k).unwrap();
            })
        }
        _ => {
            let descriptor = AggregatingStateDescriptor::new(kind, Sum).enable_time_to_live(ttl);
            let state = backend
                .aggregating_state(descriptor, void, VoidNamespace)
                .unwrap();
            Box::new(move |k| {
                key(k);
                state.add(k).unwrap();
            })
        }
    }
}

/// Compacts a column family until nothing changes any more: what is merged by one compaction is looked at by the next.
fn compact(backend: &Backend, column: &str) {
    let column = backend.database.column(column).unwrap();
    let mut options = CompactOptions::default();
    options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
    for _ in 0..3 {
        let all = None::<&[u8]>;
        backend
            .database
            .db()
            .compact_range_cf_opt(&column, all, all, &options);
    }
}

/// The entries of a column family, and the bytes of their values.
fn stored(backend: &Backend, column: &str) -> (usize, usize) {
    let (mut entries, mut bytes) = (0, 0);
    let column = backend.database.column(column).unwrap();
    column
        .scan(&[], |_, value| {
            entries += 1;
            bytes += value.len();
            Ok(true)
        })
        .unwrap();
    (entries, bytes)
}

/// Goal: a compaction removes what is over, of collections element by element, and nothing else. Method: two generations of
/// the same size under other keys, and lists with elements of both; counts and bytes before, between and after.
#[test]
fn a_compaction_removes_what_is_over() {
    for kind in KINDS {
        let clock = ManualClock::new(1_000_000);
        let mut backend = create(&clock, &MemoryStreams::default(), &[]);
        let write = open(&mut backend, kind);
        (0..100).for_each(&write);
        compact(&backend, kind);
        let one = stored(&backend, kind);
        assert_eq!(one.0, 100, "{kind}");
        clock.advance(TTL / 2);
        (100..200).for_each(&write);
        if kind == "list" {
            (0..100).for_each(&write);
        }
        compact(&backend, kind);
        assert_eq!(stored(&backend, kind).0, 200, "{kind}: nothing is over yet");
        clock.advance(TTL / 2);
        compact(&backend, kind);
        let left = stored(&backend, kind);
        let living = if kind == "list" { (200, 2 * one.1) } else { one };
        assert_eq!(left, living, "{kind}");
        clock.advance(TTL / 2);
        compact(&backend, kind);
        assert_eq!(stored(&backend, kind), (0, 0), "{kind}");
    }
}

/// Goal: a column family that was restored as files is cleaned up too, but not before it is known how long its values live.
/// Method: a compaction after the values' end, before and after the state is opened.
#[test]
fn restored_files_are_cleaned_up_once_the_state_is_open() {
    for kind in KINDS {
        let (clock, streams) = (ManualClock::new(1_000_000), MemoryStreams::default());
        let mut backend = create(&clock, &streams, &[]);
        let write = open(&mut backend, kind);
        (0..50).for_each(&write);
        let snapshot = backend.snapshot(1, SnapshotKind::Checkpoint).unwrap();
        let handle = snapshot.run(&streams).unwrap().handle.unwrap();
        clock.advance(TTL);
        let mut restored = create(&clock, &streams, &[handle]);
        compact(&restored, kind);
        assert_eq!(stored(&restored, kind).0, 50, "{kind}");
        let _write = open(&mut restored, kind);
        compact(&restored, kind);
        assert_eq!(stored(&restored, kind).0, 0, "{kind}");
    }
}
