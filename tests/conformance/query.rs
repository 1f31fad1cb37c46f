//! What a key has, asked for by people while the job runs.

use crate::configuration::Configuration;
use crate::world::{Five, Instance, World, start};
use millpond_core::{ErrorKind, Result};
use millpond_state::query::{QueryAnswer, QueryKey, StateView};
use millpond_types::TimeWindow;
use millpond_types::snapshot::render::Rendered;

fn found(answer: Result<QueryAnswer>) -> StateView {
    match answer.unwrap() {
        QueryAnswer::Found(view) => view,
        QueryAnswer::Elsewhere { key_group } => panic!("in key group {key_group}"),
    }
}

/// The value of a state without namespaces, as JSON; of one with a time to live, without the moment at which its life began.
fn ask(b: &Instance, state: &str, key: &str) -> Option<String> {
    let view = found(b.query(state, &QueryKey::text(key)));
    match view.entries.as_slice() {
        [] => None,
        [(Rendered::Null, value)] => Some(without_lives(&value.to_string())),
        other => panic!("{other:?}"),
    }
}

/// With a time to live each value is shown as `{"lastAccess":1000000,"value":…}`, at the clock's time.
fn without_lives(json: &str) -> String {
    let mut json = json.to_owned();
    while let Some(start) = json.find(LIFE) {
        let value = start + LIFE.len();
        let end = value + json[value..].find('}').unwrap();
        json.remove(end);
        json.replace_range(start..value, "");
    }
    json
}
const LIFE: &str = r#"{"lastAccess":1000000,"value":"#;

#[track_caller]
fn check(b: &Instance, n: i64) {
    let key = n.to_string();
    let (next, map) = (n + 1, ask(b, "map", &key).unwrap());
    assert_eq!(ask(b, "value", &key), Some(n.to_string()));
    assert_eq!(ask(b, "list", &key), Some(format!("[{n},{next}]")));
    assert_eq!(ask(b, "sum", &key), Some(next.to_string()));
    assert_eq!(ask(b, "mean", &key), Some(format!("[{},2]", 2 * n + 2)));
    let orders = [
        format!(r#"{{"a":{n},"{n}":1}}"#),
        format!(r#"{{"{n}":1,"a":{n}}}"#),
    ];
    assert!(orders.contains(&map), "{map}");
}

fn every_kind_is_shown(c: &Configuration) {
    let (_world, mut b) = start(c);
    let five = Five::open(&mut b);
    for key in [1, -2] {
        b.key(key);
        five.write(key);
    }
    check(&b, 1);
    check(&b, -2);
}

fn a_query_leaves_the_current_key(c: &Configuration) {
    let (_world, mut b) = start(c);
    let five = Five::open(&mut b);
    b.key(1);
    five.write(1);
    b.key(2);
    five.write(2);
    check(&b, 1);
    assert_eq!(b.current_key().unwrap(), 2);
    five.check(2);
}

fn what_was_cleared_or_never_set_is_nothing(c: &Configuration) {
    let (_world, mut b) = start(c);
    let five = Five::open(&mut b);
    b.key(1);
    five.write(1);
    five.clear();
    for state in ["value", "list", "map", "sum", "mean"] {
        assert_eq!(ask(&b, state, "1"), None, "{state}");
        assert_eq!(ask(&b, state, "2"), None, "{state}");
    }
}

fn a_query_sees_the_last_write(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value::<i64>("value");
    b.key(1);
    for n in 0..10 {
        v.update(n).unwrap();
        assert_eq!(ask(&b, "value", "1"), Some(n.to_string()));
    }
}

fn restored_state_is_shown(c: &Configuration) {
    let (world, mut b) = start(c);
    let five = Five::open(&mut b);
    b.key(5);
    five.write(5);
    let mut b = world.reopen(b);
    Five::open(&mut b);
    check(&b, 5);
}

fn windows_are_shown_each(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value_in::<i64, _>("v", TimeWindow::new(0, 10)).unwrap();
    b.key(1);
    v.update(1).unwrap();
    v.set_current_namespace(TimeWindow::new(10, 20)).unwrap();
    v.update(2).unwrap();
    let view = found(b.query("v", &QueryKey::text("1")));
    let mut shown: Vec<_> = view
        .entries
        .iter()
        .map(|(w, v)| format!("{w} {}", without_lives(&v.to_string())))
        .collect();
    shown.sort();
    assert_eq!(shown, [r#"{"start":0,"end":10} 1"#, r#"{"start":10,"end":20} 2"#]);
}

fn a_key_of_another_instance_is_said_to_be_elsewhere(c: &Configuration) {
    let world = World::new(c);
    let mut b = world.try_create::<i64>((0, 40), &[]).unwrap();
    b.value::<i64>("v");
    let key = b.foreign_key();
    let answer = b.query("v", &QueryKey::text(key.to_string())).unwrap();
    let key_group = b.key_context().key_group_of(&key);
    assert_eq!(answer, QueryAnswer::Elsewhere { key_group });
}

fn an_unknown_state_is_told_from_those_there_are(c: &Configuration) {
    let (_world, mut b) = start(c);
    Five::open(&mut b);
    let e = b.query("vale", &QueryKey::text("1")).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NotFound);
    assert!(e.report().contains("value"), "{}", e.report());
}

fn a_key_of_the_wrong_form_is_refused(c: &Configuration) {
    let (_world, mut b) = start(c);
    b.value::<i64>("v");
    let e = b.query("v", &QueryKey::text("one")).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Config);
    assert!(e.report().contains("Long"), "{}", e.report());
}

crate::behaviours![
    every_kind_is_shown,
    a_query_leaves_the_current_key,
    what_was_cleared_or_never_set_is_nothing,
    a_query_sees_the_last_write,
    restored_state_is_shown,
    windows_are_shown_each,
    a_key_of_another_instance_is_said_to_be_elsewhere,
    an_unknown_state_is_told_from_those_there_are,
    a_key_of_the_wrong_form_is_refused,
];
