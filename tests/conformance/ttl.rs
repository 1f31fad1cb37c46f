//! Times to live, on a clock that the tests drive. Each behaviour brings the configuration of its own states.

use crate::configuration::Configuration;
use crate::world::{Five, Instance, World, start};
use millpond_core::ErrorKind;
use millpond_state::ttl::{StateTtlConfig, StateTtlConfigBuilder};
use std::time::Duration;

const TTL_MS: u64 = 1_000;

fn builder() -> StateTtlConfigBuilder {
    StateTtlConfig::new_builder(Duration::from_millis(TTL_MS))
}

fn started(c: &Configuration, ttl: StateTtlConfigBuilder) -> (World, Instance, Five) {
    let (world, mut b) = start(c);
    b.ttl = ttl.build().unwrap();
    let five = Five::open(&mut b);
    b.key(1);
    (world, b, five)
}

/// Snapshot and restore, and the states opened with `ttl`.
fn reopened(world: &World, b: Instance, ttl: StateTtlConfig) -> (Instance, Five) {
    let mut b = world.reopen(b);
    b.ttl = ttl;
    let five = Five::open(&mut b);
    b.key(1);
    (b, five)
}

fn advance(world: &World, ms: u64) {
    world.clock.advance(Duration::from_millis(ms));
}

fn values_live_until_the_very_millisecond(c: &Configuration) {
    let (world, _b, five) = started(c, builder());
    five.write(1);
    advance(&world, TTL_MS - 1);
    five.check(1);
    advance(&world, 1);
    five.check_empty();
}

fn what_is_over_is_gone_for_good(c: &Configuration) {
    let (world, b, five) = started(c, builder());
    five.write(1);
    advance(&world, TTL_MS);
    five.check_empty();
    // To ask a map whether it is empty counts, and removes nothing; to go over it does.
    assert!(five.map.entries().unwrap().is_empty());
    assert_eq!(b.num_entries(), 0, "the reads removed it");
    five.write(2);
    five.check(2);
}

fn a_write_begins_a_life_anew(c: &Configuration) {
    let (world, _b, five) = started(c, builder());
    five.write(1);
    for n in 2..6 {
        advance(&world, TTL_MS - 1);
        five.write(n);
    }
    advance(&world, TTL_MS - 1);
    five.check(5);
}

fn by_default_a_read_does_not(c: &Configuration) {
    let (world, _b, five) = started(c, builder());
    five.write(1);
    advance(&world, TTL_MS / 2);
    five.check(1);
    advance(&world, TTL_MS / 2);
    five.check_empty();
}

fn a_read_begins_a_life_anew_when_it_should(c: &Configuration) {
    let (world, _b, five) = started(c, builder().update_ttl_on_read_and_write());
    five.write(1);
    for _ in 0..5 {
        advance(&world, TTL_MS - 1);
        five.check(1);
    }
    advance(&world, TTL_MS);
    five.check_empty();
}

fn what_is_over_can_be_shown_once_when_it_should(c: &Configuration) {
    let ttl = builder()
        .return_expired_if_not_cleaned_up()
        .disable_cleanup_in_background();
    let (world, _b, five) = started(c, ttl);
    five.value.update(1).unwrap();
    five.sum.add(1).unwrap();
    five.mean.add(1).unwrap();
    five.map.put("a".into(), 1).unwrap();
    advance(&world, TTL_MS);
    for expected in [Some(1), None] {
        assert_eq!(five.value.get().unwrap(), expected);
        assert_eq!(five.sum.get().unwrap(), expected);
        assert_eq!(five.mean.get().unwrap(), expected);
        assert_eq!(five.map.get(&"a".into()).unwrap(), expected);
    }
}

fn elements_of_a_list_live_each_for_itself(c: &Configuration) {
    let (world, _b, five) = started(c, builder());
    five.list.add(1).unwrap();
    advance(&world, 400);
    five.list.add_all([2, 3]).unwrap();
    advance(&world, 400);
    five.list.add(4).unwrap();
    assert_eq!(five.list.get().unwrap(), [1, 2, 3, 4]);
    advance(&world, 200);
    assert_eq!(five.list.get().unwrap(), [2, 3, 4]);
    advance(&world, 400);
    assert_eq!(five.list.get().unwrap(), [4]);
    advance(&world, 400);
    assert!(five.list.is_empty().unwrap());
}

fn an_updated_list_begins_anew(c: &Configuration) {
    let (world, _b, five) = started(c, builder());
    five.list.add(1).unwrap();
    advance(&world, TTL_MS - 1);
    five.list.update(vec![1, 2]).unwrap();
    advance(&world, TTL_MS - 1);
    assert_eq!(five.list.get().unwrap(), [1, 2]);
}

