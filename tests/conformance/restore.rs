//! Restore: what comes back, what stays for later, what is refused.

use crate::configuration::{Backend, Configuration};
use crate::erased::{Erased, ErasedSerializer, Value};
use crate::world::{Five, Instance, WHOLE, World, start};
use millpond_core::ErrorKind;
use millpond_state::backend::KeyedStateBackendParameters;
use millpond_state::descriptor::ValueStateDescriptor;
use millpond_state::handle::KeyedStateHandle;
use millpond_state::snapshot::SnapshotKind;
use millpond_state::stream::StateHandleReader;
use millpond_state::stream::memory::file_name;
use millpond_types::serializer::SerializerRegistry;
use millpond_types::serializer::serde::SerdeSerializer;
use millpond_types::{KeyGroupRange, StateType, VoidNamespace};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// A snapshot of keys 0 to 19 with something in every kind of state.
fn stored(world: &World) -> Vec<KeyedStateHandle> {
    let mut b = world.start();
    let five = Five::open(&mut b);
    for key in 0..20 {
        b.key(key);
        five.write(key);
    }
    world.snapshot(&mut b)
}

fn every_kind_comes_back(c: &Configuration) {
    let world = World::new(c);
    let handles = stored(&world);
    let mut b = world.restore(&handles);
    let five = Five::open(&mut b);
    for key in 0..20 {
        b.key(key);
        five.check(key);
    }
    b.key(20);
    five.check_empty();
    assert_eq!(b.num_entries(), 100);
}

fn restored_keys_are_listed(c: &Configuration) {
    let world = World::new(c);
    let handles = stored(&world);
    let mut b = world.restore(&handles);
    Five::open(&mut b);
    for state in ["value", "list", "map", "sum", "mean"] {
        assert!(b.sorted_keys(state).into_iter().eq(0..20), "{state}");
    }
}

fn no_key_is_current_after_a_restore(c: &Configuration) {
    let world = World::new(c);
    let handles = stored(&world);
    let mut b = world.restore(&handles);
    let five = Five::open(&mut b);
    assert!(b.current_key().is_err());
    assert!(five.value.get().is_err());
}

fn restored_state_can_be_changed(c: &Configuration) {
    let world = World::new(c);
    let handles = stored(&world);
    let mut b = world.restore(&handles);
    let five = Five::open(&mut b);
    for key in 0..30 {
        b.key(key);
        match key {
            0..10 => five.clear(),
            _ => five.write(key + 1),
        }
    }
    let mut b = world.reopen(b);
    let five = Five::open(&mut b);
    for key in 0..30 {
        b.key(key);
        if key < 10 {
            five.check_empty()
        } else {
            five.check(key + 1)
        }
    }
}

fn restored_state_is_added_to(c: &Configuration) {
    let world = World::new(c);
    let handles = stored(&world);
    let mut b = world.restore(&handles);
    let five = Five::open(&mut b);
    b.key(5);
    five.list.add(77).unwrap();
    five.map.put("new".into(), 77).unwrap();
    five.sum.add(77).unwrap();
    five.mean.add(77).unwrap();
    let mut b = world.reopen(b);
    let five = Five::open(&mut b);
    b.key(5);
    assert_eq!(five.list.get().unwrap(), [5, 6, 77]);
    assert_eq!(five.map.len().unwrap(), 3);
    assert_eq!(five.sum.get().unwrap(), Some(5 + 1 + 77));
    assert_eq!(five.mean.accumulator().unwrap(), Some((5 + 7 + 77, 3)));
}

fn what_nobody_opens_survives(c: &Configuration) {
    let world = World::new(c);
    let mut handles = stored(&world);
    for generation in 0..3 {
        let mut b = world.restore(&handles);
        let other = b.value::<i64>("other");
        b.key(generation);
        other.update(generation).unwrap();
        handles = world.snapshot(&mut b);
    }
    let mut b = world.restore(&handles);
    let five = Five::open(&mut b);
    for key in 0..20 {
        b.key(key);
        five.check(key);
    }
}

fn a_part_of_the_states_can_be_opened(c: &Configuration) {
    let world = World::new(c);
    let handles = stored(&world);
    let mut b = world.restore(&handles);
    let list = b.list::<i64>("list");
    for key in 0..20 {
        b.key(key);
        list.clear().unwrap();
    }
    let mut b = world.reopen(b);
    let five = Five::open(&mut b);
    b.key(3);
    assert!(five.list.is_empty().unwrap());
    assert_eq!(five.value.get().unwrap(), Some(3));
    assert_eq!(five.map.len().unwrap(), 2);
}

fn a_state_can_be_opened_while_records_flow(c: &Configuration) {
    let world = World::new(c);
    let handles = stored(&world);
    let mut b = world.restore(&handles);
    let value = b.value::<i64>("value");
    b.key(4);
    value.update(-4).unwrap();
    let five = Five::open(&mut b);
    assert_eq!(five.value.get().unwrap(), Some(-4));
    assert_eq!(five.list.get().unwrap(), [4, 5]);
    b.key(5);
    five.check(5);
}

