//! Namespaces: what the windows of a key are to its states.

use crate::configuration::Configuration;
use crate::world::{Instance, WHOLE, World, start};
use millpond_core::ErrorKind;
use millpond_types::{TimeWindow, VoidNamespace};

fn window(n: i64) -> TimeWindow {
    TimeWindow::new(n * 10, n * 10 + 10)
}

fn a_value_lives_in_its_namespace(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value_in::<i64, _>("v", window(0)).unwrap();
    b.key(1);
    v.update(10).unwrap();
    v.set_current_namespace(window(1)).unwrap();
    assert_eq!(v.get().unwrap(), None);
    v.update(11).unwrap();
    v.set_current_namespace(window(0)).unwrap();
    assert_eq!(v.get().unwrap(), Some(10));
    v.clear().unwrap();
    v.set_current_namespace(window(1)).unwrap();
    assert_eq!(v.get().unwrap(), Some(11));
}

fn a_list_lives_in_its_namespace(c: &Configuration) {
    let (_world, mut b) = start(c);
    let l = b.list_in::<i64, _>("l", 0i64).unwrap();
    b.key(1);
    for n in [0, 1, 0, 1, 0] {
        l.set_current_namespace(n).unwrap();
        l.add(n).unwrap();
    }
    l.set_current_namespace(0).unwrap();
    assert_eq!(l.get().unwrap(), [0, 0, 0]);
    l.clear().unwrap();
    l.set_current_namespace(1).unwrap();
    assert_eq!(l.get().unwrap(), [1, 1]);
}

fn a_map_lives_in_its_namespace(c: &Configuration) {
    let (_world, mut b) = start(c);
    let m = b.map_in::<String, i64, _>("m", 0i64).unwrap();
    b.key(1);
    for n in 0..3 {
        m.set_current_namespace(n).unwrap();
        m.put_all([("k".into(), n), (n.to_string(), n)]).unwrap();
    }
    m.set_current_namespace(1).unwrap();
    m.clear().unwrap();
    assert!(m.is_empty().unwrap());
    for n in [0, 2] {
        m.set_current_namespace(n).unwrap();
        let mut entries = m.entries().unwrap();
        entries.sort();
        assert_eq!(entries, [(n.to_string(), n), ("k".to_owned(), n)]);
    }
}

fn reductions_and_aggregations_live_in_their_namespaces(c: &Configuration) {
    let (_world, mut b) = start(c);
    let (s, a) = (b.sum_in("s", 0i64).unwrap(), b.mean_in("a", 0i64).unwrap());
    b.key(1);
    for n in 0..20 {
        s.set_current_namespace(n % 2).unwrap();
        a.set_current_namespace(n % 2).unwrap();
        s.add(n).unwrap();
        a.add(n).unwrap();
    }
    assert_eq!((s.get().unwrap(), a.get().unwrap()), (Some(100), Some(10)));
    s.set_current_namespace(0).unwrap();
    a.set_current_namespace(0).unwrap();
    assert_eq!((s.get().unwrap(), a.get().unwrap()), (Some(90), Some(9)));
}

fn the_first_namespace_is_that_of_the_opening(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value_in::<i64, _>("v", window(3)).unwrap();
    b.key(1);
    v.update(1).unwrap();
    assert_eq!(
        b.keys_and_namespaces::<TimeWindow>("v").unwrap(),
        [(1, window(3))]
    );
}

fn another_key_leaves_the_namespace(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value_in::<i64, _>("v", window(0)).unwrap();
    v.set_current_namespace(window(2)).unwrap();
    b.key(1);
    v.update(1).unwrap();
    b.key(2);
    v.update(2).unwrap();
    let mut keys = b.keys("v", &window(2)).unwrap();
    keys.sort();
    assert_eq!(keys, [1, 2]);
    assert!(b.keys("v", &window(0)).unwrap().is_empty());
}

fn each_state_has_its_own_namespace(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value_in::<i64, _>("v", 0i64).unwrap();
    let w = b.value_in::<i64, _>("w", 0i64).unwrap();
    b.key(1);
    v.set_current_namespace(1).unwrap();
    w.update(5).unwrap();
    assert_eq!(b.keys("w", &0i64).unwrap(), [1]);
    assert_eq!(v.get().unwrap(), None);
}

fn keys_are_listed_by_namespace(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value_in::<i64, _>("v", 0i64).unwrap();
    for key in 0..60 {
        b.key(key);
        v.set_current_namespace(key % 3).unwrap();
        v.update(key).unwrap();
    }
    for n in 0..3 {
        let mut keys = b.keys("v", &n).unwrap();
        keys.sort();
        assert!(keys.into_iter().eq((n..60).step_by(3)), "namespace {n}");
    }
    assert!(b.keys("v", &3i64).unwrap().is_empty());
}

