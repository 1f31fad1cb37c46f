//! Snapshots: of one moment, whatever happens before, meanwhile and afterwards.

use crate::configuration::{Configuration, Format};
use crate::world::{Five, WHOLE, start};
use millpond_core::ErrorKind;
use millpond_core::host::spawn;
use millpond_state::handle::KeyedStateHandle;
use millpond_state::snapshot::SnapshotKind;
use millpond_state::stream::memory::file_name;
use std::collections::BTreeSet;

/// The files that handles name.
fn files(handles: &[KeyedStateHandle]) -> BTreeSet<String> {
    let streams = handles.iter().flat_map(KeyedStateHandle::streams);
    streams.filter_map(|s| file_name(s).map(str::to_owned)).collect()
}

fn writes_after_a_snapshot_are_not_in_it(c: &Configuration) {
    let (world, mut b) = start(c);
    let five = Five::open(&mut b);
    for key in 0..50 {
        b.key(key);
        five.write(key);
    }
    let frozen = b.snapshot(1, c.format.kind()).unwrap();
    for key in 25..80 {
        b.key(key);
        five.write(-key);
    }
    let handle = frozen.run(&world.streams).unwrap().handle;
    let mut restored = world.restore(handle.as_slice());
    let old = Five::open(&mut restored);
    for key in 0..80 {
        restored.key(key);
        b.key(key);
        if key < 50 {
            old.check(key)
        } else {
            old.check_empty()
        }
        if key < 25 {
            five.check(key)
        } else {
            five.check(-key)
        }
    }
}

fn clears_after_a_snapshot_are_not_in_it(c: &Configuration) {
    let (world, mut b) = start(c);
    let five = Five::open(&mut b);
    for key in 0..30 {
        b.key(key);
        five.write(key);
    }
    let frozen = b.snapshot(1, c.format.kind()).unwrap();
    for key in 0..30 {
        b.key(key);
        five.clear();
    }
    assert_eq!(b.num_entries(), 0);
    let handle = frozen.run(&world.streams).unwrap().handle;
    let mut b = world.restore(handle.as_slice());
    let five = Five::open(&mut b);
    for key in 0..30 {
        b.key(key);
        five.check(key);
    }
}

fn changes_in_place_after_a_snapshot_are_not_in_it(c: &Configuration) {
    let (world, mut b) = start(c);
    let (v, m) = (b.value::<String>("v"), b.map::<i64, String>("m"));
    let l = b.list::<i64>("l");
    b.key(1);
    v.update("old".into()).unwrap();
    m.put(1, "old".into()).unwrap();
    l.add(1).unwrap();
    let frozen = b.snapshot(1, c.format.kind()).unwrap();
    v.modify(|slot| slot.as_mut().unwrap().push_str("er")).unwrap();
    m.modify(1, |slot| slot.as_mut().unwrap().push_str("er")).unwrap();
    m.put(2, "new".into()).unwrap();
    l.add(2).unwrap();
    let handle = frozen.run(&world.streams).unwrap().handle;
    let mut b = world.restore(handle.as_slice());
    let (v, m) = (b.value::<String>("v"), b.map::<i64, String>("m"));
    let l = b.list::<i64>("l");
    b.key(1);
    assert_eq!(v.get().unwrap().unwrap(), "old");
    assert_eq!(m.entries().unwrap(), [(1, "old".to_owned())]);
    assert_eq!(l.get().unwrap(), [1]);
}

fn a_state_opened_after_a_snapshot_is_not_in_it(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value::<i64>("v");
    b.key(1);
    v.update(1).unwrap();
    let frozen = b.snapshot(1, c.format.kind()).unwrap();
    let w = b.value::<i64>("w");
    w.update(2).unwrap();
    let handle = frozen.run(&world.streams).unwrap().handle;
    let mut b = world.restore(handle.as_slice());
    let (v, w) = (b.value::<i64>("v"), b.value::<i64>("w"));
    b.key(1);
    assert_eq!((v.get().unwrap(), w.get().unwrap()), (Some(1), None));
}

fn several_snapshots_can_be_under_way(c: &Configuration) {
    let (world, mut b) = start(c);
    let five = Five::open(&mut b);
    let mut frozen = Vec::new();
    for id in 1..=4 {
        b.key(id);
        five.write(id);
        b.key(100);
        five.write(id);
        frozen.push((id, b.snapshot(id as u64, c.format.kind()).unwrap()));
    }
    // The last one first.
    for (id, frozen) in frozen.into_iter().rev() {
        let handle = frozen.run(&world.streams).unwrap().handle;
        let mut b = world.restore(handle.as_slice());
        let five = Five::open(&mut b);
        b.key(100);
        five.check(id);
        for key in 1..=4 {
            b.key(key);
            if key <= id {
                five.check(key)
            } else {
                five.check_empty()
            }
        }
    }
}