fn entries_of_a_map_live_each_for_itself(c: &Configuration) {
    let (world, _b, five) = started(c, builder());
    let m = &five.map;
    m.put_all([("a".into(), 1), ("b".into(), 2)]).unwrap();
    advance(&world, 600);
    m.put("b".into(), 3).unwrap();
    m.modify("c".into(), |v| *v = Some(4)).unwrap();
    advance(&world, 400);
    assert_eq!(
        (m.get(&"a".into()).unwrap(), m.contains(&"a".into()).unwrap()),
        (None, false)
    );
    assert_eq!(m.len().unwrap(), 2);
    let mut entries = m.entries().unwrap();
    entries.sort();
    assert_eq!(entries, [("b".to_owned(), 3), ("c".to_owned(), 4)]);
    advance(&world, 600);
    assert!(m.is_empty().unwrap());
    assert!(m.entries().unwrap().is_empty());
    assert_eq!(m.remove(&"b".into()).unwrap(), None);
}

fn reading_an_entry_leaves_its_neighbours(c: &Configuration) {
    let (world, _b, five) = started(c, builder().update_ttl_on_read_and_write());
    five.map.put_all([("a".into(), 1), ("b".into(), 2)]).unwrap();
    advance(&world, 600);
    assert_eq!(five.map.get(&"a".into()).unwrap(), Some(1));
    advance(&world, 600);
    assert_eq!(five.map.entries().unwrap(), [("a".to_owned(), 1)]);
}

fn reductions_begin_anew_after_their_end(c: &Configuration) {
    let (world, _b, five) = started(c, builder());
    five.sum.add(5).unwrap();
    five.mean.add(5).unwrap();
    advance(&world, TTL_MS - 1);
    five.sum.add(6).unwrap();
    five.mean.add(7).unwrap();
    advance(&world, TTL_MS - 1);
    assert_eq!(
        (five.sum.get().unwrap(), five.mean.get().unwrap()),
        (Some(11), Some(6))
    );
    advance(&world, 1);
    five.sum.add(2).unwrap();
    five.mean.add(2).unwrap();
    assert_eq!(five.sum.get().unwrap(), Some(2));
    assert_eq!(five.mean.accumulator().unwrap(), Some((2, 1)));
}

fn modify_sees_nothing_of_what_is_over(c: &Configuration) {
    let (world, _b, five) = started(c, builder());
    five.value.update(1).unwrap();
    five.map.put("a".into(), 1).unwrap();
    advance(&world, TTL_MS);
    assert_eq!(five.value.modify(|v| v.replace(2)).unwrap(), None);
    assert_eq!(five.map.modify("a".into(), |v| v.replace(2)).unwrap(), None);
    advance(&world, TTL_MS - 1);
    assert_eq!(five.value.get().unwrap(), Some(2));
    assert_eq!(five.map.get(&"a".into()).unwrap(), Some(2));
}

fn defaults_come_back_after_the_end(c: &Configuration) {
    let (world, mut b, _five) = started(c, builder());
    let v = b.value_with_default("d", -1);
    v.update(5).unwrap();
    assert_eq!(v.value().unwrap(), 5);
    advance(&world, TTL_MS);
    assert_eq!(v.value().unwrap(), -1);
}

fn keys_live_each_for_itself(c: &Configuration) {
    let (world, b, five) = started(c, builder());
    for key in 0..10 {
        b.key(key);
        five.write(key);
        advance(&world, 100);
    }
    // 1000 ms have passed since key 0, 100 ms since key 9.
    for key in 0..10 {
        b.key(key);
        if key == 0 {
            five.check_empty()
        } else {
            five.check(key)
        }
    }
}

fn lives_go_on_over_a_restore(c: &Configuration) {
    let (world, b, five) = started(c, builder());
    let ttl = b.ttl;
    five.write(1);
    advance(&world, 400);
    let (b, five) = reopened(&world, b, ttl);
    advance(&world, 599);
    five.check(1);
    let (_b, five) = reopened(&world, b, ttl);
    advance(&world, 1);
    five.check_empty();
}

fn a_time_to_live_is_given_at_a_restore(c: &Configuration) {
    let (world, mut b) = start(c);
    b.ttl = StateTtlConfig::DISABLED;
    let five = Five::open(&mut b);
    b.key(1);
    five.write(1);
    advance(&world, 1_000_000);
    let (_b, five) = reopened(&world, b, builder().build().unwrap());
    advance(&world, TTL_MS - 1);
    five.check(1);
    advance(&world, 1);
    five.check_empty();
}

fn a_time_to_live_is_taken_away_at_a_restore(c: &Configuration) {
    let (world, b, five) = started(c, builder());
    five.write(1);
    let (b, five) = reopened(&world, b, StateTtlConfig::DISABLED);
    advance(&world, 1_000_000);
    five.check(1);
    let (_b, five) = reopened(&world, b, StateTtlConfig::DISABLED);
    five.check(1);
}

