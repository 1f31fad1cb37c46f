//! Value state.

use crate::configuration::Configuration;
use crate::functions::Route;
use crate::world::start;
use millpond_core::ErrorKind;

fn an_unset_value_is_nothing(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value::<i64>("v");
    b.key(1);
    assert_eq!(v.get().unwrap(), None);
}

fn an_unset_value_is_the_default(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value_with_default("v", -1);
    b.key(1);
    assert_eq!(v.value().unwrap(), -1);
    assert_eq!(v.get().unwrap(), None, "the default is not stored");
    v.update(5).unwrap();
    assert_eq!(v.value().unwrap(), 5);
    v.clear().unwrap();
    assert_eq!(v.value().unwrap(), -1);
    assert_eq!(b.num_entries(), 0);
}

fn an_unset_value_without_default_is_an_error_that_names_the_state(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value::<i64>("visits");
    b.key(1);
    let e = v.value().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::IllegalState);
    assert!(e.report().contains("state=visits"), "{}", e.report());
    assert!(e.report().contains("default_value"), "{}", e.report());
}

fn an_update_is_read_back(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value::<i64>("v");
    b.key(1);
    v.update(7).unwrap();
    assert_eq!((v.get().unwrap(), v.value().unwrap()), (Some(7), 7));
}

fn the_last_update_counts(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value::<i64>("v");
    b.key(1);
    (0..50).for_each(|n| v.update(n).unwrap());
    assert_eq!(v.get().unwrap(), Some(49));
    assert_eq!(b.num_entries(), 1);
    let mut b = world.reopen(b);
    let v = b.value::<i64>("v");
    b.key(1);
    assert_eq!(v.get().unwrap(), Some(49));
}

fn a_cleared_value_is_nothing(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value::<i64>("v");
    b.key(1);
    v.update(7).unwrap();
    v.clear().unwrap();
    assert_eq!(v.get().unwrap(), None);
    assert_eq!(b.num_entries(), 0);
    let mut b = world.reopen(b);
    let v = b.value::<i64>("v");
    b.key(1);
    assert_eq!(v.get().unwrap(), None);
}

fn clearing_nothing_is_nothing(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value::<i64>("v");
    b.key(1);
    v.clear().unwrap();
    v.clear().unwrap();
    assert_eq!(v.get().unwrap(), None);
    assert_eq!(b.num_entries(), 0);
}

fn a_value_can_be_set_again_after_a_clear(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value::<String>("v");
    b.key(1);
    v.update("old".into()).unwrap();
    v.clear().unwrap();
    v.update("new".into()).unwrap();
    assert_eq!(v.get().unwrap().unwrap(), "new");
}

fn each_key_has_its_own_value(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value::<i64>("v");
    for key in -100..100 {
        b.key(key);
        v.update(key * 3).unwrap();
    }
    b.key(5);
    v.clear().unwrap();
    for key in -100..100 {
        b.key(key);
        assert_eq!(v.get().unwrap(), (key != 5).then_some(key * 3), "key {key}");
    }
    assert_eq!(b.num_entries(), 199);
}

fn with_shows_the_value(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value::<String>("v");
    b.key(1);
    assert!(v.with(|text| text.is_none()).unwrap());
    v.update("shown".into()).unwrap();
    assert_eq!(v.with(|text| text.map(String::len)).unwrap(), Some(5));
    assert_eq!(v.get().unwrap().unwrap(), "shown");
}

fn modify_sets_what_was_not_there(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value::<i64>("v");
    b.key(1);
    let before = v.modify(|slot| slot.replace(4)).unwrap();
    assert_eq!((before, v.get().unwrap()), (None, Some(4)));
}

fn modify_changes_the_value_in_place(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value::<String>("v");
    b.key(1);
    v.update("a".into()).unwrap();
    for _ in 0..3 {
        v.modify(|slot| slot.as_mut().unwrap().push('b')).unwrap();
    }
    assert_eq!(v.get().unwrap().unwrap(), "abbb");
    let mut b = world.reopen(b);
    let v = b.value::<String>("v");
    b.key(1);
    assert_eq!(v.get().unwrap().unwrap(), "abbb");
}

fn modify_removes_the_value(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value::<i64>("v");
    b.key(1);
    v.update(4).unwrap();
    assert_eq!(v.modify(Option::take).unwrap(), Some(4));
    assert_eq!(v.get().unwrap(), None);
    assert_eq!(b.num_entries(), 0);
}

