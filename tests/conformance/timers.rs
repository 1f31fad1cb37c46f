//! Timers: order, duplicates, deletion, both domains, snapshots, restore.

use crate::configuration::Configuration;
use crate::world::{WHOLE, World, start};
use millpond_core::ErrorKind;
use millpond_core::host::SeededRandom;
use millpond_state::timer::InternalTimerService;
use millpond_types::{TimeWindow, VoidNamespace};
use std::collections::BTreeSet;

type Timers = InternalTimerService<i64, VoidNamespace>;
const VOID: &VoidNamespace = &VoidNamespace;

/// Takes every event-time timer due at `time`.
fn due(timers: &mut Timers, time: i64) -> Vec<(i64, i64)> {
    std::iter::from_fn(|| timers.poll_event_timer(time).unwrap())
        .map(|t| (t.timestamp, t.key))
        .collect()
}

/// Takes every processing-time timer due at `time`.
fn due_by_clock(timers: &mut Timers, time: i64) -> Vec<(i64, i64)> {
    std::iter::from_fn(|| timers.poll_processing_timer(time).unwrap())
        .map(|t| (t.timestamp, t.key))
        .collect()
}

fn timers_come_in_the_order_of_their_timestamps(c: &Configuration) {
    let (_world, mut b) = start(c);
    let mut t = b.timers("t");
    for (key, time) in [(1, 30), (2, 10), (3, 20), (4, -5)] {
        t.register_event_time_timer(&key, VOID, time).unwrap();
    }
    assert_eq!(due(&mut t, 100), [(-5, 4), (10, 2), (20, 3), (30, 1)]);
    assert_eq!(t.num_event_time_timers().unwrap(), 0);
}

fn only_timers_that_are_due_come(c: &Configuration) {
    let (_world, mut b) = start(c);
    let mut t = b.timers("t");
    for time in [10, 11, 12] {
        t.register_event_time_timer(&1, VOID, time).unwrap();
    }
    assert_eq!(due(&mut t, 9), []);
    assert_eq!(due(&mut t, 11), [(10, 1), (11, 1)]);
    assert_eq!(t.next_event_time_timer(), Some(12));
    assert_eq!(due(&mut t, 12), [(12, 1)]);
    assert_eq!(t.next_event_time_timer(), None);
}

fn a_timer_registered_twice_comes_once(c: &Configuration) {
    let (_world, mut b) = start(c);
    let mut t = b.timers("t");
    for _ in 0..2 {
        t.register_event_time_timer(&1, VOID, 5).unwrap();
        t.register_processing_time_timer(&1, VOID, 5).unwrap();
    }
    assert_eq!(
        (
            t.num_event_time_timers().unwrap(),
            t.num_processing_time_timers().unwrap()
        ),
        (1, 1)
    );
    assert_eq!(due(&mut t, 5), [(5, 1)]);
}

fn a_deleted_timer_never_comes(c: &Configuration) {
    let (world, mut b) = start(c);
    let mut t = b.timers("t");
    for time in [1, 2, 3] {
        t.register_event_time_timer(&1, VOID, time).unwrap();
        t.register_processing_time_timer(&1, VOID, time).unwrap();
    }
    t.delete_event_time_timer(&1, VOID, 2).unwrap();
    t.delete_processing_time_timer(&1, VOID, 1).unwrap();
    let mut b = world.reopen(b);
    let mut t = b.timers("t");
    assert_eq!(due(&mut t, 9), [(1, 1), (3, 1)]);
    assert_eq!(due_by_clock(&mut t, 9), [(2, 1), (3, 1)]);
}

fn deleting_what_is_not_there_is_nothing(c: &Configuration) {
    let (_world, mut b) = start(c);
    let mut t = b.timers("t");
    t.register_event_time_timer(&1, VOID, 5).unwrap();
    t.delete_event_time_timer(&1, VOID, 6).unwrap();
    t.delete_event_time_timer(&2, VOID, 5).unwrap();
    t.delete_processing_time_timer(&1, VOID, 5).unwrap();
    assert_eq!(due(&mut t, 9), [(5, 1)]);
}

fn a_deleted_timer_can_be_registered_again(c: &Configuration) {
    let (_world, mut b) = start(c);
    let mut t = b.timers("t");
    t.register_event_time_timer(&1, VOID, 5).unwrap();
    t.delete_event_time_timer(&1, VOID, 5).unwrap();
    t.register_event_time_timer(&1, VOID, 5).unwrap();
    assert_eq!(due(&mut t, 9), [(5, 1)]);
}

