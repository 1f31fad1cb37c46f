//! What stays in memory: with as many live values at each moment, the stored ones stay within twice as many, and what cleans
//! up does a bounded amount of work and copies no shard for nothing.

use super::support::{Backend, KINDS, Kind, State, TTL_MS, World, on_every_backend, ttl};
use millpond_state::snapshot::SnapshotKind;
use millpond_state::ttl::StateTtlConfig;

/// How many values are alive at each moment: one is written each millisecond.
const ALIVE: u64 = TTL_MS as u64;
const TURNOVERS: u64 = 50;

/// Writes one value that was never there before; `keys` says how many keys a collection's elements are spread over.
fn write(world: &World, state: &State, number: i64, keys: i64) {
    match state {
        State::Value(s) => {
            world.key(number);
            s.update(number).unwrap();
        }
        State::Reducing(s) => {
            world.key(number);
            s.add(number).unwrap();
        }
        State::Aggregating(s) => {
            world.key(number);
            s.add(number).unwrap();
        }
        State::List(s) => {
            world.key(number % keys);
            s.add(number).unwrap();
        }
        State::Map(s) => {
            world.key(number % keys);
            s.put(number, number).unwrap();
        }
    }
}

/// How many values are stored. A full snapshot without a filter writes them all: its bytes, less those of an empty one.
fn stored_bytes(world: &mut World, empty: u64) -> u64 {
    let result = world.snapshot(SnapshotKind::Savepoint);
    result.state_size - empty
}

/// How many values are written between two checkpoints: a whole database is linked and flushed for one.
fn checkpoint_every(backend: Backend) -> i64 {
    if backend == Backend::HashMap { 97 } else { 997 }
}

/// Turns the live values of a state over 50 times by writes alone, and looks at its size ten times in each turnover.
fn stays_bounded(backend: Backend, kind: Kind, keys: i64, incremental: bool, config: StateTtlConfig) {
    let mut world = World::new(backend, incremental);
    let state = world.open(kind, config);
    let empty = world.snapshot(SnapshotKind::Savepoint).state_size;
    for number in 0..ALIVE as i64 {
        write(&world, &state, number, keys);
        world.advance(1);
    }
    let alive = stored_bytes(&mut world, empty);
    assert!(alive > 8 * ALIVE, "nothing was stored");
    let mut largest = 0;
    for number in ALIVE as i64..(ALIVE * (TURNOVERS + 1)) as i64 {
        write(&world, &state, number, keys);
        world.advance(1);
        if number % (ALIVE as i64 / 10) == 0 {
            largest = largest.max(stored_bytes(&mut world, empty));
            if matches!(kind, Kind::Value | Kind::Reducing | Kind::Aggregating) {
                assert!(world.backend.num_entries() as u64 <= 2 * ALIVE);
            }
        }
        if incremental && number % checkpoint_every(backend) == 0 {
            world.snapshot(SnapshotKind::Checkpoint);
        }
    }
    assert!(
        largest <= 2 * alive,
        "{kind:?} over {keys} keys on {backend:?}: {largest} bytes stored, {alive} alive"
    );
    // Else the test would prove nothing: without cleanup all of it would still be there.
    assert!(largest >= alive / 2);
}

fn a_constant_live_set_stays_within_twice_its_size(backend: Backend) {
    for kind in KINDS {
        for incremental in [false, true] {
            stays_bounded(backend, kind, 100, incremental, ttl().build().unwrap());
        }
    }
}

/// Goal: what `cleanup_size` says of itself. Method: the smallest one that it promises the bound for.
fn looking_at_three_values_an_access_is_enough(backend: Backend) {
    for kind in KINDS {
        let config = ttl().cleanup_incrementally(3, false).build().unwrap();
        stays_bounded(backend, kind, 100, false, config);
    }
}

fn one_key_with_a_large_collection_stays_within_twice_its_size(backend: Backend) {
    for kind in [Kind::List, Kind::Map] {
        stays_bounded(backend, kind, 1, false, ttl().build().unwrap());
        stays_bounded(backend, kind, 1, true, ttl().build().unwrap());
    }
}

/// Goal: the guarantee doesn't depend on elements being written one at a time. Method: lists replaced by a hundred elements
/// at once, each under a key of its own.
fn lists_that_are_written_whole_stay_within_twice_their_size(backend: Backend) {
    let mut world = World::new(backend, false);
    let State::List(state) = world.open(Kind::List, ttl().build().unwrap()) else {
        panic!("another kind");
    };
    let keys_alive = 200;
    let mut largest = 0;
    for number in 0..keys_alive * TURNOVERS as i64 {
        world.key(number);
        state.update(vec![number; 100]).unwrap();
        world.advance(TTL_MS.unsigned_abs() / keys_alive.unsigned_abs());
        largest = largest.max(world.backend.num_entries());
    }
    assert!(
        largest as i64 <= 2 * keys_alive,
        "{largest} lists stored, {keys_alive} alive"
    );
}