fn a_snapshot_runs_on_another_thread(c: &Configuration) {
    let (world, mut b) = start(c);
    let five = Five::open(&mut b);
    for key in 0..200 {
        b.key(key);
        five.write(key);
    }
    let frozen = b.snapshot(1, c.format.kind()).unwrap();
    let streams = world.streams.clone();
    let thread = spawn("snapshot", move || frozen.run(&streams)).unwrap();
    for key in 0..200 {
        b.key(key);
        five.write(key + 1_000);
    }
    let handle = thread.join().unwrap().unwrap().handle;
    let mut b = world.restore(handle.as_slice());
    let five = Five::open(&mut b);
    for key in 0..200 {
        b.key(key);
        five.check(key);
    }
}

fn a_snapshot_outlives_its_backend(c: &Configuration) {
    let (world, mut b) = start(c);
    let five = Five::open(&mut b);
    b.key(1);
    five.write(4);
    let frozen = b.snapshot(1, c.format.kind()).unwrap();
    drop((five, b));
    let handle = frozen.run(&world.streams).unwrap().handle;
    let mut b = world.restore(handle.as_slice());
    let five = Five::open(&mut b);
    b.key(1);
    five.check(4);
}

fn a_backend_without_states_has_an_empty_snapshot(c: &Configuration) {
    let (world, mut b) = start(c);
    let handles = world.snapshot(&mut b);
    let mut b = world.restore(&handles);
    let five = Five::open(&mut b);
    b.key(1);
    five.check_empty();
    five.write(1);
    five.check(1);
}

fn states_without_entries_are_restored_empty(c: &Configuration) {
    let (world, mut b) = start(c);
    Five::open(&mut b);
    let mut b = world.reopen(b);
    let five = Five::open(&mut b);
    assert_eq!(b.num_entries(), 0);
    b.key(1);
    five.check_empty();
}

fn unchanged_state_can_be_snapshot_again_and_again(c: &Configuration) {
    let (world, mut b) = start(c);
    let five = Five::open(&mut b);
    b.key(1);
    five.write(1);
    for _ in 0..5 {
        let handles = world.snapshot(&mut b);
        let mut restored = world.restore(&handles);
        let again = Five::open(&mut restored);
        restored.key(1);
        again.check(1);
    }
}

fn a_dropped_snapshot_writes_nothing(c: &Configuration) {
    let (world, mut b) = start(c);
    let five = Five::open(&mut b);
    b.key(1);
    five.write(1);
    drop(b.snapshot(1, c.format.kind()).unwrap());
    b.notify_checkpoint_aborted(1);
    assert_eq!(world.streams.file_count(), 0);
    five.check(1);
    let mut b = world.reopen(b);
    let five = Five::open(&mut b);
    b.key(1);
    five.check(1);
}

fn a_failed_snapshot_leaves_nothing_and_loses_nothing(c: &Configuration) {
    let (world, mut b) = start(c);
    let five = Five::open(&mut b);
    b.key(1);
    five.write(1);
    let frozen = b.snapshot(1, c.format.kind()).unwrap();
    world.streams.refuse_writes(true);
    assert_eq!(frozen.run(&world.streams).unwrap_err().kind(), ErrorKind::Io);
    world.streams.refuse_writes(false);
    assert_eq!(world.streams.file_count(), 0);
    b.notify_checkpoint_aborted(1);
    five.check(1);
    let mut b = world.reopen(b);
    let five = Five::open(&mut b);
    b.key(1);
    five.check(1);
}

/// Each checkpoint of a chain holds everything, and the files of those before the last can go.
fn a_chain_of_checkpoints_holds_everything(c: &Configuration) {
    let (world, mut b) = start(c);
    let five = Five::open(&mut b);
    let mut handles = Vec::new();
    for round in 0..6 {
        for key in round * 5..round * 5 + 20 {
            b.key(key);
            five.write(key * 10 + round);
        }
        b.key(round);
        five.clear();
        handles = world.snapshot(&mut b);
        let needed = files(&handles);
        world.streams.retain(|name| needed.contains(name));
    }
    let expected = |key: i64| (0..6).rev().find(|r| (r * 5..r * 5 + 20).contains(&key));
    let mut b = world.restore(&handles);
    let five = Five::open(&mut b);
    for key in 0..60 {
        b.key(key);
        match expected(key) {
            Some(round) if key >= 6 => five.check(key * 10 + round),
            // Written in the first round and cleared; key 5 was cleared after it was written for the last time.
            _ => five.check_empty(),
        }
    }
}

fn incremental_checkpoints_alone_name_older_files(c: &Configuration) {
    let (world, mut b) = start(c);
    // What is appended is in files of the database whatever else a checkpoint leaves out of it.
    let l = b.list::<i64>("l");
    for key in 0..1_000 {
        b.key(key);
        l.add(key).unwrap();
    }
    let first = files(&world.snapshot(&mut b));
    assert!(!first.is_empty());
    b.key(1);
    l.add(-1).unwrap();
    let second = files(&world.snapshot(&mut b));
    let reused = first.intersection(&second).count();
    assert_eq!(
        reused > 0,
        c.format == Format::Incremental,
        "{reused} files of {first:?}"
    );
}