fn the_domains_are_apart(c: &Configuration) {
    let (_world, mut b) = start(c);
    let mut t = b.timers("t");
    t.register_event_time_timer(&1, VOID, 5).unwrap();
    t.register_processing_time_timer(&2, VOID, 7).unwrap();
    assert_eq!(t.next_event_time_timer(), Some(5));
    assert_eq!(t.next_processing_time_timer(), Some(7));
    assert_eq!(due_by_clock(&mut t, 100), [(7, 2)]);
    assert_eq!(t.num_event_time_timers().unwrap(), 1);
    assert_eq!(due(&mut t, 100), [(5, 1)]);
}

fn keys_have_their_own_timers(c: &Configuration) {
    let (_world, mut b) = start(c);
    let mut t = b.timers("t");
    for key in 0..50 {
        t.register_event_time_timer(&key, VOID, 5).unwrap();
    }
    t.delete_event_time_timer(&7, VOID, 5).unwrap();
    let mut keys: Vec<_> = due(&mut t, 5).into_iter().map(|(_, key)| key).collect();
    keys.sort();
    assert!(keys.into_iter().eq((0..50).filter(|k| *k != 7)));
}

fn namespaces_have_their_own_timers(c: &Configuration) {
    let (world, mut b) = start(c);
    let windows = [TimeWindow::new(0, 10), TimeWindow::new(5, 10)];
    let mut t = b.try_timers::<TimeWindow>("t").unwrap();
    for window in &windows {
        t.register_event_time_timer(&1, window, 9).unwrap();
        t.register_processing_time_timer(&1, window, 9).unwrap();
    }
    t.delete_processing_time_timer(&1, &windows[0], 9).unwrap();
    let mut b = world.reopen(b);
    let mut t = b.try_timers::<TimeWindow>("t").unwrap();
    let found: Vec<_> = std::iter::from_fn(|| t.poll_event_timer(9).unwrap())
        .map(|timer| timer.namespace)
        .collect();
    assert_eq!(found, windows);
    let left = t.poll_processing_timer(9).unwrap().unwrap();
    assert_eq!(left.namespace, windows[1]);
    assert!(t.poll_processing_timer(9).unwrap().is_none());
}

/// Among equal timestamps the order is that of key groups, and the same after a restore.
fn equal_timestamps_come_in_an_order_that_a_restore_keeps(c: &Configuration) {
    let (world, mut b) = start(c);
    let mut t = b.timers("t");
    for key in 0..40 {
        t.register_event_time_timer(&key, VOID, 5).unwrap();
        t.register_processing_time_timer(&(39 - key), VOID, 5).unwrap();
    }
    let handles = world.snapshot(&mut b);
    let order = due(&mut t, 5);
    let groups: Vec<_> = order
        .iter()
        .map(|(_, key)| b.key_context().key_group_of(key))
        .collect();
    assert!(groups.is_sorted(), "{groups:?}");
    assert_eq!(due_by_clock(&mut t, 5), order);
    let mut b = world.restore(&handles);
    let mut t = b.timers("t");
    assert_eq!(due(&mut t, 5), order);
    assert_eq!(due_by_clock(&mut t, 5), order);
}

fn a_timer_carries_its_key_group(c: &Configuration) {
    let (_world, mut b) = start(c);
    let mut t = b.timers("t");
    for key in 0..20 {
        t.register_event_time_timer(&key, VOID, key).unwrap();
    }
    while let Some(timer) = t.poll_event_timer(100).unwrap() {
        assert_eq!(timer.key_group, b.key_context().key_group_of(&timer.key));
    }
}

fn timers_can_be_registered_while_others_are_handled(c: &Configuration) {
    let (_world, mut b) = start(c);
    let mut t = b.timers("t");
    t.register_event_time_timer(&1, VOID, 10).unwrap();
    t.register_event_time_timer(&1, VOID, 40).unwrap();
    let mut seen = Vec::new();
    while let Some(timer) = t.poll_event_timer(50).unwrap() {
        seen.push(timer.timestamp);
        if timer.timestamp < 40 {
            t.register_event_time_timer(&timer.key, VOID, timer.timestamp + 10)
                .unwrap();
        }
        if timer.timestamp == 20 {
            t.register_event_time_timer(&timer.key, VOID, 1).unwrap();
        }
    }
    assert_eq!(seen, [10, 20, 1, 11, 21, 30, 31, 40, 41]);
}

fn timers_can_be_deleted_while_others_are_handled(c: &Configuration) {
    let (_world, mut b) = start(c);
    let mut t = b.timers("t");
    for time in 1..=4 {
        t.register_processing_time_timer(&1, VOID, time).unwrap();
    }
    t.poll_processing_timer(9).unwrap().unwrap();
    t.delete_processing_time_timer(&1, VOID, 3).unwrap();
    assert_eq!(due_by_clock(&mut t, 9), [(2, 1), (4, 1)]);
}

