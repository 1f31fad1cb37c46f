//! Types that changed between two runs: read where Flink's rules allow it, refused by state, types and field where not.

use crate::configuration::Configuration;
use crate::world::{Instance, WHOLE, World, start};
use millpond_core::{Error, ErrorKind, Result};
use millpond_state::descriptor::{AggregateFunction, StateData};
use millpond_state::snapshot::SnapshotKind;
use millpond_state::ttl::StateTtlConfig;
use millpond_types::{JavaHash, StateType, VoidNamespace};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::ops::AddAssign;
use std::time::Duration;

mod before {
    use super::*;
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "conformance/account")]
    pub struct Account {
        pub id: i32,
        pub owner: String,
        pub level: Level,
    }
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "conformance/level")]
    pub enum Level {
        Low,
        High,
    }
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "conformance/event")]
    pub enum Event {
        Opened(i32),
        Moved { to: String },
    }
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "conformance/nest")]
    pub struct Nest {
        pub accounts: Vec<Account>,
        pub last: (i32, Level),
    }
    #[derive(Clone, Debug, PartialEq, Eq, Hash, StateType, JavaHash)]
    #[state_type(name = "conformance/place")]
    pub struct Place {
        pub city: String,
    }
}

mod after {
    use super::*;
    /// A field widened, one that became optional, one that went, two that came.
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "conformance/account")]
    pub struct Account {
        pub id: i64,
        pub owner: Option<String>,
        pub visits: Vec<i64>,
        #[state_type(default = "ten")]
        pub limit: i32,
    }
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "conformance/level")]
    pub enum Level {
        Low,
        High,
        Highest,
    }
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "conformance/event")]
    pub enum Event {
        Closed,
        Moved { to: String, by: Option<String> },
        Opened(i64),
    }
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "conformance/nest")]
    pub struct Nest {
        pub accounts: Vec<Account>,
        pub last: (i64, Level),
    }
    #[derive(Clone, Debug, PartialEq, Eq, Hash, StateType, JavaHash)]
    #[state_type(name = "conformance/place")]
    pub struct Place {
        pub city: String,
        pub country: Option<String>,
    }
}

/// Yet another generation.
mod later {
    use super::*;
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "conformance/account")]
    pub struct Account {
        pub id: i64,
        pub owner: Option<String>,
        pub level: Option<after::Level>,
    }
}

/// Types that what was stored can't be read as.
mod unfit {
    use super::*;
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "conformance/account")]
    pub struct Account {
        pub id: String,
        pub owner: String,
        pub level: before::Level,
    }
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "conformance/account")]
    pub struct Narrow {
        pub id: i16,
        pub owner: String,
        pub level: before::Level,
    }
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "conformance/level")]
    pub enum Level {
        High,
    }
    /// It has no default.
    #[derive(Clone, Debug, PartialEq, StateType)]
    #[state_type(name = "conformance/account")]
    pub struct Demanding {
        pub id: i32,
        pub owner: String,
        pub level: before::Level,
        pub rank: before::Level,
    }
}

fn ten() -> i32 {
    10
}

fn old(id: i32) -> before::Account {
    before::Account {
        id,
        owner: format!("owner {id}"),
        level: before::Level::High,
    }
}

fn new(id: i64) -> after::Account {
    after::Account {
        id,
        owner: Some(format!("owner {id}")),
        visits: Vec::new(),
        limit: 10,
    }
}