fn modify_that_leaves_nothing_stores_nothing(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value::<i64>("v");
    b.key(1);
    assert!(v.modify(|slot| slot.is_none()).unwrap());
    assert_eq!(b.num_entries(), 0);
}

fn a_callback_that_uses_its_own_state_gets_an_error(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value::<i64>("v");
    b.key(1);
    v.update(1).unwrap();
    let inner = v.modify(|slot| {
        *slot = Some(2);
        (v.update(9).is_err(), v.clear().is_err())
    });
    assert_eq!(inner.unwrap(), (true, true));
    assert!(v.with(|_| v.update(9).is_err()).unwrap());
    assert_eq!(v.get().unwrap(), Some(2), "and the state works afterwards");
}

fn an_empty_text_is_a_value(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value::<String>("v");
    b.key(1);
    v.update(String::new()).unwrap();
    assert_eq!(v.get().unwrap(), Some(String::new()));
    let mut b = world.reopen(b);
    let v = b.value::<String>("v");
    b.key(1);
    assert_eq!(v.get().unwrap(), Some(String::new()));
}

fn a_null_is_a_value(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value::<Option<i64>>("v");
    b.key(1);
    v.update(None).unwrap();
    assert_eq!(v.get().unwrap(), Some(None));
    assert_eq!(b.num_entries(), 1);
    let mut b = world.reopen(b);
    let v = b.value::<Option<i64>>("v");
    b.key(1);
    assert_eq!(v.get().unwrap(), Some(None));
}

fn a_large_value_is_kept(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value::<Vec<u8>>("v");
    let large: Vec<u8> = (0..3 << 20).map(|n: u32| (n % 251) as u8).collect();
    b.key(1);
    v.update(large.clone()).unwrap();
    assert!(v.get().unwrap().unwrap() == large);
    let mut b = world.reopen(b);
    let v = b.value::<Vec<u8>>("v");
    b.key(1);
    assert!(v.get().unwrap().unwrap() == large);
}

fn extreme_numbers_are_kept(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value::<(i64, f64)>("v");
    let extremes = [
        (i64::MIN, f64::MIN),
        (i64::MAX, f64::MAX),
        (-1, -0.0),
        (0, f64::INFINITY),
    ];
    for (key, value) in (0..).zip(extremes) {
        b.key(key);
        v.update(value).unwrap();
    }
    let mut b = world.reopen(b);
    let v = b.value::<(i64, f64)>("v");
    for (key, value) in (0..).zip(extremes) {
        b.key(key);
        let (number, float) = v.get().unwrap().unwrap();
        assert_eq!((number, float.to_bits()), (value.0, value.1.to_bits()));
    }
}

fn a_struct_can_be_a_value(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value::<Route>("v");
    b.key(1);
    v.update(Route::new("JFK", "")).unwrap();
    let mut b = world.reopen(b);
    let v = b.value::<Route>("v");
    b.key(1);
    assert_eq!(v.get().unwrap(), Some(Route::new("JFK", "")));
}

fn clones_of_a_handle_are_one_state(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value::<i64>("v");
    let clone = v.clone();
    b.key(1);
    v.update(3).unwrap();
    assert_eq!(clone.get().unwrap(), Some(3));
    clone.clear().unwrap();
    assert_eq!(v.get().unwrap(), None);
}

fn states_do_not_touch_each_other(c: &Configuration) {
    let (_world, mut b) = start(c);
    let (v, w) = (b.value::<i64>("v"), b.value::<i64>("w"));
    b.key(1);
    v.update(1).unwrap();
    w.update(2).unwrap();
    v.clear().unwrap();
    assert_eq!((v.get().unwrap(), w.get().unwrap()), (None, Some(2)));
}

crate::behaviours![
    an_unset_value_is_nothing,
    an_unset_value_is_the_default,
    an_unset_value_without_default_is_an_error_that_names_the_state,
    an_update_is_read_back,
    the_last_update_counts,
    a_cleared_value_is_nothing,
    clearing_nothing_is_nothing,
    a_value_can_be_set_again_after_a_clear,
    each_key_has_its_own_value,
    with_shows_the_value,
    modify_sets_what_was_not_there,
    modify_changes_the_value_in_place,
    modify_removes_the_value,
    modify_that_leaves_nothing_stores_nothing,
    a_callback_that_uses_its_own_state_gets_an_error,
    an_empty_text_is_a_value,
    a_null_is_a_value,
    a_large_value_is_kept,
    extreme_numbers_are_kept,
    a_struct_can_be_a_value,
    clones_of_a_handle_are_one_state,
    states_do_not_touch_each_other,
];