fn extreme_timestamps_are_kept_in_order(c: &Configuration) {
    let (world, mut b) = start(c);
    let mut t = b.timers("t");
    let times = [i64::MIN, -1_000, -1, 0, 1, 1_000, i64::MAX];
    for time in times.iter().rev() {
        t.register_event_time_timer(&1, VOID, *time).unwrap();
    }
    let mut b = world.reopen(b);
    let mut t = b.timers("t");
    let found: Vec<_> = due(&mut t, i64::MAX).into_iter().map(|(time, _)| time).collect();
    assert_eq!(found, times);
}

fn the_watermark_never_goes_back(c: &Configuration) {
    let (_world, mut b) = start(c);
    let mut t = b.timers("t");
    assert_eq!(t.current_watermark(), i64::MIN);
    t.advance_watermark(50);
    t.advance_watermark(20);
    assert_eq!(t.current_watermark(), 50);
}

fn the_watermark_is_not_restored(c: &Configuration) {
    let (world, mut b) = start(c);
    let mut t = b.timers("t");
    t.advance_watermark(50);
    t.register_event_time_timer(&1, VOID, 60).unwrap();
    let mut b = world.reopen(b);
    let t = b.timers("t");
    assert_eq!(
        (t.current_watermark(), t.next_event_time_timer()),
        (i64::MIN, Some(60))
    );
}

fn a_snapshot_holds_the_timers_of_its_moment(c: &Configuration) {
    let (world, mut b) = start(c);
    let mut t = b.timers("t");
    for key in 0..300 {
        t.register_event_time_timer(&key, VOID, key).unwrap();
        t.register_processing_time_timer(&key, VOID, -key).unwrap();
    }
    let frozen = b.snapshot(world.next_checkpoint(), c.format.kind()).unwrap();
    assert_eq!(due(&mut t, 149).len(), 150);
    t.register_event_time_timer(&1, VOID, 1_000).unwrap();
    t.delete_processing_time_timer(&5, VOID, -5).unwrap();
    let handle = frozen.run(&world.streams).unwrap().handle;
    let mut b = world.restore(handle.as_slice());
    let mut t = b.timers("t");
    assert!(due(&mut t, i64::MAX).into_iter().eq((0..300).map(|k| (k, k))));
    assert_eq!(t.num_processing_time_timers().unwrap(), 300);
}

fn services_are_restored_by_name(c: &Configuration) {
    let (world, mut b) = start(c);
    let (mut t, mut u) = (b.timers("t"), b.timers("u"));
    t.register_event_time_timer(&1, VOID, 1).unwrap();
    u.register_event_time_timer(&2, VOID, 2).unwrap();
    let mut b = world.reopen(b);
    let (mut u, mut t) = (b.timers("u"), b.timers("t"));
    assert_eq!((due(&mut t, 9), due(&mut u, 9)), (vec![(1, 1)], vec![(2, 2)]));
}

fn a_name_of_timers_is_taken_once(c: &Configuration) {
    let (_world, mut b) = start(c);
    b.timers("t");
    let e = b.try_timers::<VoidNamespace>("t").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Config);
    assert!(e.context("state").is_some_and(|s| s.ends_with("_t")), "{e}");
}

fn timers_that_nobody_opens_survive(c: &Configuration) {
    let (world, mut b) = start(c);
    let mut t = b.timers("t");
    t.register_event_time_timer(&1, VOID, 1).unwrap();
    t.register_processing_time_timer(&2, VOID, 2).unwrap();
    let mut b = world.reopen(world.reopen(b));
    let mut t = b.timers("t");
    assert_eq!(
        (due(&mut t, 9), due_by_clock(&mut t, 9)),
        (vec![(1, 1)], vec![(2, 2)])
    );
}

fn timers_of_another_namespace_are_refused(c: &Configuration) {
    let (world, mut b) = start(c);
    b.timers("t").register_event_time_timer(&1, VOID, 1).unwrap();
    let mut b = world.reopen(b);
    let e = b.try_timers::<TimeWindow>("t").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Incompatible);
    assert!(e.to_string().contains("t"), "{e}");
}

fn keys_of_other_instances_have_no_timers_here(c: &Configuration) {
    let world = World::new(c);
    let mut b = world.try_create::<i64>((0, 30), &[]).unwrap();
    let mut t = b.timers("t");
    let e = t
        .register_event_time_timer(&b.foreign_key(), VOID, 1)
        .unwrap_err();
    assert_eq!(e.kind(), ErrorKind::IllegalState);
    t.register_event_time_timer(&b.own_key(), VOID, 1).unwrap();
    assert_eq!(t.num_event_time_timers().unwrap(), 1);
}

fn timers_are_restored_beside_states(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value::<i64>("v");
    let mut t = b.timers("t");
    for key in 0..100 {
        b.key(key);
        v.update(key).unwrap();
        t.register_event_time_timer(&key, VOID, key * 2).unwrap();
    }
    let mut b = world.reopen(b);
    let (mut t, v) = (b.timers("t"), b.value::<i64>("v"));
    for (time, key) in due(&mut t, 1_000) {
        b.key(key);
        assert_eq!((v.get().unwrap(), time), (Some(key), key * 2));
    }
    assert_eq!(b.num_entries(), 100);
}