fn a_time_to_live_is_changed_at_a_restore(c: &Configuration) {
    let (world, b, five) = started(c, builder());
    five.write(1);
    let longer = builder()
        .time_to_live(Duration::from_millis(5 * TTL_MS))
        .build()
        .unwrap();
    let (b, five) = reopened(&world, b, longer);
    advance(&world, 4 * TTL_MS);
    five.check(1);
    let (_b, five) = reopened(&world, b, builder().build().unwrap());
    five.check_empty();
}

fn a_time_to_live_survives_where_nobody_opens_the_state(c: &Configuration) {
    let (world, b, five) = started(c, builder());
    let ttl = b.ttl;
    five.write(1);
    let b = world.reopen(b);
    advance(&world, TTL_MS - 1);
    let (_b, five) = reopened(&world, b, ttl);
    five.check(1);
    advance(&world, 1);
    five.check_empty();
}

fn a_snapshot_with_cleanup_leaves_out_what_is_over(c: &Configuration) {
    let ttl = builder().cleanup_full_snapshot().disable_cleanup_in_background();
    let (world, b, five) = started(c, ttl);
    five.write(1);
    b.key(2);
    advance(&world, TTL_MS);
    five.write(2);
    // Without a time to live everything that was stored is seen again.
    let (b, five) = reopened(&world, b, StateTtlConfig::DISABLED);
    if c.stores_database_files() {
        five.check(1);
    } else {
        five.check_empty();
    }
    b.key(2);
    five.check(2);
}

fn a_name_has_one_time_to_live(c: &Configuration) {
    let (_world, mut b, _five) = started(c, builder());
    b.ttl = builder().time_to_live(Duration::from_secs(9)).build().unwrap();
    let e = b.try_value::<i64>("value").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Config);
    assert_eq!(e.context("state"), Some("value"));
    b.ttl = StateTtlConfig::DISABLED;
    assert_eq!(b.try_list::<i64>("list").unwrap_err().kind(), ErrorKind::Config);
}

fn a_null_lives_and_dies(c: &Configuration) {
    let (world, mut b, _five) = started(c, builder());
    let (v, m) = (b.value::<Option<i64>>("n"), b.map::<i64, Option<i64>>("m"));
    v.update(None).unwrap();
    m.put(1, None).unwrap();
    advance(&world, TTL_MS - 1);
    assert_eq!((v.get().unwrap(), m.get(&1).unwrap()), (Some(None), Some(None)));
    advance(&world, 1);
    assert_eq!((v.get().unwrap(), m.get(&1).unwrap()), (None, None));
}

fn merged_elements_keep_their_lives(c: &Configuration) {
    let (world, mut b, _five) = started(c, builder());
    let l = b.list_in::<i64, _>("l", 0i64).unwrap();
    l.add(1).unwrap();
    advance(&world, 600);
    l.set_current_namespace(1).unwrap();
    l.add(2).unwrap();
    l.merge_namespaces(&1, &[0]).unwrap();
    assert_eq!(l.get().unwrap(), [2, 1]);
    advance(&world, 400);
    assert_eq!(l.get().unwrap(), [2]);
}

fn a_clock_that_goes_back_kills_nothing(c: &Configuration) {
    let (world, _b, five) = started(c, builder());
    five.write(1);
    world.clock.set(0);
    five.check(1);
    world.clock.set(1_000_000 + TTL_MS as i64);
    five.check_empty();
}

crate::behaviours![
    values_live_until_the_very_millisecond,
    what_is_over_is_gone_for_good,
    a_write_begins_a_life_anew,
    by_default_a_read_does_not,
    a_read_begins_a_life_anew_when_it_should,
    what_is_over_can_be_shown_once_when_it_should,
    elements_of_a_list_live_each_for_itself,
    an_updated_list_begins_anew,
    entries_of_a_map_live_each_for_itself,
    reading_an_entry_leaves_its_neighbours,
    reductions_begin_anew_after_their_end,
    modify_sees_nothing_of_what_is_over,
    defaults_come_back_after_the_end,
    keys_live_each_for_itself,
    lives_go_on_over_a_restore,
    a_time_to_live_is_given_at_a_restore,
    a_time_to_live_is_taken_away_at_a_restore,
    a_time_to_live_is_changed_at_a_restore,
    a_time_to_live_survives_where_nobody_opens_the_state,
    a_snapshot_with_cleanup_leaves_out_what_is_over,
    a_name_has_one_time_to_live,
    a_null_lives_and_dies,
    merged_elements_keep_their_lives,
    a_clock_that_goes_back_kills_nothing,
];
