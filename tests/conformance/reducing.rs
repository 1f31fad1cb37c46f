//! Reducing state.

use crate::configuration::Configuration;
use crate::erased::Reducing;
use crate::world::{Instance, start};
use millpond_types::VoidNamespace;
use std::cell::Cell;
use std::rc::Rc;

/// A state whose function tells one order of values from another.
fn joined(b: &mut Instance) -> Reducing<String> {
    let join = |all: &mut String, text: String| *all = format!("({all} {text})");
    b.reducing_in("joined", VoidNamespace, join).unwrap()
}

fn a_key_without_values_has_nothing(c: &Configuration) {
    let (_world, mut b) = start(c);
    let s = b.sum("s");
    b.key(1);
    assert_eq!(s.get().unwrap(), None);
}

fn the_first_value_is_stored_as_it_is(c: &Configuration) {
    let (_world, mut b) = start(c);
    let calls = Rc::new(Cell::new(0));
    let counted = calls.clone();
    let reduce = move |sum: &mut i64, n: i64| {
        counted.set(counted.get() + 1);
        *sum += n;
    };
    let s = b.reducing_in("s", VoidNamespace, reduce).unwrap();
    b.key(1);
    s.add(5).unwrap();
    assert_eq!((s.get().unwrap(), calls.get()), (Some(5), 0));
    s.add(6).unwrap();
    assert_eq!((s.get().unwrap(), calls.get()), (Some(11), 1));
}

fn values_are_reduced(c: &Configuration) {
    let (world, mut b) = start(c);
    let s = b.sum("s");
    b.key(1);
    (1..=100).for_each(|n| s.add(n).unwrap());
    assert_eq!(s.get().unwrap(), Some(5050));
    let mut b = world.reopen(b);
    let s = b.sum("s");
    b.key(1);
    assert_eq!(s.get().unwrap(), Some(5050));
    s.add(1).unwrap();
    assert_eq!(s.get().unwrap(), Some(5051));
}

fn values_are_reduced_in_their_order(c: &Configuration) {
    let (_world, mut b) = start(c);
    let s = joined(&mut b);
    b.key(1);
    for text in ["a", "b", "c"] {
        s.add(text.into()).unwrap();
    }
    assert_eq!(s.get().unwrap().unwrap(), "((a b) c)");
}

fn a_cleared_reduction_begins_anew(c: &Configuration) {
    let (_world, mut b) = start(c);
    let s = b.sum("s");
    b.key(1);
    s.clear().unwrap();
    s.add(5).unwrap();
    s.clear().unwrap();
    assert_eq!(s.get().unwrap(), None);
    assert_eq!(b.num_entries(), 0);
    s.add(6).unwrap();
    assert_eq!(s.get().unwrap(), Some(6));
}

fn each_key_is_reduced_apart(c: &Configuration) {
    let (_world, mut b) = start(c);
    let s = b.sum("s");
    for n in 0..300 {
        b.key(n % 30);
        s.add(n).unwrap();
    }
    for key in 0..30 {
        b.key(key);
        let expected: i64 = (0..10).map(|round| key + 30 * round).sum();
        assert_eq!(s.get().unwrap(), Some(expected));
    }
}

fn a_zero_is_a_value(c: &Configuration) {
    let (_world, mut b) = start(c);
    let s = b.sum("s");
    b.key(1);
    s.add(0).unwrap();
    assert_eq!(s.get().unwrap(), Some(0));
    assert_eq!(b.num_entries(), 1);
}

fn reading_does_not_reduce(c: &Configuration) {
    let (_world, mut b) = start(c);
    let s = joined(&mut b);
    b.key(1);
    s.add("a".into()).unwrap();
    for _ in 0..3 {
        assert_eq!(s.get().unwrap().unwrap(), "a");
    }
}

crate::behaviours![
    a_key_without_values_has_nothing,
    the_first_value_is_stored_as_it_is,
    values_are_reduced,
    values_are_reduced_in_their_order,
    a_cleared_reduction_begins_anew,
    each_key_is_reduced_apart,
    a_zero_is_a_value,
    reading_does_not_reduce,
];