fn an_unconfirmed_checkpoint_is_not_built_on(c: &Configuration) {
    let (world, mut b) = start(c);
    let five = Five::open(&mut b);
    b.key(1);
    five.write(1);
    let unconfirmed = b
        .snapshot(1, c.format.kind())
        .unwrap()
        .run(&world.streams)
        .unwrap();
    let second = b
        .snapshot(2, c.format.kind())
        .unwrap()
        .run(&world.streams)
        .unwrap();
    for stream in unconfirmed.handle.iter().flat_map(KeyedStateHandle::streams) {
        world.streams.remove(stream);
    }
    let mut b = world.restore(second.handle.as_slice());
    let five = Five::open(&mut b);
    b.key(1);
    five.check(1);
}

fn an_aborted_checkpoint_is_not_built_on(c: &Configuration) {
    let (world, mut b) = start(c);
    let five = Five::open(&mut b);
    b.key(1);
    five.write(1);
    let first = world.snapshot(&mut b);
    b.key(2);
    five.write(2);
    let id = world.next_checkpoint();
    b.snapshot(id, c.format.kind())
        .unwrap()
        .run(&world.streams)
        .unwrap();
    b.notify_checkpoint_aborted(id);
    let needed = files(&first);
    world.streams.retain(|name| needed.contains(name));
    b.key(3);
    five.write(3);
    let third = world.snapshot(&mut b);
    let mut b = world.restore(&third);
    let five = Five::open(&mut b);
    for key in 1..=3 {
        b.key(key);
        five.check(key);
    }
}

fn a_savepoint_between_checkpoints_stands_alone(c: &Configuration) {
    let (world, mut b) = start(c);
    let five = Five::open(&mut b);
    b.key(1);
    five.write(1);
    let first = world.snapshot(&mut b);
    b.key(2);
    five.write(2);
    let savepoint = world.snapshot_as(&mut b, SnapshotKind::Savepoint);
    assert!(files(&savepoint).is_disjoint(&files(&first)));
    b.key(3);
    five.write(3);
    let last = world.snapshot(&mut b);
    for (handles, keys) in [(savepoint, 2), (last, 3)] {
        let mut b = world.restore(&handles);
        let five = Five::open(&mut b);
        for key in 1..=3 {
            b.key(key);
            if key <= keys {
                five.check(key)
            } else {
                five.check_empty()
            }
        }
    }
}

fn key_and_namespace_are_what_they_were(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value_in::<i64, _>("v", 0i64).unwrap();
    b.key(1);
    v.set_current_namespace(5).unwrap();
    v.update(1).unwrap();
    world.snapshot(&mut b);
    assert_eq!(b.current_key().unwrap(), 1);
    v.update(2).unwrap();
    assert_eq!(b.keys_and_namespaces::<i64>("v").unwrap(), [(1, 5)]);
    assert_eq!(v.get().unwrap(), Some(2));
}

fn a_handle_says_its_key_groups_and_sizes(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value::<i64>("v");
    for key in 0..100 {
        b.key(key);
        v.update(key).unwrap();
    }
    let result = b
        .snapshot(1, c.format.kind())
        .unwrap()
        .run(&world.streams)
        .unwrap();
    let handle = result.handle.unwrap();
    assert_eq!((handle.range().first(), handle.range().last()), WHOLE);
    let stored: u64 = handle.streams().map(|s| s.size()).sum();
    assert_eq!(stored, world.streams.bytes_total());
    assert!(handle.checkpointed_size() > 0 && handle.checkpointed_size() <= stored);
    assert!(result.state_size > 0);
    assert_eq!(b.state_size_bytes(), result.state_size);
}

fn only_a_canonical_snapshot_says_that_it_is_one(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value::<i64>("v");
    b.key(1);
    v.update(1).unwrap();
    let handles = world.snapshot(&mut b);
    let canonical = handles
        .iter()
        .all(|h| matches!(h, KeyedStateHandle::KeyGroups(h) if h.savepoint));
    assert_eq!(canonical, c.format == Format::Canonical);
}

crate::behaviours![
    writes_after_a_snapshot_are_not_in_it,
    clears_after_a_snapshot_are_not_in_it,
    changes_in_place_after_a_snapshot_are_not_in_it,
    a_state_opened_after_a_snapshot_is_not_in_it,
    several_snapshots_can_be_under_way,
    a_snapshot_runs_on_another_thread,
    a_snapshot_outlives_its_backend,
    a_backend_without_states_has_an_empty_snapshot,
    states_without_entries_are_restored_empty,
    unchanged_state_can_be_snapshot_again_and_again,
    a_dropped_snapshot_writes_nothing,
    a_failed_snapshot_leaves_nothing_and_loses_nothing,
    a_chain_of_checkpoints_holds_everything,
    incremental_checkpoints_alone_name_older_files,
    an_unconfirmed_checkpoint_is_not_built_on,
    an_aborted_checkpoint_is_not_built_on,
    a_savepoint_between_checkpoints_stands_alone,
    key_and_namespace_are_what_they_were,
    a_handle_says_its_key_groups_and_sizes,
    only_a_canonical_snapshot_says_that_it_is_one,
];