/// Goal: without background cleanup nothing is removed but by a read. Method: the same writes, then a look at the size.
fn without_background_cleanup_only_reads_remove(backend: Backend) {
    for kind in KINDS {
        let mut world = World::new(backend, false);
        let state = world.open(kind, ttl().disable_cleanup_in_background().build().unwrap());
        for number in 0..3000 {
            write(&world, &state, number, 3000);
            world.advance(1);
        }
        assert_eq!(world.backend.num_entries(), 3000, "{kind:?}");
        for key in 0..3000 {
            world.key(key);
            match &state {
                State::Value(s) => drop(s.get().unwrap()),
                State::Reducing(s) => drop(s.get().unwrap()),
                State::Aggregating(s) => drop(s.get().unwrap()),
                State::List(s) => drop(s.get().unwrap()),
                State::Map(s) => drop(s.entries().unwrap()),
            }
        }
        // The last one was written a millisecond ago.
        assert_eq!(world.backend.num_entries() as i64, TTL_MS - 1, "{kind:?}");
    }
}

/// Goal: a state that nobody touches is cleaned up too, when each record pays for it. Method: records without an access.
fn every_record_cleans_up_when_asked_to(backend: Backend) {
    for (every_record, left) in [(true, 0), (false, 2000)] {
        for kind in KINDS {
            let mut world = World::new(backend, false);
            let config = ttl().disable_cleanup_in_background();
            let config = if every_record {
                config.cleanup_incrementally(5, true)
            } else {
                config
            };
            let state = world.open(kind, config.build().unwrap());
            for number in 0..2000 {
                write(&world, &state, number, 2000);
            }
            world.advance(TTL_MS.unsigned_abs());
            for record in 0..2000 {
                world.key(-record);
            }
            assert_eq!(world.backend.num_entries(), left, "{kind:?}");
        }
    }
}

/// Goal: values that nobody reads and no snapshot writes out don't pile up in front of the database either. Method: many
/// turnovers without a snapshot, and a look at the end.
fn without_snapshots_it_is_bounded_too(backend: Backend) {
    for kind in KINDS {
        let mut world = World::new(backend, false);
        let state = world.open(kind, ttl().build().unwrap());
        let empty = world.snapshot(SnapshotKind::Savepoint).state_size;
        for number in 0..ALIVE as i64 {
            write(&world, &state, number, 100);
            world.advance(1);
        }
        let alive = stored_bytes(&mut world, empty);
        for number in ALIVE as i64..10 * ALIVE as i64 {
            write(&world, &state, number, 100);
            world.advance(1);
        }
        let stored = stored_bytes(&mut world, empty);
        assert!(
            stored <= 2 * alive,
            "{kind:?}: {stored} bytes stored, {alive} alive"
        );
    }
}

on_every_backend!(
    a_constant_live_set_stays_within_twice_its_size,
    looking_at_three_values_an_access_is_enough,
    one_key_with_a_large_collection_stays_within_twice_its_size,
    lists_that_are_written_whole_stay_within_twice_their_size,
    without_background_cleanup_only_reads_remove,
    every_record_cleans_up_when_asked_to,
    without_snapshots_it_is_bounded_too,
);

/// Goal: looking copies nothing. Method: an incremental checkpoint after many accesses to live state writes no entry, and
/// after one value has expired writes its shard and no more.
#[test]
fn cleanup_takes_back_only_the_shards_it_removes_from() {
    let mut world = World::new(Backend::HashMap, true);
    let State::Value(state) = world.open(Kind::Value, ttl().build().unwrap()) else {
        panic!("another kind");
    };
    world.key(-7);
    state.update(0).unwrap();
    world.advance(1);
    for key in 0..100_000 {
        world.key(key);
        state.update(key).unwrap();
    }
    let first = world.snapshot(SnapshotKind::Checkpoint);
    assert_eq!(first.entries_written, 100_001);
    let read_all = |world: &World| {
        for key in 0..100_000 {
            world.key(key);
            assert_eq!(state.get().unwrap(), Some(key));
        }
    };
    read_all(&world);
    assert_eq!(world.snapshot(SnapshotKind::Checkpoint).entries_written, 0);
    world.advance(TTL_MS.unsigned_abs() - 1);
    read_all(&world);
    assert_eq!(world.backend.num_entries(), 100_000);
    let written = world.snapshot(SnapshotKind::Checkpoint).entries_written;
    assert!((1..2000).contains(&written), "{written}");
}
