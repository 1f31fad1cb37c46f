//! Aggregating state.

use crate::configuration::Configuration;
use crate::erased::Aggregating;
use crate::functions::Joined;
use crate::world::{Instance, start};
use millpond_types::VoidNamespace;

fn joined(b: &mut Instance) -> Aggregating<Joined> {
    b.key(1);
    b.aggregating_in("joined", VoidNamespace, Joined).unwrap()
}

fn a_key_without_values_has_neither_result_nor_accumulator(c: &Configuration) {
    let (_world, mut b) = start(c);
    let a = b.mean("a");
    b.key(1);
    assert_eq!(a.get().unwrap(), None);
    assert_eq!(a.accumulator().unwrap(), None);
}

fn the_first_value_goes_into_a_new_accumulator(c: &Configuration) {
    let (_world, mut b) = start(c);
    let a = joined(&mut b);
    a.add("x").unwrap();
    assert_eq!(a.get().unwrap(), Some((2, "start x".to_owned())));
}

fn values_are_aggregated_in_their_order(c: &Configuration) {
    let (world, mut b) = start(c);
    let a = joined(&mut b);
    ["x", "y", "z"].into_iter().for_each(|text| a.add(text).unwrap());
    assert_eq!(a.get().unwrap(), Some((4, "start x y z".to_owned())));
    let mut b = world.reopen(b);
    let a = joined(&mut b);
    a.add("w").unwrap();
    assert_eq!(a.get().unwrap(), Some((5, "start x y z w".to_owned())));
}

fn the_result_is_not_what_is_stored(c: &Configuration) {
    let (_world, mut b) = start(c);
    let a = b.mean("a");
    b.key(1);
    a.add(3).unwrap();
    a.add(8).unwrap();
    assert_eq!(a.get().unwrap(), Some(5));
    assert_eq!(a.accumulator().unwrap(), Some((11, 2)));
    a.add(1).unwrap();
    assert_eq!(a.get().unwrap(), Some(4));
}

fn accumulators_are_merged(c: &Configuration) {
    let (_world, mut b) = start(c);
    let a = joined(&mut b);
    a.add("x").unwrap();
    let other = ["start", "y", "z"].map(String::from).to_vec();
    a.merge(other).unwrap();
    assert_eq!(a.get().unwrap(), Some((4, "start x y z".to_owned())));
}

fn an_accumulator_is_merged_into_nothing(c: &Configuration) {
    let (_world, mut b) = start(c);
    let a = b.mean("a");
    b.key(1);
    a.merge((9, 3)).unwrap();
    assert_eq!(a.get().unwrap(), Some(3));
}

fn a_cleared_aggregation_begins_anew(c: &Configuration) {
    let (_world, mut b) = start(c);
    let a = joined(&mut b);
    a.add("x").unwrap();
    a.clear().unwrap();
    assert_eq!(a.get().unwrap(), None);
    assert_eq!(a.accumulator().unwrap(), None);
    assert_eq!(b.num_entries(), 0);
    a.add("y").unwrap();
    assert_eq!(a.get().unwrap(), Some((2, "start y".to_owned())));
}

fn each_key_is_aggregated_apart(c: &Configuration) {
    let (_world, mut b) = start(c);
    let a = b.mean("a");
    for n in 0..90 {
        b.key(n % 9);
        a.add(n).unwrap();
    }
    for key in 0..9 {
        b.key(key);
        let sum = (0..10).map(|round| key + 9 * round).sum();
        assert_eq!(a.accumulator().unwrap(), Some((sum, 10)));
    }
}

fn reading_does_not_aggregate(c: &Configuration) {
    let (_world, mut b) = start(c);
    let a = joined(&mut b);
    a.add("x").unwrap();
    for _ in 0..3 {
        assert_eq!(a.get().unwrap().unwrap().0, 2);
    }
}

crate::behaviours![
    a_key_without_values_has_neither_result_nor_accumulator,
    the_first_value_goes_into_a_new_accumulator,
    values_are_aggregated_in_their_order,
    the_result_is_not_what_is_stored,
    accumulators_are_merged,
    an_accumulator_is_merged_into_nothing,
    a_cleared_aggregation_begins_anew,
    each_key_is_aggregated_apart,
    reading_does_not_aggregate,
];