fn every_key_and_namespace_is_listed_once(c: &Configuration) {
    let (world, mut b) = start(c);
    let m = b.map_in::<i64, i64, _>("m", window(0)).unwrap();
    for key in 0..10 {
        b.key(key);
        for n in 0..=key % 3 {
            m.set_current_namespace(window(n)).unwrap();
            m.put_all([(1, 1), (2, 2)]).unwrap();
        }
    }
    let check = |b: &Instance| {
        let mut all = b.keys_and_namespaces::<TimeWindow>("m").unwrap();
        all.sort_by_key(|(key, window)| (*key, window.start()));
        let expected = (0..10).flat_map(|key| (0..=key % 3).map(move |n| (key, window(n))));
        assert!(all.into_iter().eq(expected));
    };
    check(&b);
    let mut b = world.reopen(b);
    b.map_in::<i64, i64, _>("m", window(0)).unwrap();
    check(&b);
}

/// Where lengths of key and namespace both vary, their border must show in what is stored.
fn key_and_namespace_are_told_apart(c: &Configuration) {
    let world = World::new(c);
    let mut b: Instance<String> = world.try_create(WHOLE, &[]).unwrap();
    let pairs = [
        ("a", "bc"),
        ("ab", "c"),
        ("abc", ""),
        ("", "abc"),
        ("a", "b"),
        ("a", ""),
    ];
    let m = b.map_in::<String, i64, _>("m", String::new()).unwrap();
    let v = b.value_in::<i64, _>("v", String::new()).unwrap();
    for (n, (key, namespace)) in (0..).zip(pairs) {
        b.key(key.into());
        m.set_current_namespace(namespace.into()).unwrap();
        v.set_current_namespace(namespace.into()).unwrap();
        m.put("c".into(), n).unwrap();
        v.update(n).unwrap();
    }
    let handles = world.snapshot(&mut b);
    let mut b: Instance<String> = world.try_create(WHOLE, &handles).unwrap();
    let m = b.map_in::<String, i64, _>("m", String::new()).unwrap();
    let v = b.value_in::<i64, _>("v", String::new()).unwrap();
    for (n, (key, namespace)) in (0..).zip(pairs) {
        b.key(key.into());
        m.set_current_namespace(namespace.into()).unwrap();
        v.set_current_namespace(namespace.into()).unwrap();
        assert_eq!(m.entries().unwrap(), [("c".to_owned(), n)], "{key} {namespace}");
        assert_eq!(v.get().unwrap(), Some(n), "{key} {namespace}");
    }
    let mut all = b.keys_and_namespaces::<String>("m").unwrap();
    all.sort();
    let mut expected = pairs.map(|(k, n)| (k.to_owned(), n.to_owned()));
    expected.sort();
    assert_eq!(all, expected);
}

fn namespaces_are_restored(c: &Configuration) {
    let (world, mut b) = start(c);
    let l = b.list_in::<i64, _>("l", window(0)).unwrap();
    for n in 0..5 {
        b.key(n % 2);
        l.set_current_namespace(window(n)).unwrap();
        l.add_all([n, n * n]).unwrap();
    }
    let mut b = world.reopen(b);
    let l = b.list_in::<i64, _>("l", window(0)).unwrap();
    for n in 0..5 {
        b.key(n % 2);
        l.set_current_namespace(window(n)).unwrap();
        assert_eq!(l.get().unwrap(), [n, n * n]);
        b.key((n + 1) % 2);
        assert!(l.is_empty().unwrap());
    }
}

fn keys_of_an_unknown_state_are_not_found(c: &Configuration) {
    let (_world, mut b) = start(c);
    b.value::<i64>("v");
    let e = b.keys("w", &VoidNamespace).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NotFound);
    assert_eq!(e.context("state"), Some("w"));
}

fn keys_by_another_type_of_namespace_are_refused(c: &Configuration) {
    let (_world, mut b) = start(c);
    b.value_in::<i64, _>("v", window(0)).unwrap();
    let e = b.keys("v", &0i64).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::IllegalState);
    assert_eq!(e.context("state"), Some("v"));
}

fn a_restored_state_keeps_its_type_of_namespace(c: &Configuration) {
    let (world, mut b) = start(c);
    let v = b.value_in::<i64, _>("v", window(0)).unwrap();
    b.key(1);
    v.update(1).unwrap();
    let mut b = world.reopen(b);
    let e = b.value_in::<i64, _>("v", 0i64).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Incompatible);
    assert_eq!(e.context("state"), Some("v"));
    assert!(e.to_string().contains("namespace"), "{e}");
    let v = b.value_in::<i64, _>("v", window(0)).unwrap();
    b.key(1);
    assert_eq!(v.get().unwrap(), Some(1), "the failed attempt lost nothing");
}

crate::behaviours![
    a_value_lives_in_its_namespace,
    a_list_lives_in_its_namespace,
    a_map_lives_in_its_namespace,
    reductions_and_aggregations_live_in_their_namespaces,
    the_first_namespace_is_that_of_the_opening,
    another_key_leaves_the_namespace,
    each_state_has_its_own_namespace,
    keys_are_listed_by_namespace,
    every_key_and_namespace_is_listed_once,
    key_and_namespace_are_told_apart,
    namespaces_are_restored,
    keys_of_an_unknown_state_are_not_found,
    keys_by_another_type_of_namespace_are_refused,
    a_restored_state_keeps_its_type_of_namespace,
];
