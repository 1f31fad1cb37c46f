//! What is in flight, seen by reads and changes, at every stage of its landing. The stages are taken by hand, so that reads fall
//! between any two of them; that snapshots hold what was there is tested by `keyed_state` and `conformance`.

use super::{Change, Writes};
use crate::backend::KeyedStateBackendParameters;
use crate::descriptor::{ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor};
use crate::keyed::{ListState, MapState, ValueState};
use crate::rocksdb::options::LeaveUnwritten;
use crate::rocksdb::unwritten::TakenOut;
use crate::rocksdb::{RocksDBKeyedStateBackend, RocksDBOptions};
use crate::stream::memory::MemoryStreams;
use millpond_core::host::spawn;
use millpond_types::{KeyGroupRange, StateType, VoidNamespace};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Debug)]
enum Step {
    Update(i64, i64),
    Clear(i64),
    Add(i64, i64),
    Replace(i64, Vec<i64>),
    Put(i64, i64, String),
    Remove(i64, i64),
    ClearMap(i64),
    /// Reads everything of a key.
    Read(i64),
    /// Reads the keys of a state.
    Keys,
    /// Puts in flight what is held back, and writes so many column families of it: all of them are three.
    Fly(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = || 0..5i64;
    let step = prop_oneof![
        3 => (key(), any::<i64>()).prop_map(|(k, v)| Step::Update(k, v)),
        1 => key().prop_map(Step::Clear),
        3 => (key(), any::<i64>()).prop_map(|(k, v)| Step::Add(k, v)),
        1 => (key(), prop::collection::vec(any::<i64>(), 0..3)).prop_map(|(k, v)| Step::Replace(k, v)),
        3 => (key(), 0..4i64, "[a-z]{0,9}").prop_map(|(k, u, v)| Step::Put(k, u, v)),
        1 => (key(), 0..4i64).prop_map(|(k, u)| Step::Remove(k, u)),
        1 => key().prop_map(Step::ClearMap),
        4 => key().prop_map(Step::Read),
        1 => Just(Step::Keys),
        3 => (0..=3usize).prop_map(Step::Fly),
    ];
    prop::collection::vec(step, 1..80)
}

#[derive(Default)]
struct Model {
    value: BTreeMap<i64, i64>,
    list: BTreeMap<i64, Vec<i64>>,
    map: BTreeMap<i64, BTreeMap<i64, String>>,
}

struct World {
    backend: RocksDBKeyedStateBackend<i64>,
    value: ValueState<i64>,
    list: ListState<i64>,
    map: MapState<i64, String>,
    model: Model,
}

fn backend(cache_bytes: usize) -> RocksDBKeyedStateBackend<i64> {
    let parameters = KeyedStateBackendParameters::new(KeyGroupRange::new(0, 3).unwrap(), 4);
    let options = RocksDBOptions {
        cache_bytes,
        ..RocksDBOptions::default()
    };
    RocksDBKeyedStateBackend::restore(parameters, &options, &[], &MemoryStreams::default()).unwrap()
}

impl World {
    fn new(cache_bytes: usize) -> Self {
        let mut backend = backend(cache_bytes);
        let namespace = VoidNamespace::serializer;
        World {
            value: backend
                .value_state(ValueStateDescriptor::new("v"), namespace(), VoidNamespace)
                .unwrap(),
            list: backend
                .list_state(ListStateDescriptor::new("l"), namespace(), VoidNamespace)
                .unwrap(),
            map: backend
                .map_state(MapStateDescriptor::new("m"), namespace(), VoidNamespace)
                .unwrap(),
            backend,
            model: Model::default(),
        }
    }

    fn key(&self, key: i64) {
        self.backend.key_context().set_current_key(key).unwrap();
    }

    /// Leaves what is held back in flight, with `columns` column families of it written.
    fn fly(&self, columns: usize) {
        self.backend.database.land().unwrap();
        let mut taken = TakenOut::new(LeaveUnwritten::Nothing);
        self.backend.freeze(&mut taken).unwrap();
        let pilot = self.backend.database.hold(taken.held);
        for _ in 0..columns {
            pilot.flight().write_column(pilot.database()).unwrap();
        }
    }

    fn read(&self, key: i64) {
        self.key(key);
        assert_eq!(self.value.get().unwrap(), self.model.value.get(&key).copied());
        let list = self.model.list.get(&key).cloned().unwrap_or_default();
        assert_eq!(self.list.get().unwrap(), list);
        let map = self.model.map.get(&key).cloned().unwrap_or_default();
        for user_key in 0..4 {
            assert_eq!(self.map.get(&user_key).unwrap(), map.get(&user_key).cloned());
        }
        let entries: BTreeMap<i64, String> = self.map.entries().unwrap().into_iter().collect();
        assert_eq!(entries, map);
    }

