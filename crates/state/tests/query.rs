//! State looked at by the text of a key, and every key of a state one after the other, for each backend of this build.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test code")]

use millpond_core::config::Configuration;
use millpond_core::{ErrorKind, Result};
use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond_state::descriptor::{ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor};
use millpond_state::query::{QueryAnswer, QueryKey, StateView};
use millpond_state::stream::memory::MemoryStreams;
use millpond_types::snapshot::render::Rendered;
use millpond_types::{JavaHash, KeyGroupRange, StateKey, StateType, TimeWindow, VoidNamespace};

#[derive(Clone, Debug, PartialEq, Eq, Hash, StateType, JavaHash)]
struct Route {
    to: String,
    from: String,
}

fn backends<K: StateKey>(first: u32, last: u32) -> Vec<KeyedStateBackend<K>> {
    let streams = MemoryStreams::default();
    let parameters = || KeyedStateBackendParameters::<K>::new(KeyGroupRange::new(first, last).unwrap(), 128);
    let mut backends = vec![KeyedStateBackend::hashmap(parameters(), &[], &streams).unwrap()];
    if cfg!(feature = "rocksdb") {
        let config = Configuration::new();
        backends.push(KeyedStateBackend::rocksdb(parameters(), &config, &[], &streams).unwrap());
    }
    backends
}

fn found(answer: Result<QueryAnswer>) -> StateView {
    match answer.unwrap() {
        QueryAnswer::Found(view) => view,
        QueryAnswer::Elsewhere { key_group } => panic!("in key group {key_group}"),
    }
}

fn json(view: &StateView) -> String {
    match view.entries.as_slice() {
        [(Rendered::Null, value)] => value.to_string(),
        [] => "nothing".to_owned(),
        other => panic!("{other:?}"),
    }
}