fn a_state_under_a_new_name_is_empty(c: &Configuration) {
    let world = World::new(c);
    let handles = stored(&world);
    let mut b = world.restore(&handles);
    let renamed = b.value::<i64>("value-2");
    b.key(1);
    assert_eq!(renamed.get().unwrap(), None);
    renamed.update(9).unwrap();
    let mut b = world.reopen(b);
    let (old, new) = (b.value::<i64>("value"), b.value::<i64>("value-2"));
    b.key(1);
    assert_eq!((old.get().unwrap(), new.get().unwrap()), (Some(1), Some(9)));
}

fn a_restored_state_can_be_opened_twice(c: &Configuration) {
    let world = World::new(c);
    let handles = stored(&world);
    let mut b = world.restore(&handles);
    let (first, second) = (b.list::<i64>("list"), b.list::<i64>("list"));
    b.key(1);
    first.add(9).unwrap();
    assert_eq!(second.get().unwrap(), [1, 2, 9]);
    assert_eq!(b.num_entries(), 20);
}

fn another_type_is_refused_by_state_and_types(c: &Configuration) {
    let world = World::new(c);
    let handles = stored(&world);
    let mut b = world.restore(&handles);
    let e = b.try_value::<String>("value").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Incompatible);
    let report = e.report();
    for part in ["state=value", "Long", "String"] {
        assert!(report.contains(part), "{part}: {report}");
    }
    let e = b.try_list::<bool>("list").unwrap_err();
    assert_eq!(
        (e.kind(), e.context("state")),
        (ErrorKind::Incompatible, Some("list"))
    );
    let e = b.try_map::<String, String>("map").unwrap_err();
    assert_eq!(
        (e.kind(), e.context("state")),
        (ErrorKind::Incompatible, Some("map"))
    );
}

fn another_kind_is_refused_by_state_and_kinds(c: &Configuration) {
    let world = World::new(c);
    let handles = stored(&world);
    let mut b = world.restore(&handles);
    let e = b.try_list::<i64>("value").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Incompatible);
    let report = e.report();
    for part in ["state=value", "VALUE", "LIST"] {
        assert!(report.contains(part), "{part}: {report}");
    }
    let e = b.try_value::<i64>("sum").unwrap_err();
    assert!(e.report().contains("REDUCING"), "{}", e.report());
}

fn a_refused_opening_loses_nothing(c: &Configuration) {
    let world = World::new(c);
    let handles = stored(&world);
    let mut b = world.restore(&handles);
    b.try_value::<String>("value").unwrap_err();
    b.try_map::<i64, i64>("list").unwrap_err();
    let mut b = world.reopen(b);
    let five = Five::open(&mut b);
    for key in 0..20 {
        b.key(key);
        five.check(key);
    }
}

fn another_type_of_key_is_refused(c: &Configuration) {
    let world = World::new(c);
    let handles = stored(&world);
    let e = world.try_create::<String>(WHOLE, &handles).map(drop).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Incompatible);
    let report = e.report();
    for part in ["key", "Long", "String"] {
        assert!(report.contains(part), "{part}: {report}");
    }
    let e = world.try_create::<i32>(WHOLE, &handles).map(drop).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Incompatible, "keys don't narrow");
}

fn a_savepoint_is_restored_by_every_backend(c: &Configuration) {
    let world = World::new(c);
    let mut b = world.start();
    let (five, mut timers) = (Five::open(&mut b), b.timers("t"));
    for key in 0..20 {
        b.key(key);
        five.write(key);
        timers
            .register_event_time_timer(&key, &VoidNamespace, key)
            .unwrap();
    }
    let savepoint = world.snapshot_as(&mut b, SnapshotKind::Savepoint);
    for &backend in Backend::ALL {
        let mut b = world.try_create_on::<i64>(backend, WHOLE, &savepoint).unwrap();
        let (five, timers) = (Five::open(&mut b), b.timers("t"));
        for key in 0..20 {
            b.key(key);
            five.check(key);
        }
        assert_eq!(timers.num_event_time_timers().unwrap(), 20);
        assert_eq!(b.num_entries(), 100);
    }
}

