//! Rescaling: key groups change their owners, with everything that belongs to them.

use crate::configuration::Configuration;
use crate::world::{Five, Instance, MAX_PARALLELISM, World};
use millpond_state::handle::KeyedStateHandle;
use millpond_types::key_group::key_group_range_for_operator;

const KEYS: i64 = 120;

/// The key groups of each instance.
fn ranges(parallelism: u32) -> Vec<(u32, u32)> {
    let range = |index| key_group_range_for_operator(MAX_PARALLELISM, parallelism, index);
    (0..parallelism)
        .map(range)
        .map(|r| (r.first(), r.last()))
        .collect()
}

fn owns(b: &Instance, key: i64) -> bool {
    b.key_group_range().contains(b.key_context().key_group_of(&key))
}

/// Runs `f` on an instance for each range, with the handles of all; returns the handles of their next snapshots.
fn run(
    world: &World,
    ranges: &[(u32, u32)],
    handles: &[KeyedStateHandle],
    mut f: impl FnMut(&mut Instance, &Five),
) -> Vec<KeyedStateHandle> {
    let each = ranges.iter().flat_map(|range| {
        let mut b = world.try_create(*range, handles).unwrap();
        let five = Five::open(&mut b);
        f(&mut b, &five);
        world.snapshot(&mut b)
    });
    each.collect()
}

/// Writes every key that the instance owns.
fn write(b: &mut Instance, five: &Five, change: i64) {
    for key in (0..KEYS).filter(|k| owns(b, *k)) {
        b.key(key);
        five.write(key + change);
    }
}

/// Checks every key that the instance owns, and that it has no others.
fn check(b: &mut Instance, five: &Five, change: i64) {
    let own: Vec<_> = (0..KEYS).filter(|k| owns(b, *k)).collect();
    for key in &own {
        b.key(*key);
        five.check(key + change);
    }
    assert_eq!(b.sorted_keys("value"), own);
    assert_eq!(b.num_entries(), 5 * own.len());
}

/// Writes at one parallelism, reads and rewrites at the next, and so on.
fn go_through(c: &Configuration, steps: &[Vec<(u32, u32)>]) {
    let world = World::new(c);
    let mut handles = run(&world, &steps[0], &[], |b, five| write(b, five, 0));
    for (change, ranges) in (0..).zip(&steps[1..]) {
        handles = run(&world, ranges, &handles, |b, five| {
            check(b, five, change);
            write(b, five, change + 1);
        });
    }
}

fn one_becomes_two(c: &Configuration) {
    go_through(c, &[ranges(1), ranges(2)]);
}

fn two_become_one(c: &Configuration) {
    go_through(c, &[ranges(2), ranges(1)]);
}

fn two_become_three_and_three_become_two(c: &Configuration) {
    go_through(c, &[ranges(2), ranges(3), ranges(2)]);
}

fn unchanged_ranges_stay(c: &Configuration) {
    go_through(c, &[ranges(2), ranges(2)]);
}

fn uneven_ranges_are_split_where_they_must(c: &Configuration) {
    go_through(
        c,
        &[
            vec![(0, 9), (10, 99), (100, 127)],
            vec![(0, 63), (64, 64), (65, 127)],
        ],
    );
}

fn instances_without_entries_take_part(c: &Configuration) {
    let world = World::new(c);
    let handles = run(&world, &ranges(4), &[], |b, five| {
        if b.key_group_range().contains(0) {
            write(b, five, 0);
        }
    });
    let written = |b: &Instance, key: i64| b.key_context().key_group_of(&key) < 32;
    run(&world, &ranges(2), &handles, |b, five| {
        for key in (0..KEYS).filter(|k| owns(b, *k)) {
            b.key(key);
            if written(b, key) {
                five.check(key)
            } else {
                five.check_empty()
            }
        }
    });
}

fn an_instance_gets_nothing_of_others(c: &Configuration) {
    let world = World::new(c);
    let handles = run(&world, &ranges(1), &[], |b, five| write(b, five, 0));
    let quarter = run(&world, &ranges(4)[..1], &handles, |b, five| check(b, five, 0));
    // What it stores are its own key groups alone.
    let mut b = world
        .try_create::<i64>((0, MAX_PARALLELISM - 1), &quarter)
        .unwrap();
    let five = Five::open(&mut b);
    for key in 0..KEYS {
        b.key(key);
        if b.key_context().key_group_of(&key) < 32 {
            five.check(key)
        } else {
            five.check_empty()
        }
    }
}

fn unopened_states_are_split_too(c: &Configuration) {
    let world = World::new(c);
    let handles = run(&world, &ranges(1), &[], |b, five| write(b, five, 0));
    let halves: Vec<_> = ranges(2)
        .into_iter()
        .flat_map(|range| {
            let mut b = world.try_create::<i64>(range, &handles).unwrap();
            world.snapshot(&mut b)
        })
        .collect();
    run(&world, &ranges(1), &halves, |b, five| check(b, five, 0));
    run(&world, &ranges(3), &halves, |b, five| check(b, five, 0));
}

fn instances_may_have_opened_different_states(c: &Configuration) {
    let world = World::new(c);
    let mut handles = Vec::new();
    for (n, range) in ranges(2).into_iter().enumerate() {
        let mut b = world.try_create::<i64>(range, &[]).unwrap();
        let (common, own) = (b.value::<i64>("common"), b.list::<i64>(&format!("own-{n}")));
        for key in (0..KEYS).filter(|k| owns(&b, *k)) {
            b.key(key);
            common.update(key).unwrap();
            own.add(key).unwrap();
        }
        handles.extend(world.snapshot(&mut b));
    }
    let mut b = world.restore(&handles);
    let common = b.value::<i64>("common");
    let own = [b.list::<i64>("own-0"), b.list::<i64>("own-1")];
    for key in 0..KEYS {
        b.key(key);
        assert_eq!(common.get().unwrap(), Some(key));
        let instance = usize::from(b.key_context().key_group_of(&key) > 63);
        assert_eq!(own[instance].get().unwrap(), [key]);
        assert!(own[1 - instance].is_empty().unwrap());
    }
}

fn checkpoints_go_on_after_a_rescale(c: &Configuration) {
    let world = World::new(c);
    let handles = run(&world, &ranges(2), &[], |b, five| write(b, five, 0));
    let mut b = world.restore(&handles);
    let five = Five::open(&mut b);
    for round in 1..4 {
        world.snapshot(&mut b);
        for key in (0..KEYS).step_by(10) {
            b.key(key);
            five.write(key + round);
        }
    }
    let mut b = world.reopen(b);
    let five = Five::open(&mut b);
    for key in 0..KEYS {
        b.key(key);
        five.check(if key % 10 == 0 { key + 3 } else { key });
    }
}

crate::behaviours![
    one_becomes_two,
    two_become_one,
    two_become_three_and_three_become_two,
    unchanged_ranges_stay,
    uneven_ranges_are_split_where_they_must,
    instances_without_entries_take_part,
    an_instance_gets_nothing_of_others,
    unopened_states_are_split_too,
    instances_may_have_opened_different_states,
    checkpoints_go_on_after_a_rescale,
];