    fn step(&mut self, step: Step) {
        let model = &mut self.model;
        let (Step::Update(key, _)
        | Step::Clear(key)
        | Step::Add(key, _)
        | Step::Replace(key, _)
        | Step::Put(key, ..)
        | Step::Remove(key, _)
        | Step::ClearMap(key)
        | Step::Read(key)) = step
        else {
            return match step {
                Step::Fly(columns) => self.fly(columns),
                _ => {
                    let mut keys = self.backend.keys("v", &VoidNamespace).unwrap();
                    keys.sort_unstable();
                    assert_eq!(keys, model.value.keys().copied().collect::<Vec<_>>());
                }
            };
        };
        self.backend.key_context().set_current_key(key).unwrap();
        match step {
            Step::Update(_, value) => {
                self.value.update(value).unwrap();
                model.value.insert(key, value);
            }
            Step::Clear(_) => {
                self.value.clear().unwrap();
                model.value.remove(&key);
            }
            Step::Add(_, value) => {
                self.list.add(value).unwrap();
                model.list.entry(key).or_default().push(value);
            }
            Step::Replace(_, values) => {
                self.list.update(values.clone()).unwrap();
                model.list.insert(key, values);
            }
            Step::Put(_, user_key, value) => {
                self.map.put(user_key, value.clone()).unwrap();
                model.map.entry(key).or_default().insert(user_key, value);
            }
            Step::Remove(_, user_key) => {
                let removed = self.map.remove(&user_key).unwrap();
                let expected = model.map.get_mut(&key).and_then(|map| map.remove(&user_key));
                assert_eq!(removed, expected);
            }
            Step::ClearMap(_) => {
                self.map.clear().unwrap();
                model.map.remove(&key);
            }
            _ => self.read(key),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Goal: what is in flight, landed to any part, is seen exactly once. Method: random steps on three states with caches that are
    /// off, hold a few slots or hold everything, against plain maps.
    #[test]
    fn what_is_in_flight_is_seen_once(
        steps in steps(),
        cache_bytes in prop::sample::select(vec![0usize, 1_500, 64 << 20]),
    ) {
        let mut world = World::new(cache_bytes);
        for step in steps {
            world.step(step);
        }
        for key in 0..5 {
            world.read(key);
        }
        world.backend.database.land().unwrap();
        for key in 0..5 {
            world.read(key);
        }
    }

    /// Goal: writes are found in the order of their keys, the last one to each. Method: short keys, many of them beginnings of
    /// others, against a map.
    #[test]
    fn writes_are_in_order(
        changes in prop::collection::vec((prop::collection::vec(0..3u8, 0..12), prop::option::of(any::<u8>())), 0..60),
        from in prop::collection::vec(0..3u8, 0..12),
    ) {
        let (mut writes, mut model) = (Writes::default(), BTreeMap::new());
        for (key, value) in changes {
            let write_key = |out: &mut millpond_types::DataOutput| {
                out.write_bytes(&key);
                Ok(())
            };
            match value {
                Some(value) => writes.put(&write_key, &|out| { out.write_u8(value); Ok(()) }).unwrap(),
                None => writes.delete(&write_key).unwrap(),
            }
            model.insert(key, value);
        }
        writes.sort();
        let seen: Vec<_> = writes.range(&from).map(|(key, _, value)| (key.to_vec(), value.first().copied())).collect();
        let expected: Vec<_> = model.range(from.clone()..).map(|(key, value)| (key.clone(), *value)).collect();
        prop_assert_eq!(seen, expected);
        prop_assert_eq!(writes.find(&from).map(|(_, value)| value.first().copied()), model.get(&from).copied());
    }
}

/// Goal: of several writes the last one counts, also where key and value take no byte.
#[test]
fn writes_without_a_byte_have_an_order() {
    for last in [None, Some(&b""[..]), Some(b"value")] {
        let mut writes = Writes::default();
        for value in [Some(&b""[..]), None, Some(b""), last] {
            writes.add_raw(b"", value).unwrap();
        }
        writes.sort();
        let change = last.map_or(Change::Delete, |_| Change::Put);
        assert_eq!(writes.find(b""), Some((change, last.unwrap_or_default())));
        assert_eq!(writes.range(b"").count(), 1);
    }
}

/// Goal: whoever changes the database waits for the thread that writes what is in flight, and writes it where that thread is gone.
#[test]
fn a_change_waits_for_what_is_in_flight() {
    for lands in [true, false] {
        let world = World::new(64 << 20);
        world.key(1);
        world.list.add(1).unwrap();
        let mut taken = TakenOut::new(LeaveUnwritten::Nothing);
        world.backend.freeze(&mut taken).unwrap();
        let pilot = world.backend.database.hold(taken.held);
        let thread = spawn("pilot", move || {
            pilot.write().unwrap();
            if lands {
                pilot.landed();
            }
        })
        .unwrap();
        world.list.add(2).unwrap();
        // Needs every key: writes back first.
        assert_eq!(world.backend.num_entries(), 1);
        thread.join().unwrap();
        assert_eq!(world.list.get().unwrap(), [1, 2]);
        assert!(!world.backend.database.is_in_flight());
    }
}

/// Goal: a flight keeps neither the database nor its folder once the backend is gone.
#[test]
fn what_is_in_flight_goes_with_the_backend() {
    let world = World::new(64 << 20);
    world.key(1);
    world.value.update(1).unwrap();
    world.fly(0);
    let database = Arc::downgrade(&world.backend.database);
    drop(world);
    assert_eq!(database.strong_count(), 0);
}
