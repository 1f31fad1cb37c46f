//! Merging namespaces, as session windows do when they grow together.

use crate::configuration::Configuration;
use crate::erased::{Aggregating, List, Reducing};
use crate::functions::Mean;
use crate::world::{Instance, World, start};
use millpond_types::TimeWindow;

fn window(n: i64) -> TimeWindow {
    TimeWindow::new(n * 10, n * 10 + 10)
}

struct States {
    list: List<i64, TimeWindow>,
    sum: Reducing<i64, TimeWindow>,
    mean: Aggregating<Mean, TimeWindow>,
}

impl States {
    fn open(b: &mut Instance) -> Self {
        States {
            list: b.list_in("list", window(0)).unwrap(),
            sum: b.sum_in("sum", window(0)).unwrap(),
            mean: b.mean_in("mean", window(0)).unwrap(),
        }
    }
    fn select(&self, n: i64) {
        self.list.set_current_namespace(window(n)).unwrap();
        self.sum.set_current_namespace(window(n)).unwrap();
        self.mean.set_current_namespace(window(n)).unwrap();
    }
    fn add(&self, n: i64, values: &[i64]) {
        self.select(n);
        for value in values {
            self.list.add(*value).unwrap();
            self.sum.add(*value).unwrap();
            self.mean.add(*value).unwrap();
        }
    }
    fn merge(&self, target: i64, sources: &[i64]) {
        let sources: Vec<_> = sources.iter().copied().map(window).collect();
        self.list.merge_namespaces(&window(target), &sources).unwrap();
        self.sum.merge_namespaces(&window(target), &sources).unwrap();
        self.mean.merge_namespaces(&window(target), &sources).unwrap();
    }
    #[track_caller]
    fn check_current(&self, values: &[i64]) {
        let some = !values.is_empty();
        let sum = values.iter().sum::<i64>();
        assert_eq!(self.list.get().unwrap(), values);
        assert_eq!(self.sum.get().unwrap(), some.then_some(sum));
        assert_eq!(
            self.mean.accumulator().unwrap(),
            some.then_some((sum, values.len() as i64))
        );
    }
    #[track_caller]
    fn check(&self, n: i64, values: &[i64]) {
        self.select(n);
        self.check_current(values);
    }
}

fn merged(c: &Configuration) -> (World, Instance, States) {
    let (world, mut b) = start(c);
    let states = States::open(&mut b);
    b.key(1);
    (world, b, states)
}

fn sources_go_into_the_target(c: &Configuration) {
    let (_world, b, s) = merged(c);
    s.add(0, &[1]);
    s.add(1, &[2, 3]);
    s.add(2, &[4]);
    s.merge(0, &[1, 2]);
    s.check(0, &[1, 2, 3, 4]);
    s.check(1, &[]);
    s.check(2, &[]);
    assert_eq!(b.num_entries(), 3, "one namespace in each state");
}

fn the_target_is_current_afterwards(c: &Configuration) {
    let (_world, _b, s) = merged(c);
    s.add(1, &[5]);
    s.add(2, &[6]);
    s.select(4);
    s.merge(1, &[2]);
    s.check_current(&[5, 6]);
}

fn a_target_that_had_nothing_takes_over(c: &Configuration) {
    let (_world, _b, s) = merged(c);
    s.add(1, &[1, 2]);
    s.merge(9, &[1]);
    s.check(9, &[1, 2]);
    s.check(1, &[]);
}

fn sources_that_have_nothing_add_nothing(c: &Configuration) {
    let (_world, b, s) = merged(c);
    s.add(0, &[7]);
    s.merge(0, &[1, 2]);
    s.check(0, &[7]);
    s.merge(0, &[]);
    s.check(0, &[7]);
    s.merge(5, &[6]);
    s.check(5, &[]);
    assert_eq!(b.num_entries(), 3);
}

fn a_target_among_its_sources_keeps_what_it_has(c: &Configuration) {
    let (_world, _b, s) = merged(c);
    s.add(0, &[1]);
    s.add(1, &[2]);
    s.merge(0, &[0, 1, 0]);
    s.check(0, &[1, 2]);
}

fn elements_come_in_the_order_of_the_sources(c: &Configuration) {
    let (_world, _b, s) = merged(c);
    s.add(0, &[1, 2]);
    s.add(1, &[3]);
    s.add(2, &[4, 5]);
    s.merge(3, &[2, 0, 1]);
    s.check(3, &[4, 5, 1, 2, 3]);
}

fn other_keys_and_namespaces_stay(c: &Configuration) {
    let (_world, b, s) = merged(c);
    for key in [1, 2] {
        b.key(key);
        s.add(0, &[key]);
        s.add(1, &[key * 10]);
        s.add(2, &[key * 100]);
    }
    b.key(1);
    s.merge(0, &[1]);
    s.check(0, &[1, 10]);
    s.check(2, &[100]);
    b.key(2);
    s.check(0, &[2]);
    s.check(1, &[20]);
}

fn merged_windows_grow_on(c: &Configuration) {
    let (_world, _b, s) = merged(c);
    for n in 1..10 {
        s.add(n, &[n]);
        s.merge(0, &[n]);
    }
    s.add(0, &[100]);
    s.check(0, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 100]);
}

fn merged_windows_are_restored(c: &Configuration) {
    let (world, b, s) = merged(c);
    s.add(0, &[1]);
    s.add(1, &[2]);
    s.merge(0, &[1]);
    drop(s);
    let mut b = world.reopen(b);
    let s = States::open(&mut b);
    b.key(1);
    s.check(0, &[1, 2]);
    s.check(1, &[]);
}

fn restored_windows_can_be_merged(c: &Configuration) {
    let (world, b, s) = merged(c);
    s.add(0, &[1]);
    s.add(1, &[2, 3]);
    drop(s);
    let mut b = world.reopen(b);
    let s = States::open(&mut b);
    b.key(1);
    s.merge(1, &[0]);
    s.check(1, &[2, 3, 1]);
}

fn merging_needs_a_key(c: &Configuration) {
    let (_world, b, s) = merged(c);
    s.add(1, &[1]);
    b.key_context().clear_current_key().unwrap();
    assert!(s.list.merge_namespaces(&window(0), &[window(1)]).is_err());
    assert!(s.sum.merge_namespaces(&window(0), &[window(1)]).is_err());
    assert!(s.mean.merge_namespaces(&window(0), &[window(1)]).is_err());
    b.key(1);
    s.check(1, &[1]);
}

crate::behaviours![
    sources_go_into_the_target,
    the_target_is_current_afterwards,
    a_target_that_had_nothing_takes_over,
    sources_that_have_nothing_add_nothing,
    a_target_among_its_sources_keeps_what_it_has,
    elements_come_in_the_order_of_the_sources,
    other_keys_and_namespaces_stay,
    merged_windows_grow_on,
    merged_windows_are_restored,
    restored_windows_can_be_merged,
    merging_needs_a_key,
];
