//! What restores and snapshots make of times to live.

use super::support::{BACKENDS, Backend, KINDS, Kind, State, TTL_MS, World, on_every_backend, ttl};
use millpond_core::ErrorKind;
use millpond_state::descriptor::{ListStateDescriptor, MapStateDescriptor};
use millpond_state::operator_state::OperatorStateBackend;
use millpond_state::snapshot::SnapshotKind;
use millpond_state::ttl::StateTtlConfig;
use std::time::Duration;

fn write(state: &State, value: i64) {
    match state {
        State::Value(s) => s.update(value).unwrap(),
        State::List(s) => s.add(value).unwrap(),
        State::Map(s) => s.put(value, value).unwrap(),
        State::Reducing(s) => s.add(value).unwrap(),
        State::Aggregating(s) => s.add(value).unwrap(),
    }
}

/// What the current key has.
fn read(state: &State) -> Vec<i64> {
    match state {
        State::Value(s) => s.get().unwrap().into_iter().collect(),
        State::List(s) => s.get().unwrap(),
        State::Map(s) => {
            let mut values = s.values().unwrap();
            values.sort_unstable();
            values
        }
        State::Reducing(s) => s.get().unwrap().into_iter().collect(),
        State::Aggregating(s) => s.accumulator().unwrap().into_iter().collect(),
    }
}

fn each(mut f: impl FnMut(Kind, bool)) {
    for kind in KINDS {
        for incremental in [false, true] {
            f(kind, incremental);
        }
    }
}

/// Goal: times to live go on over a restore. Method: two values, written at different times, each read just before and
/// just after its end, with a restore in between.
fn lives_go_on_where_they_were(backend: Backend) {
    each(|kind, incremental| {
        let mut world = World::new(backend, incremental);
        let config = ttl().build().unwrap();
        let state = world.open(kind, config);
        world.key(1);
        write(&state, 5);
        world.advance(400);
        world.key(2);
        write(&state, 6);
        let handle = world.snapshot(SnapshotKind::Checkpoint).handle;
        world.advance(599);
        world.restore(handle.as_ref());
        let state = world.open(kind, config);
        world.key(1);
        assert_eq!(read(&state), [5], "{kind:?}");
        world.advance(1);
        assert!(read(&state).is_empty(), "{kind:?}");
        world.key(2);
        assert_eq!(read(&state), [6], "{kind:?}");
        world.advance(400);
        assert!(read(&state).is_empty(), "{kind:?}");
    });
}

/// Goal: Flink's rules for a time to live that comes, changes and goes. Method: one state through all of it.
fn a_time_to_live_can_be_given_changed_and_taken_away(backend: Backend) {
    each(|kind, incremental| {
        let mut world = World::new(backend, incremental);
        let plain = world.open(kind, StateTtlConfig::DISABLED);
        world.key(1);
        write(&plain, 5);
        world.advance(1_000_000);
        let handle = world.snapshot(SnapshotKind::Checkpoint).handle;

        // Given: the life of what was there begins with the restore.
        world.restore(handle.as_ref());
        let state = world.open(kind, ttl().build().unwrap());
        world.advance(TTL_MS.unsigned_abs() - 1);
        world.key(1);
        assert_eq!(read(&state), [5], "{kind:?}");
        let handle = world.snapshot(SnapshotKind::Savepoint).handle;

        // Made longer: what would have been over lives on.
        world.restore(handle.as_ref());
        let longer = ttl().time_to_live(Duration::from_secs(10)).build().unwrap();
        let state = world.open(kind, longer);
        world.advance(5_000);
        world.key(1);
        assert_eq!(read(&state), [5], "{kind:?}");
        let timed = world.snapshot(SnapshotKind::Savepoint);

        // Taken away: it lives for ever, and is stored as if it always had.
        world.restore(timed.handle.as_ref());
        let state = world.open(kind, StateTtlConfig::DISABLED);
        world.advance(1_000_000);
        world.key(1);
        assert_eq!(read(&state), [5], "{kind:?}");
        let plain = world.snapshot(SnapshotKind::Savepoint);
        assert!(plain.state_size < timed.state_size);
        world.restore(plain.handle.as_ref());
        let state = world.open(kind, StateTtlConfig::DISABLED);
        world.key(1);
        assert_eq!(read(&state), [5], "{kind:?}");
    });
}

/// Goal: a snapshot with cleanup leaves the expired out, element by element, and one without keeps it. Method: an expired
/// value and a live one, in one collection where there is one; the number of bytes tells what was stored.
fn full_snapshots_leave_out_the_expired_when_asked_to(backend: Backend) {
    for kind in KINDS {
        let size = |clean: bool, expired: bool| {
            let mut world = World::new(backend, false);
            let config = ttl()
                .disable_cleanup_in_background()
                .return_expired_if_not_cleaned_up();
            let config = if clean {
                config.cleanup_full_snapshot()
            } else {
                config
            };
            let config = config.build().unwrap();
            let state = world.open(kind, config);
            if expired {
                world.key(1);
                write(&state, 5);
                if matches!(kind, Kind::List | Kind::Map) {
                    world.key(2);
                    write(&state, 6);
                }
                world.advance(TTL_MS.unsigned_abs());
            }
            world.key(2);
            write(&state, 7);
            let result = world.snapshot(SnapshotKind::Savepoint);
            world.restore(result.handle.as_ref());
            let state = world.open(kind, config);
            world.key(1);
            assert_eq!(read(&state).is_empty(), clean || !expired, "{kind:?}");
            result.state_size
        };
        assert!(size(false, true) > size(false, false), "{kind:?}");
        assert_eq!(size(true, true), size(false, false), "{kind:?}");
    }
}

