//! Every key of a state, listed and shown one after the other.

use crate::configuration::Configuration;
use crate::erased::{List, Map, Value};
use crate::world::{Five, Instance, start};
use millpond_core::{Error, Result};
use millpond_types::{StateType, VoidNamespace};

fn apply(b: &mut Instance, mut f: impl FnMut(&i64, &Value<i64>) -> Result<()>) -> Result<()> {
    let descriptor = b.values::<i64>("v");
    b.apply_to_all_keys(
        &VoidNamespace,
        VoidNamespace::serializer(),
        &descriptor,
        |key, state| f(key, &Value::new(state.clone())),
    )
}

fn filled(b: &mut Instance) -> Value<i64> {
    let v = b.value::<i64>("v");
    for key in 0..50 {
        b.key(key);
        v.update(key).unwrap();
    }
    v
}

fn keys_are_those_that_have_something(c: &Configuration) {
    let (_world, mut b) = start(c);
    let five = Five::open(&mut b);
    for key in 0..12 {
        b.key(key);
        five.write(key);
    }
    for key in 0..6 {
        b.key(key);
        five.clear();
    }
    for state in ["value", "list", "map", "sum", "mean"] {
        assert!(b.sorted_keys(state).into_iter().eq(6..12), "{state}");
    }
}

fn listing_keys_leaves_the_current_one(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = filled(&mut b);
    b.key(7);
    assert_eq!(b.keys("v", &VoidNamespace).unwrap().len(), 50);
    assert_eq!(b.current_key().unwrap(), 7);
    assert_eq!(v.get().unwrap(), Some(7));
}

fn keys_are_listed_in_a_repeatable_order(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = filled(&mut b);
    let first = b.keys("v", &VoidNamespace).unwrap();
    b.key(3);
    v.update(99).unwrap();
    assert_eq!(b.keys("v", &VoidNamespace).unwrap(), first);
}

fn each_key_is_shown_once_with_its_state(c: &Configuration) {
    let (_world, mut b) = start(c);
    filled(&mut b);
    let mut shown = Vec::new();
    apply(&mut b, |key, v| {
        shown.push(*key);
        assert_eq!(v.get()?, Some(*key));
        Ok(())
    })
    .unwrap();
    shown.sort();
    assert!(shown.into_iter().eq(0..50));
}

fn what_is_shown_can_be_changed_and_cleared(c: &Configuration) {
    let (world, mut b) = start(c);
    filled(&mut b);
    apply(&mut b, |key, v| match key % 2 {
        0 => v.clear(),
        _ => v.update(key * 10),
    })
    .unwrap();
    assert!(b.sorted_keys("v").into_iter().eq((1..50).step_by(2)));
    let mut b = world.reopen(b);
    let v = b.value::<i64>("v");
    b.key(9);
    assert_eq!(v.get().unwrap(), Some(90));
    assert_eq!(b.num_entries(), 25);
}

fn other_states_follow_the_key_that_is_shown(c: &Configuration) {
    let (_world, mut b) = start(c);
    filled(&mut b);
    let l = b.list::<i64>("l");
    apply(&mut b, |key, _| l.add(-key)).unwrap();
    for key in 0..50 {
        b.key(key);
        assert_eq!(l.get().unwrap(), [-key]);
    }
}

fn the_current_key_is_afterwards_what_it_was(c: &Configuration) {
    let (_world, mut b) = start(c);
    filled(&mut b);
    b.key(77);
    apply(&mut b, |_, _| Ok(())).unwrap();
    assert_eq!(b.current_key().unwrap(), 77);
    b.key_context().clear_current_key().unwrap();
    apply(&mut b, |_, _| Ok(())).unwrap();
    assert!(b.current_key().is_err(), "there was none before");
}

fn the_first_error_ends_it(c: &Configuration) {
    let (_world, mut b) = start(c);
    filled(&mut b);
    b.key(3);
    let mut calls = 0;
    let outcome = apply(&mut b, |_, _| {
        calls += 1;
        Err(Error::user("no more"))
    });
    assert!(outcome.unwrap_err().to_string().contains("no more"));
    assert_eq!((calls, b.current_key().unwrap()), (1, 3));
}

fn a_state_without_keys_shows_nothing(c: &Configuration) {
    let (_world, mut b) = start(c);
    apply(&mut b, |_, _| panic!("there is none")).unwrap();
    assert!(b.sorted_keys("v").is_empty());
}

fn a_restored_state_is_opened_for_it(c: &Configuration) {
    let (world, mut b) = start(c);
    filled(&mut b);
    let mut b = world.reopen(b);
    let mut sum = 0;
    apply(&mut b, |_, v| {
        sum += v.get()?.unwrap();
        Ok(())
    })
    .unwrap();
    assert_eq!(sum, (0..50).sum());
}

fn only_the_namespace_is_shown(c: &Configuration) {
    let (_world, mut b) = start(c);
    let l = b.list_in::<i64, _>("l", 0i64).unwrap();
    for n in 0..20 {
        b.key(n);
        l.set_current_namespace(n % 2).unwrap();
        l.add(n).unwrap();
    }
    let descriptor = b.lists::<i64>("l");
    let mut shown = Vec::new();
    b.apply_to_all_keys(&1i64, i64::serializer(), &descriptor, |key, l| {
        let l = List::<i64, _>::new(l.clone());
        assert_eq!(l.get()?, [*key]);
        shown.push(*key);
        // A function may look elsewhere; the next key is shown in the namespace all the same.
        l.set_current_namespace(0)
    })
    .unwrap();
    shown.sort();
    assert!(shown.into_iter().eq((1..20).step_by(2)));
}

fn maps_are_shown_too(c: &Configuration) {
    let (_world, mut b) = start(c);
    let m = b.map::<String, i64>("m");
    for key in 0..10 {
        b.key(key);
        m.put_all([("a".into(), key), ("b".into(), -key)]).unwrap();
    }
    let descriptor = b.maps::<String, i64>("m");
    let mut shown = 0;
    b.apply_to_all_keys(
        &VoidNamespace,
        VoidNamespace::serializer(),
        &descriptor,
        |key, m| {
            shown += 1;
            let m = Map::<String, i64>::new(m.clone());
            assert_eq!(m.remove(&"a".into())?, Some(*key));
            Ok(())
        },
    )
    .unwrap();
    assert_eq!(shown, 10);
    b.key(4);
    assert_eq!(m.entries().unwrap(), [("b".to_owned(), -4)]);
}

crate::behaviours![
    keys_are_those_that_have_something,
    listing_keys_leaves_the_current_one,
    keys_are_listed_in_a_repeatable_order,
    each_key_is_shown_once_with_its_state,
    what_is_shown_can_be_changed_and_cleared,
    other_states_follow_the_key_that_is_shown,
    the_current_key_is_afterwards_what_it_was,
    the_first_error_ends_it,
    a_state_without_keys_shows_nothing,
    a_restored_state_is_opened_for_it,
    only_the_namespace_is_shown,
    maps_are_shown_too,
];