/// With one key for each key group: backends need not order those within one alike.
fn savepoints_of_every_backend_are_the_same_bytes(c: &Configuration) {
    let world = World::new(c);
    let mut savepoints = Vec::new();
    for &backend in Backend::ALL {
        let mut b = world.try_create_on::<i64>(backend, WHOLE, &[]).unwrap();
        let five = Five::open(&mut b);
        let mut groups = BTreeSet::new();
        for key in 0..60 {
            if groups.insert(b.key_context().key_group_of(&key)) {
                b.key(key);
                five.value.update(key).unwrap();
                five.list.add_all([key, 1]).unwrap();
                five.map.put("a".into(), key).unwrap();
                five.sum.add(key).unwrap();
                five.mean.add(key).unwrap();
            }
        }
        let handles = world.snapshot_as(&mut b, SnapshotKind::Savepoint);
        let KeyedStateHandle::KeyGroups(handle) = &handles[0] else {
            panic!("a savepoint is one stream: {handles:?}");
        };
        let bytes = world.streams.read_range(&handle.stream, 0..handle.stream.size());
        savepoints.push((handle.offsets.clone(), bytes.unwrap()));
    }
    assert!(savepoints[0].1.len() > 3_000);
    assert!(savepoints.iter().all(|s| *s == savepoints[0]));
}

fn a_restore_from_nothing_is_empty(c: &Configuration) {
    let world = World::new(c);
    let mut b = world.restore(&[]);
    let five = Five::open(&mut b);
    b.key(1);
    five.check_empty();
    assert_eq!(b.num_entries(), 0);
}

fn a_snapshot_can_be_restored_many_times(c: &Configuration) {
    let world = World::new(c);
    let handles = stored(&world);
    let mut first = world.restore(&handles);
    let mut second = world.restore(&handles);
    let (one, other) = (Five::open(&mut first), Five::open(&mut second));
    first.key(1);
    one.write(100);
    second.key(1);
    other.check(1);
    first.key(1);
    one.check(100);
}

fn a_default_may_change_at_a_restore(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value_with_default("v", 1);
    b.key(1);
    v.update(5).unwrap();
    let mut b = world.reopen(b);
    let v = b.value_with_default("v", 2);
    b.key(1);
    assert_eq!(v.value().unwrap(), 5);
    b.key(2);
    assert_eq!(v.value().unwrap(), 2);
}

fn values_of_registered_serializers_come_back(c: &Configuration) {
    let mut world = World::new(c);
    let mut registry = SerializerRegistry::default();
    let serializer = ErasedSerializer(SerdeSerializer::<IpAddr>::shared());
    registry.register::<Erased>(Arc::new(serializer));
    world.serializers = Arc::new(registry);
    let open = |b: &mut Instance| {
        let descriptor = ValueStateDescriptor::<Erased>::registered("ip");
        let descriptor = descriptor.enable_time_to_live(b.ttl);
        let state = b.value_state(descriptor, VoidNamespace::serializer(), VoidNamespace);
        Value::<IpAddr>::new(state.unwrap())
    };
    let mut b = world.start();
    let v = open(&mut b);
    let address: IpAddr = "2001:db8::1".parse().unwrap();
    b.key(1);
    v.update(address).unwrap();
    let mut b = world.reopen(b);
    let v = open(&mut b);
    b.key(1);
    assert_eq!(v.get().unwrap(), Some(address));
}

fn a_missing_file_is_named(c: &Configuration) {
    let world = World::new(c);
    let handles = stored(&world);
    let stream = handles[0].streams().next().unwrap().clone();
    world.streams.remove(&stream);
    let e = world.try_create::<i64>(WHOLE, &handles).map(drop).unwrap_err();
    let name = file_name(&stream).unwrap();
    assert_eq!(e.kind(), ErrorKind::NotFound, "{}", e.report());
    assert!(e.report().contains(name), "{}", e.report());
}

fn key_groups_past_the_max_parallelism_are_refused(c: &Configuration) {
    let world = World::new(c);
    let range = KeyGroupRange::new(0, 128).unwrap();
    let parameters = KeyedStateBackendParameters::<i64>::new(range, 128);
    let e = c
        .backend
        .create(parameters, &[], &world.streams)
        .map(drop)
        .unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Config);
    assert_eq!(e.context("max_parallelism"), Some("128"));
}

crate::behaviours![
    every_kind_comes_back,
    restored_keys_are_listed,
    no_key_is_current_after_a_restore,
    restored_state_can_be_changed,
    restored_state_is_added_to,
    what_nobody_opens_survives,
    a_part_of_the_states_can_be_opened,
    a_state_can_be_opened_while_records_flow,
    a_state_under_a_new_name_is_empty,
    a_restored_state_can_be_opened_twice,
    another_type_is_refused_by_state_and_types,
    another_kind_is_refused_by_state_and_kinds,
    a_refused_opening_loses_nothing,
    another_type_of_key_is_refused,
    a_savepoint_is_restored_by_every_backend,
    savepoints_of_every_backend_are_the_same_bytes,
    a_restore_from_nothing_is_empty,
    a_snapshot_can_be_restored_many_times,
    a_default_may_change_at_a_restore,
    values_of_registered_serializers_come_back,
    a_missing_file_is_named,
    key_groups_past_the_max_parallelism_are_refused,
];
