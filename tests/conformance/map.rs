//! Map state.

use crate::configuration::Configuration;
use crate::erased::Map;
use crate::functions::Route;
use crate::world::{Instance, start};

fn open(b: &mut Instance) -> Map<String, i64> {
    let m = b.map("m");
    b.key(1);
    m
}

fn sorted(m: &Map<String, i64>) -> Vec<(String, i64)> {
    let mut entries = m.entries().unwrap();
    entries.sort();
    entries
}

fn entry(key: &str, value: i64) -> (String, i64) {
    (key.to_owned(), value)
}

fn a_key_without_entries_has_an_empty_map(c: &Configuration) {
    let (_world, mut b) = start(c);
    let m = open(&mut b);
    assert_eq!(m.get(&"a".into()).unwrap(), None);
    assert!(!m.contains(&"a".into()).unwrap());
    assert!(m.is_empty().unwrap());
    assert_eq!(m.len().unwrap(), 0);
    assert_eq!(m.entries().unwrap(), []);
    assert!(m.keys().unwrap().is_empty());
    assert!(m.values().unwrap().is_empty());
    m.for_each(|_, _| panic!("there is none")).unwrap();
}

fn what_was_put_is_read_back(c: &Configuration) {
    let (_world, mut b) = start(c);
    let m = open(&mut b);
    m.put("a".into(), 1).unwrap();
    m.put("b".into(), 2).unwrap();
    assert_eq!(m.get(&"a".into()).unwrap(), Some(1));
    assert_eq!(m.get(&"b".into()).unwrap(), Some(2));
    assert_eq!(m.get(&"c".into()).unwrap(), None);
    assert_eq!(sorted(&m), [entry("a", 1), entry("b", 2)]);
}

fn a_put_replaces_the_value(c: &Configuration) {
    let (_world, mut b) = start(c);
    let m = open(&mut b);
    m.put("a".into(), 1).unwrap();
    m.put("a".into(), 2).unwrap();
    assert_eq!(m.entries().unwrap(), [entry("a", 2)]);
    assert_eq!(m.len().unwrap(), 1);
}

fn put_all_puts_each(c: &Configuration) {
    let (_world, mut b) = start(c);
    let m = open(&mut b);
    m.put("b".into(), 0).unwrap();
    m.put_all([entry("a", 1), entry("b", 2), entry("c", 3)]).unwrap();
    assert_eq!(sorted(&m), [entry("a", 1), entry("b", 2), entry("c", 3)]);
}

fn putting_nothing_creates_nothing(c: &Configuration) {
    let (_world, mut b) = start(c);
    let m = open(&mut b);
    m.put_all([]).unwrap();
    assert!(m.is_empty().unwrap());
    assert!(b.sorted_keys("m").is_empty());
}

fn remove_returns_what_was_there(c: &Configuration) {
    let (world, mut b) = start(c);
    let m = open(&mut b);
    m.put_all([entry("a", 1), entry("b", 2)]).unwrap();
    assert_eq!(m.remove(&"a".into()).unwrap(), Some(1));
    assert_eq!(m.remove(&"a".into()).unwrap(), None);
    assert_eq!(m.remove(&"never".into()).unwrap(), None);
    assert_eq!(m.entries().unwrap(), [entry("b", 2)]);
    let mut b = world.reopen(b);
    assert_eq!(open(&mut b).entries().unwrap(), [entry("b", 2)]);
}

fn a_key_whose_last_entry_went_has_nothing(c: &Configuration) {
    let (_world, mut b) = start(c);
    let m = open(&mut b);
    m.put("a".into(), 1).unwrap();
    m.remove(&"a".into()).unwrap();
    assert!(m.is_empty().unwrap());
    assert!(b.sorted_keys("m").is_empty());
    assert_eq!(b.num_entries(), 0);
}

fn contains_and_len_count_what_is_there(c: &Configuration) {
    let (_world, mut b) = start(c);
    let m = open(&mut b);
    m.put_all([entry("a", 1), entry("b", 2)]).unwrap();
    assert!(m.contains(&"a".into()).unwrap() && !m.contains(&"z".into()).unwrap());
    assert_eq!(m.len().unwrap(), 2);
    assert!(!m.is_empty().unwrap());
}