/// Stores values of the old type and reads them as the new one, then writes in the new type and reads that.
fn values_evolve<O, N>(c: &Configuration, pairs: Vec<(O, N)>, written: N)
where
    O: StateData + StateType,
    N: StateData + StateType + Debug + PartialEq,
{
    let (world, mut b) = start(c);
    let v = b.value::<O>("v");
    for (key, (value, _)) in (0..).zip(&pairs) {
        b.key(key);
        v.update(value.clone()).unwrap();
    }
    let mut b = world.reopen(b);
    let v = b.value::<N>("v");
    for (key, (_, expected)) in (0..).zip(&pairs) {
        b.key(key);
        assert_eq!(v.get().unwrap().as_ref(), Some(expected));
    }
    b.key(0);
    v.update(written.clone()).unwrap();
    let mut b = world.reopen(b);
    let v = b.value::<N>("v");
    b.key(0);
    assert_eq!(v.get().unwrap(), Some(written));
    for (key, (_, expected)) in (0..).zip(&pairs).skip(1) {
        b.key(key);
        assert_eq!(v.get().unwrap().as_ref(), Some(expected));
    }
}

/// The error of reading `value` as an `N`.
fn refusal<O, N>(c: &Configuration, value: O) -> Error
where
    O: StateData + StateType + Debug + PartialEq,
    N: StateData + StateType + Debug,
{
    let (world, mut b) = start(c);
    let v = b.value::<O>("accounts");
    b.key(1);
    v.update(value.clone()).unwrap();
    let mut b = world.reopen(b);
    let e = b.try_value::<N>("accounts").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Incompatible, "{}", e.report());
    assert_eq!(e.context("state"), Some("accounts"), "{}", e.report());
    let v = b.value::<O>("accounts");
    b.key(1);
    assert_eq!(v.get().unwrap(), Some(value), "the attempt lost nothing");
    e
}

#[track_caller]
fn says(e: &Error, parts: &[&str]) {
    let report = e.report();
    for part in parts {
        assert!(report.contains(part), "{part:?} is not in: {report}");
    }
}

fn structs_of_values_change(c: &Configuration) {
    values_evolve(c, (1..5).map(|n| (old(n), new(n.into()))).collect(), new(1 << 40));
}

fn integers_widen(c: &Configuration) {
    values_evolve::<i32, i64>(c, vec![(-1, -1), (i32::MIN, i32::MIN.into())], 1 << 40);
    values_evolve::<i8, i16>(c, vec![(-1, -1)], 1_000);
    values_evolve::<f32, f64>(c, vec![(0.5, 0.5)], 1e300);
}

fn values_become_optional(c: &Configuration) {
    values_evolve::<i64, Option<i64>>(c, vec![(1, Some(1)), (2, Some(2))], None);
    values_evolve::<String, Option<String>>(c, vec![(String::new(), Some(String::new()))], None);
}

fn enums_get_variants(c: &Configuration) {
    use {after::Level as New, before::Level as Old};
    values_evolve(
        c,
        vec![(Old::High, New::High), (Old::Low, New::Low)],
        New::Highest,
    );
}

fn enums_with_data_change(c: &Configuration) {
    use {after::Event as New, before::Event as Old};
    let moved = |by: Option<&str>| New::Moved {
        to: "x".into(),
        by: by.map(str::to_owned),
    };
    let pairs = vec![
        (Old::Opened(3), New::Opened(3)),
        (Old::Moved { to: "x".into() }, moved(None)),
    ];
    values_evolve(c, pairs, New::Closed);
}

fn types_inside_others_change(c: &Configuration) {
    let stored = before::Nest {
        accounts: vec![old(1), old(2)],
        last: (5, before::Level::High),
    };
    let read = after::Nest {
        accounts: vec![new(1), new(2)],
        last: (5, after::Level::High),
    };
    let written = after::Nest {
        accounts: Vec::new(),
        last: (1 << 40, after::Level::Highest),
    };
    values_evolve(c, vec![(stored, read)], written);
}

fn unchanged_types_stay(c: &Configuration) {
    values_evolve(c, vec![(old(1), old(1)), (old(2), old(2))], old(3));
}

fn elements_of_lists_change(c: &Configuration) {
    let (world, mut b) = start(c);
    let l = b.list::<before::Account>("l");
    b.key(1);
    l.add_all([old(1), old(2)]).unwrap();
    let mut b = world.reopen(b);
    let l = b.list::<after::Account>("l");
    b.key(1);
    // Added before anything was read: old and new elements meet in one list.
    l.add(new(1 << 40)).unwrap();
    assert_eq!(l.get().unwrap(), [new(1), new(2), new(1 << 40)]);
    let mut b = world.reopen(b);
    let l = b.list::<after::Account>("l");
    b.key(1);
    assert_eq!(l.get().unwrap(), [new(1), new(2), new(1 << 40)]);
}

