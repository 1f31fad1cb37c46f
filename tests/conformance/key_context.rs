//! The current key: what every access is about, and which keys an instance may use.

use crate::configuration::Configuration;
use crate::erased::{Aggregating, List, Map, Reducing, Value};
use crate::functions::Route;
use crate::world::{Five, Instance, MAX_PARALLELISM, World, start};
use millpond_core::ErrorKind;
use millpond_core::host::SeededRandom;
use millpond_state::keyed::{AggregatingState, ListState, MapState, ReducingState, ValueState};
use millpond_types::JavaHash;
use millpond_types::key_group::key_group_for_hash;
use std::collections::BTreeMap;

fn without_a_key_every_access_is_refused(c: &Configuration) {
    let (_world, mut b) = start(c);
    let five = Five::open(&mut b);
    for e in five.errors() {
        assert_eq!(e.kind(), ErrorKind::IllegalState, "{e}");
        assert!(e.to_string().contains("no current key"), "{e}");
    }
    assert!(b.current_key().is_err());
}

fn a_cleared_key_is_no_key(c: &Configuration) {
    let (_world, mut b) = start(c);
    let five = Five::open(&mut b);
    b.key(1);
    five.write(1);
    b.key_context().clear_current_key().unwrap();
    for e in five.errors() {
        assert!(e.to_string().contains("no current key"), "{e}");
    }
    assert!(b.current_key().is_err());
    b.key(1);
    five.check(1);
}

fn keys_of_other_instances_are_refused(c: &Configuration) {
    let world = World::new(c);
    let mut b = world.try_create::<i64>((0, 40), &[]).unwrap();
    let five = Five::open(&mut b);
    b.key(b.foreign_key());
    for e in five.errors() {
        assert_eq!(e.kind(), ErrorKind::IllegalState, "{e}");
        assert!(e.to_string().contains("another operator instance"), "{e}");
    }
    b.key(b.own_key());
    five.check_empty();
    assert_eq!(b.num_entries(), 0);
}

fn one_key_is_current_for_every_state(c: &Configuration) {
    let (_world, mut b) = start(c);
    let five = Five::open(&mut b);
    for key in 0..20 {
        b.key(key);
        assert_eq!(b.current_key().unwrap(), key);
        five.check_empty();
        five.write(key);
    }
    for key in (0..20).rev() {
        b.key(key);
        five.check(key);
    }
}

fn a_state_opened_later_follows_the_current_key(c: &Configuration) {
    let (_world, mut b) = start(c);
    b.key(4);
    let v = b.value::<i64>("v");
    v.update(1).unwrap();
    b.key(5);
    assert_eq!(v.get().unwrap(), None);
    assert_eq!(b.sorted_keys("v"), [4]);
}

fn setting_the_same_key_again_changes_nothing(c: &Configuration) {
    let (_world, mut b) = start(c);
    let five = Five::open(&mut b);
    b.key(1);
    five.write(8);
    b.key(1);
    five.check(8);
}

/// Keys are announced that come, that don't, or after others; and whatever was there when they were announced is gone by then, or
/// elsewhere, or has come. All are of one key group, so that its table is large.
fn what_is_announced_changes_nothing(c: &Configuration) {
    let (_world, mut b) = start(c);
    let (v, m) = (b.value::<i64>("v"), b.map::<i64, i64>("m"));
    let context = b.key_context().clone();
    let mut random = SeededRandom::new(c.to_string().len() as u64);
    let keys: Vec<i64> = (0..)
        .filter(|key| context.key_group_of(key) == 0)
        .take(700)
        .collect();
    let mut model = BTreeMap::new();
    for _ in 0..400 {
        let any = |random: &mut SeededRandom| keys[random.below(keys.len() as u64) as usize];
        let announced: Vec<i64> = (0..16).map(|_| any(&mut random)).collect();
        let prepared: Vec<_> = announced.iter().map(|key| context.prepare(*key)).collect();
        b.prefetch(&prepared);
        for prepared in prepared {
            if random.below(4) == 0 {
                b.key(any(&mut random));
            } else {
                context.set_prepared_key(prepared).unwrap();
            }
            let key = b.current_key().unwrap();
            assert_eq!(v.get().unwrap(), model.get(&key).copied());
            assert_eq!(m.get(&1).unwrap(), model.get(&key).copied());
            let value = random.next_u64() as i64;
            match random.below(8) {
                0 => {
                    v.clear().unwrap();
                    m.remove(&1).unwrap();
                    model.remove(&key);
                }
                1 => {
                    v.modify(|slot| *slot = None).unwrap();
                    m.clear().unwrap();
                    model.remove(&key);
                }
                2 => {
                    v.modify(|slot| *slot = Some(value)).unwrap();
                    m.put(1, value).unwrap();
                    model.insert(key, value);
                }
                _ => {
                    v.update(value).unwrap();
                    m.put(1, value).unwrap();
                    model.insert(key, value);
                }
            }
            assert_eq!(v.get().unwrap(), model.get(&key).copied());
        }
    }
    for key in keys {
        b.key(key);
        assert_eq!(v.get().unwrap(), model.get(&key).copied());
        assert_eq!(m.get(&1).unwrap(), model.get(&key).copied());
    }
}