fn a_cleared_map_is_empty(c: &Configuration) {
    let (world, mut b) = start(c);
    let m = open(&mut b);
    m.put_all((0..100).map(|n| (n.to_string(), n))).unwrap();
    m.clear().unwrap();
    assert!(m.is_empty().unwrap());
    assert_eq!(m.get(&"5".into()).unwrap(), None);
    m.put("new".into(), 1).unwrap();
    assert_eq!(m.entries().unwrap(), [entry("new", 1)]);
    let mut b = world.reopen(b);
    assert_eq!(open(&mut b).entries().unwrap(), [entry("new", 1)]);
}

fn clearing_an_empty_map_is_nothing(c: &Configuration) {
    let (_world, mut b) = start(c);
    let m = open(&mut b);
    m.clear().unwrap();
    assert!(m.is_empty().unwrap());
    assert_eq!(b.num_entries(), 0);
}

fn each_key_has_its_own_map(c: &Configuration) {
    let (_world, mut b) = start(c);
    let m = open(&mut b);
    for key in 0..30 {
        b.key(key);
        m.put_all([entry("k", key), (key.to_string(), 0)]).unwrap();
    }
    b.key(4);
    m.clear().unwrap();
    b.key(5);
    m.remove(&"k".into()).unwrap();
    for key in (0..30).filter(|k| *k > 5) {
        b.key(key);
        assert_eq!(sorted(&m), [(key.to_string(), 0), entry("k", key)]);
    }
    b.key(5);
    assert_eq!(m.keys().unwrap(), ["5"]);
    b.key(4);
    assert!(m.is_empty().unwrap());
}

fn entries_keys_values_and_for_each_agree(c: &Configuration) {
    let (_world, mut b) = start(c);
    let m = open(&mut b);
    m.put_all((0..50).map(|n| (n.to_string(), n))).unwrap();
    let entries = m.entries().unwrap();
    let (keys, values): (Vec<_>, Vec<_>) = entries.iter().cloned().unzip();
    assert_eq!(m.keys().unwrap(), keys);
    assert_eq!(m.values().unwrap(), values);
    let mut shown = Vec::new();
    m.for_each(|k, v| shown.push((k.clone(), *v))).unwrap();
    assert_eq!(shown, entries);
}

fn iteration_is_repeatable(c: &Configuration) {
    let (_world, mut b) = start(c);
    let m = open(&mut b);
    m.put_all((0..200).map(|n| (format!("k{n}"), n))).unwrap();
    let first = m.entries().unwrap();
    b.key(2);
    m.put("x".into(), 1).unwrap();
    b.key(1);
    assert_eq!(m.entries().unwrap(), first);
}

fn modify_sets_changes_and_removes(c: &Configuration) {
    let (world, mut b) = start(c);
    let m = open(&mut b);
    assert_eq!(m.modify("a".into(), |v| v.replace(1)).unwrap(), None);
    m.modify("a".into(), |v| *v.as_mut().unwrap() += 10).unwrap();
    assert_eq!(m.get(&"a".into()).unwrap(), Some(11));
    m.put("b".into(), 2).unwrap();
    assert_eq!(m.modify("a".into(), Option::take).unwrap(), Some(11));
    assert_eq!(m.entries().unwrap(), [entry("b", 2)]);
    let mut b = world.reopen(b);
    assert_eq!(open(&mut b).entries().unwrap(), [entry("b", 2)]);
}

fn modify_that_leaves_nothing_creates_nothing(c: &Configuration) {
    let (_world, mut b) = start(c);
    let m = open(&mut b);
    assert!(m.modify("a".into(), |v| v.is_none()).unwrap());
    assert!(m.is_empty().unwrap());
    assert!(b.sorted_keys("m").is_empty());
}

fn with_shows_a_value(c: &Configuration) {
    let (_world, mut b) = start(c);
    let m = open(&mut b);
    assert!(m.with(&"a".into(), |v| v.is_none()).unwrap());
    m.put("a".into(), 3).unwrap();
    assert_eq!(m.with(&"a".into(), |v| v.copied()).unwrap(), Some(3));
}

fn a_null_value_is_not_an_absent_one(c: &Configuration) {
    let (world, mut b) = start(c);
    let m = b.map::<String, Option<i64>>("nulls");
    b.key(1);
    m.put("a".into(), None).unwrap();
    let check = |m: &Map<String, Option<i64>>| {
        assert!(m.contains(&"a".into()).unwrap());
        assert_eq!(m.get(&"a".into()).unwrap(), Some(None));
        assert_eq!(m.get(&"b".into()).unwrap(), None);
        assert_eq!(m.entries().unwrap(), [("a".to_owned(), None)]);
    };
    check(&m);
    let mut b = world.reopen(b);
    let m = b.map::<String, Option<i64>>("nulls");
    b.key(1);
    check(&m);
    assert_eq!(m.remove(&"a".into()).unwrap(), Some(None));
    assert!(m.is_empty().unwrap());
}