fn values_of_maps_change(c: &Configuration) {
    let (world, mut b) = start(c);
    let m = b.map::<i64, before::Account>("m");
    b.key(1);
    m.put_all([(1, old(1)), (2, old(2))]).unwrap();
    let mut b = world.reopen(b);
    let m = b.map::<i64, after::Account>("m");
    b.key(1);
    m.put(3, new(3)).unwrap();
    assert_eq!(m.get(&1).unwrap(), Some(new(1)));
    let mut b = world.reopen(b);
    let m = b.map::<i64, after::Account>("m");
    b.key(1);
    let mut entries = m.entries().unwrap();
    entries.sort_by_key(|(key, _)| *key);
    assert_eq!(entries, [(1, new(1)), (2, new(2)), (3, new(3))]);
}

fn reduced_values_change(c: &Configuration) {
    let (world, mut b) = start(c);
    b.key(1);
    let r = b.reducing_in("r", VoidNamespace, |a: &mut i32, n| *a += n);
    r.unwrap().add(5).unwrap();
    let mut b = world.reopen(b);
    b.key(1);
    let r = b.reducing_in("r", VoidNamespace, |a: &mut i64, n| *a += n);
    let r = r.unwrap();
    r.add(1 << 40).unwrap();
    assert_eq!(r.get().unwrap(), Some((1 << 40) + 5));
}

/// A sum in an accumulator of type `T`.
struct Sum<T>(PhantomData<T>);
impl<T: StateData + Default + AddAssign> AggregateFunction for Sum<T> {
    type In = T;
    type Acc = T;
    type Out = T;
    fn create_accumulator(&self) -> T {
        T::default()
    }
    fn add(&self, value: T, accumulator: &mut T) {
        *accumulator += value;
    }
    fn get_result(&self, accumulator: &T) -> T {
        accumulator.clone()
    }
    fn merge(&self, accumulator: &mut T, other: T) {
        *accumulator += other;
    }
}

fn accumulators_change(c: &Configuration) {
    let (world, mut b) = start(c);
    b.key(1);
    let a = b.aggregating_in("a", VoidNamespace, Sum::<i16>(PhantomData));
    a.unwrap().add(5).unwrap();
    let mut b = world.reopen(b);
    b.key(1);
    let a = b.aggregating_in("a", VoidNamespace, Sum::<i64>(PhantomData));
    let a = a.unwrap();
    a.add(1 << 40).unwrap();
    assert_eq!(a.get().unwrap(), Some((1 << 40) + 5));
}

fn a_type_changes_again_and_again(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value::<before::Account>("v");
    b.key(1);
    v.update(old(1)).unwrap();
    let mut b = world.reopen(b);
    b.value::<after::Account>("v");
    let mut b = world.reopen(b);
    let v = b.value::<later::Account>("v");
    b.key(1);
    let expected = later::Account {
        id: 1,
        owner: Some("owner 1".into()),
        level: None,
    };
    assert_eq!(v.get().unwrap(), Some(expected), "the middle one had no level");
}

fn a_generation_can_be_skipped(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value::<before::Account>("v");
    b.key(1);
    v.update(old(1)).unwrap();
    // Nobody opens it here.
    let b = world.reopen(b);
    let mut b = world.reopen(b);
    let v = b.value::<later::Account>("v");
    b.key(1);
    let expected = later::Account {
        id: 1,
        owner: Some("owner 1".into()),
        level: Some(after::Level::High),
    };
    assert_eq!(v.get().unwrap(), Some(expected));
}