fn key_groups_are_those_of_the_hash(c: &Configuration) {
    let (_world, b) = start(c);
    for key in [0, 1, -1, 42, i64::MIN, i64::MAX] {
        b.key(key);
        let expected = key_group_for_hash(key.java_hash(), MAX_PARALLELISM);
        assert_eq!(b.key_context().current_key_group(), expected);
        assert_eq!(b.key_context().key_group_of(&key), expected);
    }
    assert_eq!(b.key_context().max_parallelism(), MAX_PARALLELISM);
}

fn the_key_cannot_change_while_a_value_is_lent(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value::<i64>("v");
    b.key(1);
    v.update(1).unwrap();
    assert!(v.modify(|_| b.set_current_key(2).is_err()).unwrap());
    assert_eq!(b.current_key().unwrap(), 1);
    b.key(2);
    assert_eq!(v.get().unwrap(), None);
}

fn text_keys_work_in_every_kind(c: &Configuration) {
    let world = World::new(c);
    let mut b: Instance<String> = world.try_create((0, MAX_PARALLELISM - 1), &[]).unwrap();
    let keys = ["", "a", "ab", "b", "\u{1F6F6}", "a\0b"];
    let (v, l) = (b.value::<i64>("v"), b.list::<String>("l"));
    let m = b.map::<String, i64>("m");
    for (n, key) in (0..).zip(keys) {
        b.key(key.to_owned());
        v.update(n).unwrap();
        l.add(key.repeat(2)).unwrap();
        m.put(key.into(), n).unwrap();
    }
    let handles = world.snapshot(&mut b);
    let mut b: Instance<String> = world.try_create((0, MAX_PARALLELISM - 1), &handles).unwrap();
    let (v, l) = (b.value::<i64>("v"), b.list::<String>("l"));
    let m = b.map::<String, i64>("m");
    for (n, key) in (0..).zip(keys) {
        b.key(key.to_owned());
        assert_eq!(v.get().unwrap(), Some(n));
        assert_eq!(l.get().unwrap(), [key.repeat(2)]);
        assert_eq!(m.entries().unwrap(), [(key.to_owned(), n)]);
    }
}

fn keys_of_several_fields_are_told_apart(c: &Configuration) {
    let world = World::new(c);
    let mut b: Instance<Route> = world.try_create((0, MAX_PARALLELISM - 1), &[]).unwrap();
    let v = b.value::<i64>("v");
    let routes = [("a", "bc"), ("ab", "c"), ("", "abc"), ("abc", "")].map(|(f, t)| Route::new(f, t));
    for (n, route) in (0..).zip(&routes) {
        b.key(route.clone());
        v.update(n).unwrap();
    }
    let handles = world.snapshot(&mut b);
    let mut b: Instance<Route> = world.try_create((0, MAX_PARALLELISM - 1), &handles).unwrap();
    let v = b.value::<i64>("v");
    for (n, route) in (0..).zip(&routes) {
        b.key(route.clone());
        assert_eq!(v.get().unwrap(), Some(n), "{route:?}");
    }
}

fn an_unopened_handle_is_an_error(c: &Configuration) {
    let (_world, b) = start(c);
    let five = Five {
        value: Value::new(ValueState::default()),
        list: List::new(ListState::default()),
        map: Map::new(MapState::default()),
        sum: Reducing::new(ReducingState::default()),
        mean: Aggregating::new(AggregatingState::default()),
    };
    b.key(1);
    for e in five.errors() {
        assert_eq!(e.kind(), ErrorKind::IllegalState);
        assert!(e.to_string().contains("never opened"), "{e}");
    }
}

crate::behaviours![
    without_a_key_every_access_is_refused,
    a_cleared_key_is_no_key,
    keys_of_other_instances_are_refused,
    one_key_is_current_for_every_state,
    a_state_opened_later_follows_the_current_key,
    setting_the_same_key_again_changes_nothing,
    what_is_announced_changes_nothing,
    key_groups_are_those_of_the_hash,
    the_key_cannot_change_while_a_value_is_lent,
    text_keys_work_in_every_kind,
    keys_of_several_fields_are_told_apart,
    an_unopened_handle_is_an_error,
];