fn timers_go_where_their_keys_go(c: &Configuration) {
    let (world, mut b) = start(c);
    let mut t = b.timers("t");
    for key in 0..200 {
        t.register_event_time_timer(&key, VOID, key).unwrap();
        t.register_processing_time_timer(&key, VOID, key).unwrap();
    }
    let handles = world.snapshot(&mut b);
    let (mut found, mut second) = (Vec::new(), Vec::new());
    for range in [(0, 50), (51, WHOLE.1)] {
        let mut part = world.try_create::<i64>(range, &handles).unwrap();
        let mut t = part.timers("t");
        assert_eq!(
            t.num_event_time_timers().unwrap(),
            t.num_processing_time_timers().unwrap()
        );
        second.extend(world.snapshot(&mut part));
        found.extend(due(&mut t, 1_000));
    }
    found.sort();
    assert!(found.into_iter().eq((0..200).map(|k| (k, k))));
    let mut b = world.restore(&second);
    let mut t = b.timers("t");
    assert!(
        due_by_clock(&mut t, 1_000)
            .into_iter()
            .eq((0..200).map(|k| (k, k)))
    );
    assert_eq!(t.num_event_time_timers().unwrap(), 200);
}

/// Goal: the queue is a sorted set through any number of snapshots. Method: random steps against `BTreeSet`.
fn timers_are_a_sorted_set(c: &Configuration) {
    let (world, mut b) = start(c);
    let mut t = b.timers("t");
    let (mut model, mut random) = (BTreeSet::new(), SeededRandom::new(11));
    for step in 1..=3_000 {
        let (key, time) = (random.below(40) as i64, random.below(100) as i64);
        match random.below(10) {
            0..5 => {
                t.register_event_time_timer(&key, VOID, time).unwrap();
                model.insert((time, key));
            }
            5..9 => {
                t.delete_event_time_timer(&key, VOID, time).unwrap();
                model.remove(&(time, key));
            }
            _ => assert_eq!(t.next_event_time_timer(), model.first().map(|(time, _)| *time)),
        }
        if step % 1_000 == 0 {
            b = world.reopen(b);
            t = b.timers("t");
        }
    }
    assert_eq!(t.num_event_time_timers().unwrap(), model.len());
    let mut found = due(&mut t, 100);
    assert!(found.is_sorted_by_key(|(time, _)| *time));
    found.sort();
    assert!(found.into_iter().eq(model));
}

fn timers_of_text_keys_are_restored(c: &Configuration) {
    let world = World::new(c);
    let mut b = world.try_create::<String>(WHOLE, &[]).unwrap();
    let mut t = b.timers("t");
    for key in ["", "a", "ab", "\0"] {
        t.register_event_time_timer(&key.to_owned(), VOID, key.len() as i64)
            .unwrap();
    }
    let handles = world.snapshot(&mut b);
    let mut b = world.try_create::<String>(WHOLE, &handles).unwrap();
    let mut t = b.timers("t");
    let mut found: Vec<_> = std::iter::from_fn(|| t.poll_event_timer(9).unwrap())
        .map(|timer| (timer.timestamp, timer.key))
        .collect();
    found.sort();
    let expected = [(0, ""), (1, "\0"), (1, "a"), (2, "ab")];
    assert_eq!(found, expected.map(|(time, key)| (time, key.to_owned())));
}

crate::behaviours![
    timers_come_in_the_order_of_their_timestamps,
    only_timers_that_are_due_come,
    a_timer_registered_twice_comes_once,
    a_deleted_timer_never_comes,
    deleting_what_is_not_there_is_nothing,
    a_deleted_timer_can_be_registered_again,
    the_domains_are_apart,
    keys_have_their_own_timers,
    namespaces_have_their_own_timers,
    equal_timestamps_come_in_an_order_that_a_restore_keeps,
    a_timer_carries_its_key_group,
    timers_can_be_registered_while_others_are_handled,
    timers_can_be_deleted_while_others_are_handled,
    extreme_timestamps_are_kept_in_order,
    the_watermark_never_goes_back,
    the_watermark_is_not_restored,
    a_snapshot_holds_the_timers_of_its_moment,
    services_are_restored_by_name,
    a_name_of_timers_is_taken_once,
    timers_that_nobody_opens_survive,
    timers_of_another_namespace_are_refused,
    keys_of_other_instances_have_no_timers_here,
    timers_are_restored_beside_states,
    timers_go_where_their_keys_go,
    timers_are_a_sorted_set,
    timers_of_text_keys_are_restored,
];