/// One instance had opened the state under the new type, the other not at all.
fn old_and_new_meet_at_a_rescale(c: &Configuration) {
    let world = World::new(c);
    let (left, right) = ((0, 63), (64, WHOLE.1));
    let mut b = world.start();
    let v = b.value::<before::Account>("v");
    for key in 0..60 {
        b.key(key);
        v.update(old(key as i32)).unwrap();
    }
    let handles = world.snapshot(&mut b);
    let mut migrated = world.try_create::<i64>(left, &handles).unwrap();
    migrated.value::<after::Account>("v");
    let mut unopened = world.try_create::<i64>(right, &handles).unwrap();
    let mut handles = world.snapshot(&mut migrated);
    handles.extend(world.snapshot(&mut unopened));
    let mut b = world.restore(&handles);
    let v = b.value::<after::Account>("v");
    for key in 0..60 {
        b.key(key);
        assert_eq!(v.get().unwrap(), Some(new(key)), "key {key}");
    }
}

fn the_new_type_alone_is_stored_afterwards(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value::<i32>("v");
    b.key(1);
    v.update(1).unwrap();
    let mut b = world.reopen(b);
    b.value::<i64>("v");
    let mut b = world.reopen(b);
    let e = b.try_value::<i32>("v").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Incompatible);
    says(&e, &["state=v", "Long", "Int"]);
}

fn a_type_changes_in_a_savepoint_too(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value::<before::Account>("v");
    b.key(1);
    v.update(old(1)).unwrap();
    let savepoint = world.snapshot_as(&mut b, SnapshotKind::Savepoint);
    let mut b = world.restore(&savepoint);
    let v = b.value::<after::Account>("v");
    b.key(1);
    assert_eq!(v.get().unwrap(), Some(new(1)));
}

fn type_and_time_to_live_change_together(c: &Configuration) {
    let (world, mut b) = start(c);
    let (v, l) = (b.value::<before::Account>("v"), b.list::<before::Account>("l"));
    let m = b.map::<i64, before::Account>("m");
    b.key(1);
    v.update(old(1)).unwrap();
    l.add(old(2)).unwrap();
    m.put(3, old(3)).unwrap();
    let mut b = world.reopen(b);
    b.ttl = match b.ttl.is_enabled() {
        true => StateTtlConfig::DISABLED,
        false => StateTtlConfig::new_builder(Duration::from_secs(9))
            .build()
            .unwrap(),
    };
    let (v, l) = (b.value::<after::Account>("v"), b.list::<after::Account>("l"));
    let m = b.map::<i64, after::Account>("m");
    b.key(1);
    assert_eq!(v.get().unwrap(), Some(new(1)));
    assert_eq!(l.get().unwrap(), [new(2)]);
    assert_eq!(m.entries().unwrap(), [(3, new(3))]);
}

fn a_field_of_another_type_is_refused_by_name(c: &Configuration) {
    let e = refusal::<_, unfit::Account>(c, old(1));
    says(&e, &["field `id`", "String", "IntSerializer"]);
}

fn a_field_that_narrows_is_refused_by_name(c: &Configuration) {
    let e = refusal::<_, unfit::Narrow>(c, old(1));
    says(&e, &["field `id`", "i16", "IntSerializer"]);
}

fn a_new_field_without_default_is_refused_by_name(c: &Configuration) {
    let e = refusal::<_, unfit::Demanding>(c, old(1));
    says(&e, &["field `rank`", "Level", "Default"]);
}

fn a_removed_variant_is_refused_by_name(c: &Configuration) {
    let e = refusal::<_, unfit::Level>(c, before::Level::Low);
    says(&e, &["conformance/level", "`Low`"]);
}

fn a_struct_of_another_name_is_refused_by_both(c: &Configuration) {
    let e = refusal::<_, before::Nest>(c, old(1));
    says(&e, &["conformance/account", "conformance/nest"]);
}