/// Goal: a list keeps the order of what is left, a map its entries. Method: elements of three ages.
fn elements_and_entries_live_each_for_itself(backend: Backend) {
    let mut world = World::new(backend, false);
    let State::List(list) = world.open(Kind::List, ttl().build().unwrap()) else {
        panic!("another kind");
    };
    world.key(1);
    list.add(1).unwrap();
    world.advance(500);
    list.add_all([2, 3]).unwrap();
    world.advance(500);
    list.add(4).unwrap();
    assert_eq!(list.get().unwrap(), [2, 3, 4]);
    world.advance(500);
    assert_eq!(list.get().unwrap(), [4]);

    let mut world = World::new(backend, false);
    let State::Map(map) = world.open(Kind::Map, ttl().update_ttl_on_read_and_write().build().unwrap()) else {
        panic!("another kind");
    };
    world.key(1);
    (0..3).for_each(|k| map.put(k, 10 * k).unwrap());
    world.advance(600);
    assert_eq!(map.get(&1).unwrap(), Some(10));
    assert!(map.contains(&2).unwrap());
    world.advance(600);
    assert_eq!(map.len().unwrap(), 2);
    assert_eq!(map.keys().unwrap().len(), 2);
    assert_eq!((map.get(&0).unwrap(), map.get(&2).unwrap()), (None, Some(20)));
}

/// Goal: a default, a reduction and an aggregation begin anew after the end of a life. Method: one of each.
fn after_its_end_a_value_begins_as_if_it_had_never_been(backend: Backend) {
    let mut world = World::new(backend, false);
    let State::Value(value) = world.open(Kind::Value, ttl().build().unwrap()) else {
        panic!("another kind");
    };
    world.key(1);
    value.update(8).unwrap();
    assert_eq!(value.value().unwrap(), 8);
    world.advance(TTL_MS.unsigned_abs());
    assert_eq!(value.value().unwrap(), -1);

    for kind in [Kind::Reducing, Kind::Aggregating] {
        let mut world = World::new(backend, false);
        let state = world.open(kind, ttl().build().unwrap());
        world.key(1);
        write(&state, 5);
        world.advance(999);
        write(&state, 6);
        world.advance(999);
        assert_eq!(read(&state), [11], "{kind:?}");
        world.advance(1);
        write(&state, 7);
        assert_eq!(read(&state), [7], "{kind:?}");
    }
}

/// Goal: one name has one time to live. Method: the same descriptor twice, then others.
fn a_name_has_one_time_to_live(backend: Backend) {
    for kind in KINDS {
        let mut world = World::new(backend, false);
        let config = ttl().build().unwrap();
        let first = world.open(kind, config);
        let second = world.open(kind, config);
        world.key(1);
        write(&first, 3);
        assert_eq!(read(&second), [3], "{kind:?}");
        let longer = ttl().time_to_live(Duration::from_secs(9)).build().unwrap();
        for other in [longer, StateTtlConfig::DISABLED] {
            let error = world.try_open(kind, other).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            assert_eq!(error.context("state"), Some("s"));
        }
    }
}

/// Goal: lives go on also where the state moves to another backend. Method: savepoints from this one to each.
fn lives_go_on_over_a_change_of_the_backend(backend: Backend) {
    for kind in KINDS {
        for other in BACKENDS {
            let mut world = World::new(backend, false);
            let config = ttl().build().unwrap();
            let state = world.open(kind, config);
            world.key(1);
            write(&state, 5);
            let handle = world.snapshot(SnapshotKind::Savepoint).handle;
            world.advance(TTL_MS.unsigned_abs() - 1);
            world.restore_on(*other, handle.as_ref());
            let state = world.open(kind, config);
            world.key(1);
            assert_eq!(read(&state), [5], "{kind:?} to {other:?}");
            world.advance(1);
            assert!(read(&state).is_empty(), "{kind:?} to {other:?}");
        }
    }
}

on_every_backend!(
    lives_go_on_where_they_were,
    a_time_to_live_can_be_given_changed_and_taken_away,
    full_snapshots_leave_out_the_expired_when_asked_to,
    elements_and_entries_live_each_for_itself,
    after_its_end_a_value_begins_as_if_it_had_never_been,
    a_name_has_one_time_to_live,
    lives_go_on_over_a_change_of_the_backend,
);

/// Goal: what has no time to live says so. Method: operator and broadcast state, opened with one.
#[test]
fn operator_and_broadcast_state_refuse_a_time_to_live() {
    let mut backend = OperatorStateBackend::new();
    let config = ttl().build().unwrap();
    let list = ListStateDescriptor::<i64>::new("l").enable_time_to_live(config);
    let map = MapStateDescriptor::<i64, i64>::new("m").enable_time_to_live(config);
    for error in [
        backend.list_state(&list).err().unwrap(),
        backend.union_list_state(&list).err().unwrap(),
        backend.broadcast_state(&map).err().unwrap(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("enable_time_to_live"), "{error}");
    }
}