/// Goal: value, list and map state of a key come back as JSON, changed or not, and the current key stays. Method: three
/// states for two keys, queried by the key's text, before and after a change.
#[test]
fn what_a_key_has_is_found_by_its_text() {
    for mut backend in backends::<String>(0, 127) {
        let void = VoidNamespace::serializer;
        let value = backend
            .value_state(
                ValueStateDescriptor::<(i64, String)>::new("v"),
                void(),
                VoidNamespace,
            )
            .unwrap();
        let list = backend
            .list_state(
                ListStateDescriptor::<Option<f64>>::new("l"),
                void(),
                VoidNamespace,
            )
            .unwrap();
        let map = backend
            .map_state(
                MapStateDescriptor::<String, Vec<i32>>::new("m"),
                void(),
                VoidNamespace,
            )
            .unwrap();
        backend.set_current_key("a".into()).unwrap();
        value.update((1, "one".into())).unwrap();
        list.update(vec![Some(0.5), None]).unwrap();
        backend.set_current_key("a b".into()).unwrap();
        value.update((2, "two".into())).unwrap();
        map.put("x".into(), vec![1]).unwrap();
        map.put("y".into(), vec![]).unwrap();

        let ask = |state: &str, key: &str| found(backend.query(state, &QueryKey::text(key)));
        assert_eq!(json(&ask("v", "a")), r#"[1,"one"]"#);
        assert_eq!(json(&ask("l", "a")), "[0.5,null]");
        assert_eq!(json(&ask("m", "a")), "nothing");
        assert_eq!(json(&ask("v", "a b")), r#"[2,"two"]"#);
        let shown = json(&ask("m", "a b"));
        assert!(
            shown == r#"{"x":[1],"y":[]}"# || shown == r#"{"y":[],"x":[1]}"#,
            "{shown}"
        );
        assert_eq!(backend.current_key().unwrap(), "a b");
        value.clear().unwrap();
        assert_eq!(json(&ask("v", "a b")), "nothing");
        let view = ask("v", "a");
        assert_eq!(
            view.render().to_string(),
            format!(
                r#"{{"state":"v","kind":"VALUE","keyType":"StringSerializer","valueType":"{}","keyGroup":{},"value":[1,"one"],"truncated":false}}"#,
                <(i64, String)>::serializer().snapshot(),
                view.key_group
            )
        );
    }
}

/// Goal: state of windows shows each window. Method: one key in two windows beside another key, of a type whose length
/// varies, so that lengths stand in the stored key.
#[test]
fn state_of_windows_is_shown_by_window() {
    for mut backend in backends::<String>(0, 127) {
        let namespace = TimeWindow::serializer();
        let count = backend
            .value_state(
                ValueStateDescriptor::<i64>::new("c"),
                namespace,
                TimeWindow::new(0, 0),
            )
            .unwrap();
        for (key, start, value) in [("k", 0, 1), ("k", 10, 2), ("kk", 0, 3)] {
            backend.set_current_key(key.into()).unwrap();
            count
                .set_current_namespace(TimeWindow::new(start, start + 10))
                .unwrap();
            count.update(value).unwrap();
        }
        let mut shown: Vec<_> = found(backend.query("c", &QueryKey::text("k")))
            .entries
            .iter()
            .map(|(namespace, value)| format!("{namespace} {value}"))
            .collect();
        shown.sort();
        assert_eq!(shown, [r#"{"start":0,"end":10} 1"#, r#"{"start":10,"end":20} 2"#]);
        let mut all = backend.keys_and_namespaces::<TimeWindow>("c").unwrap();
        all.sort_by_key(|(key, window)| (key.clone(), window.start()));
        let all: Vec<_> = all.iter().map(|(k, w)| (k.as_str(), w.start())).collect();
        assert_eq!(all, [("k", 0), ("k", 10), ("kk", 0)]);
    }
}

/// Goal: keys of struct types can be asked for as JSON. Method: fields in another order than stored.
#[test]
fn keys_that_are_structs_are_written_as_json() {
    for mut backend in backends::<Route>(0, 127) {
        let count = backend
            .value_state(
                ValueStateDescriptor::<i64>::new("c"),
                VoidNamespace::serializer(),
                VoidNamespace,
            )
            .unwrap();
        let route = Route {
            to: "LAX".into(),
            from: "JFK".into(),
        };
        backend.set_current_key(route).unwrap();
        count.update(5).unwrap();
        let text = |t: &str| Rendered::Text(t.to_owned());
        let tree = Rendered::Object(vec![("to".into(), text("LAX")), ("from".into(), text("JFK"))]);
        let key = QueryKey::text("{...}").with_json(tree);
        assert_eq!(json(&found(backend.query("c", &key))), "5");
        let e = backend.query("c", &QueryKey::text("JFK")).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Config);
        assert!(
            e.report().contains("an object with the struct's fields"),
            "{}",
            e.report()
        );
    }
}

/// Goal: what can't be answered says why. Method: an unknown state, a key of the wrong form, a key of another instance.
#[test]
fn queries_that_cannot_be_answered_say_what_there_is() {
    for mut backend in backends::<i64>(0, 63) {
        let void = VoidNamespace::serializer;
        for name in ["counts", "sums"] {
            let descriptor = ValueStateDescriptor::<i64>::new(name);
            backend.value_state(descriptor, void(), VoidNamespace).unwrap();
        }
        let e = backend.query("count", &QueryKey::text("1")).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::NotFound);
        assert!(e.report().contains("it has counts, sums"), "{}", e.report());
        let e = backend.query("counts", &QueryKey::text("one")).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Config);
        assert!(e.report().contains("LongSerializer"), "{}", e.report());
        let context = backend.key_context();
        let away = (0..100).find(|k| context.key_group_of(k) > 63).unwrap();
        let answer = backend
            .query("counts", &QueryKey::text(away.to_string()))
            .unwrap();
        let key_group = context.key_group_of(&away);
        assert_eq!(answer, QueryAnswer::Elsewhere { key_group });
    }
}

/// Goal: every key is shown once, and the function may change and clear what it sees, of other keys too. Method: 100 keys;
/// even ones are cleared, odd ones doubled, and each clears its neighbour's other state.
#[test]
fn all_keys_can_be_changed_while_they_are_shown() {
    for mut backend in backends::<i64>(0, 127) {
        let void = VoidNamespace::serializer;
        let descriptor = ValueStateDescriptor::<i64>::new("n");
        let state = backend
            .value_state(descriptor.clone(), void(), VoidNamespace)
            .unwrap();
        let other = backend
            .list_state(ListStateDescriptor::<i64>::new("l"), void(), VoidNamespace)
            .unwrap();
        for key in 0..100 {
            backend.set_current_key(key).unwrap();
            state.update(key).unwrap();
            other.add(key).unwrap();
        }
        backend.set_current_key(7).unwrap();
        let mut shown = Vec::new();
        backend
            .apply_to_all_keys(&VoidNamespace, void(), &descriptor, |key, state| {
                shown.push(*key);
                assert_eq!(state.get()?, Some(*key));
                other.clear()?;
                if key % 2 == 0 {
                    state.clear()
                } else {
                    state.update(key * 2)
                }
            })
            .unwrap();
        shown.sort_unstable();
        assert_eq!(shown, (0..100).collect::<Vec<_>>());
        assert_eq!(
            backend.current_key().unwrap(),
            7,
            "the current key is what it was"
        );
        assert_eq!(state.get().unwrap(), Some(14));
        let mut left = backend.keys("n", &VoidNamespace).unwrap();
        left.sort_unstable();
        assert_eq!(left, (1..100).step_by(2).collect::<Vec<_>>());
        assert!(backend.keys("l", &VoidNamespace).unwrap().is_empty());
        // The first error ends it.
        let mut calls = 0;
        let outcome = backend.apply_to_all_keys(&VoidNamespace, void(), &descriptor, |_, _| {
            calls += 1;
            Err(millpond_core::Error::cancelled("stop"))
        });
        assert!(outcome.is_err());
        assert_eq!(calls, 1);
        assert_eq!(backend.current_key().unwrap(), 7);
    }
}