fn unfit_elements_and_map_values_are_refused(c: &Configuration) {
    let (world, mut b) = start(c);
    let l = b.list::<before::Account>("l");
    let m = b.map::<i64, before::Account>("m");
    b.key(1);
    l.add(old(1)).unwrap();
    m.put(1, old(1)).unwrap();
    let mut b = world.reopen(b);
    says(
        &b.try_list::<unfit::Account>("l").unwrap_err(),
        &["state=l", "field `id`", "String", "IntSerializer"],
    );
    says(
        &b.try_map::<i64, unfit::Account>("m").unwrap_err(),
        &["state=m", "field `id`", "String", "IntSerializer"],
    );
}

fn keys_refuse_to_change(c: &Configuration) {
    let world = World::new(c);
    let mut b = world.try_create::<before::Place>(WHOLE, &[]).unwrap();
    let v = b.value::<i64>("v");
    b.key(before::Place { city: "x".into() });
    v.update(1).unwrap();
    let handles = world.snapshot(&mut b);
    let e = world
        .try_create::<after::Place>(WHOLE, &handles)
        .map(drop)
        .unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Incompatible);
    says(&e, &["key", "conformance/place"]);
    // Widening is a change, too.
    let mut b = world.try_create::<i32>(WHOLE, &[]).unwrap();
    let v = b.value::<i64>("v");
    b.key(1);
    v.update(1).unwrap();
    let handles = world.snapshot(&mut b);
    let wider: Result<Instance<i64>> = world.try_create(WHOLE, &handles);
    says(&wider.map(drop).unwrap_err(), &["key", "Int", "Long"]);
}

fn namespaces_refuse_to_change(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value_in::<i64, _>("v", 1i32).unwrap();
    let place = before::Place { city: "x".into() };
    let w = b.value_in::<i64, _>("w", place).unwrap();
    b.key(1);
    v.update(1).unwrap();
    w.update(1).unwrap();
    let mut b = world.reopen(b);
    let e = b.value_in::<i64, _>("v", 1i64).unwrap_err();
    says(&e, &["state=v", "namespace"]);
    let place = after::Place {
        city: "x".into(),
        country: None,
    };
    says(
        &b.value_in::<i64, _>("w", place).unwrap_err(),
        &["state=w", "namespace"],
    );
}

/// As in Flink, where the keys of a map are migrated with it.
fn user_keys_of_maps_change(c: &Configuration) {
    let (world, mut b) = start(c);
    let m = b.map::<i32, i64>("m");
    b.key(1);
    m.put_all([(1, 10), (2, 20)]).unwrap();
    let mut b = world.reopen(b);
    let m = b.map::<i64, i64>("m");
    b.key(1);
    assert_eq!(m.get(&1).unwrap(), Some(10));
    m.put(1 << 40, 30).unwrap();
    assert_eq!(m.remove(&2).unwrap(), Some(20));
    let mut b = world.reopen(b);
    let m = b.map::<i64, i64>("m");
    b.key(1);
    let mut entries = m.entries().unwrap();
    entries.sort();
    assert_eq!(entries, [(1, 10), (1 << 40, 30)]);
}

crate::behaviours![
    structs_of_values_change,
    integers_widen,
    values_become_optional,
    enums_get_variants,
    enums_with_data_change,
    types_inside_others_change,
    unchanged_types_stay,
    elements_of_lists_change,
    values_of_maps_change,
    reduced_values_change,
    accumulators_change,
    a_type_changes_again_and_again,
    a_generation_can_be_skipped,
    old_and_new_meet_at_a_rescale,
    the_new_type_alone_is_stored_afterwards,
    a_type_changes_in_a_savepoint_too,
    type_and_time_to_live_change_together,
    a_field_of_another_type_is_refused_by_name,
    a_field_that_narrows_is_refused_by_name,
    a_new_field_without_default_is_refused_by_name,
    a_removed_variant_is_refused_by_name,
    a_struct_of_another_name_is_refused_by_both,
    unfit_elements_and_map_values_are_refused,
    keys_refuse_to_change,
    namespaces_refuse_to_change,
    user_keys_of_maps_change,
];