/// In a database, user keys that begin alike are neighbours.
fn user_keys_that_begin_alike_are_kept_apart(c: &Configuration) {
    let (world, mut b) = start(c);
    let m = open(&mut b);
    let keys = ["", "a", "ab", "abc", "a\0", "b"];
    for (n, key) in (0..).zip(keys) {
        m.put(key.to_owned(), n).unwrap();
    }
    m.remove(&"ab".into()).unwrap();
    let expected = [
        entry("", 0),
        entry("a", 1),
        entry("a\0", 4),
        entry("abc", 3),
        entry("b", 5),
    ];
    assert_eq!(sorted(&m), expected);
    let mut b = world.reopen(b);
    assert_eq!(sorted(&open(&mut b)), expected);
}

fn a_large_map_is_kept(c: &Configuration) {
    let (world, mut b) = start(c);
    let m = open(&mut b);
    m.put_all((0..2_000).map(|n| (format!("{n:05}"), n))).unwrap();
    (0..2_000).step_by(2).for_each(|n| {
        m.remove(&format!("{n:05}")).unwrap();
    });
    let expected: Vec<_> = (0..2_000)
        .skip(1)
        .step_by(2)
        .map(|n| (format!("{n:05}"), n))
        .collect();
    assert_eq!(m.len().unwrap(), 1_000);
    assert_eq!(sorted(&m), expected);
    let mut b = world.reopen(b);
    assert_eq!(sorted(&open(&mut b)), expected);
}

fn user_keys_can_be_structs(c: &Configuration) {
    let (world, mut b) = start(c);
    let m = b.map::<Route, i64>("routes");
    b.key(1);
    m.put(Route::new("a", "bc"), 1).unwrap();
    m.put(Route::new("ab", "c"), 2).unwrap();
    let mut b = world.reopen(b);
    let m = b.map::<Route, i64>("routes");
    b.key(1);
    assert_eq!(m.get(&Route::new("a", "bc")).unwrap(), Some(1));
    assert_eq!(m.get(&Route::new("ab", "c")).unwrap(), Some(2));
    assert_eq!(m.len().unwrap(), 2);
}

fn a_callback_that_changes_its_own_map_gets_an_error(c: &Configuration) {
    let (_world, mut b) = start(c);
    let m = open(&mut b);
    m.put("a".into(), 1).unwrap();
    let mut refused = false;
    m.for_each(|_, _| refused = m.put("b".into(), 2).is_err())
        .unwrap();
    assert!(refused);
    assert!(m.modify("a".into(), |_| m.clear().is_err()).unwrap());
    assert_eq!(m.entries().unwrap(), [entry("a", 1)]);
}

fn removing_while_going_over_a_copy_empties_the_map(c: &Configuration) {
    let (_world, mut b) = start(c);
    let m = open(&mut b);
    m.put_all((0..20).map(|n| (n.to_string(), n))).unwrap();
    for key in m.keys().unwrap() {
        m.remove(&key).unwrap();
    }
    assert!(m.is_empty().unwrap());
    assert!(b.sorted_keys("m").is_empty());
}

crate::behaviours![
    a_key_without_entries_has_an_empty_map,
    what_was_put_is_read_back,
    a_put_replaces_the_value,
    put_all_puts_each,
    putting_nothing_creates_nothing,
    remove_returns_what_was_there,
    a_key_whose_last_entry_went_has_nothing,
    contains_and_len_count_what_is_there,
    a_cleared_map_is_empty,
    clearing_an_empty_map_is_nothing,
    each_key_has_its_own_map,
    entries_keys_values_and_for_each_agree,
    iteration_is_repeatable,
    modify_sets_changes_and_removes,
    modify_that_leaves_nothing_creates_nothing,
    with_shows_a_value,
    a_null_value_is_not_an_absent_one,
    user_keys_that_begin_alike_are_kept_apart,
    a_large_map_is_kept,
    user_keys_can_be_structs,
    a_callback_that_changes_its_own_map_gets_an_error,
    removing_while_going_over_a_copy_empties_the_map,
];
