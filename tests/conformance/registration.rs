//! Opening states: one name is one state, and what is in the way is named.

use crate::configuration::Configuration;
use crate::erased::{Erased, ErasedSerializer, Value};
use crate::world::{Instance, start};
use millpond_core::ErrorKind;
use millpond_state::descriptor::{ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor};
use millpond_types::serializer::serde::SerdeSerializer;
use millpond_types::{StateType, VoidNamespace};
use std::sync::Arc;
use std::time::Duration;

fn a_name_opened_twice_is_one_state(c: &Configuration) {
    let (_world, mut b) = start(c);
    let (v, w) = (b.value::<i64>("v"), b.value::<i64>("v"));
    let (m, n) = (b.map::<i64, i64>("m"), b.map::<i64, i64>("m"));
    b.key(1);
    v.update(3).unwrap();
    m.put(1, 2).unwrap();
    assert_eq!((w.get().unwrap(), n.get(&1).unwrap()), (Some(3), Some(2)));
    w.clear().unwrap();
    n.clear().unwrap();
    assert_eq!((v.get().unwrap(), m.get(&1).unwrap()), (None, None));
}

fn a_name_is_not_taken_by_another_type(c: &Configuration) {
    let (_world, mut b) = start(c);
    b.value::<i64>("v");
    let e = b.try_value::<String>("v").unwrap_err();
    assert_eq!((e.kind(), e.context("state")), (ErrorKind::Config, Some("v")));
    let report = e.report();
    assert!(report.contains("Long") && report.contains("String"), "{report}");
    b.list::<i64>("l");
    assert_eq!(b.try_list::<i32>("l").unwrap_err().kind(), ErrorKind::Config);
    b.map::<i64, i64>("m");
    assert_eq!(b.try_map::<i64, i32>("m").unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(b.try_map::<i32, i64>("m").unwrap_err().kind(), ErrorKind::Config);
}

fn a_name_is_not_taken_by_another_kind(c: &Configuration) {
    let (_world, mut b) = start(c);
    b.value::<i64>("v");
    let e = b.try_list::<i64>("v").unwrap_err();
    assert_eq!((e.kind(), e.context("state")), (ErrorKind::Config, Some("v")));
    let report = e.report();
    assert!(report.contains("VALUE") && report.contains("LIST"), "{report}");
    let e = b.sum_in("v", VoidNamespace).unwrap_err();
    assert!(e.report().contains("REDUCING"), "{}", e.report());
    let e = b.mean_in("v", VoidNamespace).unwrap_err();
    assert!(e.report().contains("AGGREGATING"), "{}", e.report());
}

fn a_name_is_not_taken_by_another_namespace(c: &Configuration) {
    let (_world, mut b) = start(c);
    b.value::<i64>("v");
    let e = b.value_in::<i64, _>("v", 0i64).unwrap_err();
    assert_eq!((e.kind(), e.context("state")), (ErrorKind::Config, Some("v")));
}

fn a_refused_opening_leaves_the_state(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value::<i64>("v");
    b.key(1);
    v.update(1).unwrap();
    b.try_value::<String>("v").unwrap_err();
    b.try_list::<i64>("v").unwrap_err();
    assert_eq!(b.value::<i64>("v").get().unwrap(), Some(1));
}

fn a_state_and_timers_cannot_share_a_name(c: &Configuration) {
    let (_world, mut b) = start(c);
    b.timers("t");
    let e = b.try_value::<i64>("_timer_state/event_t").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Config);
    b.value::<i64>("_timer_state/event_u");
    let e = b.try_timers::<VoidNamespace>("u").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Config);
}

fn an_unregistered_serializer_is_asked_for(c: &Configuration) {
    let (_world, mut b) = start(c);
    let void = VoidNamespace::serializer;
    let value = ValueStateDescriptor::<Erased>::registered("d");
    let list = ListStateDescriptor::<Erased>::registered("d");
    let map = MapStateDescriptor::<i64, Erased>::registered("d");
    for e in [
        b.value_state(value, void(), VoidNamespace).unwrap_err(),
        b.list_state(list, void(), VoidNamespace).unwrap_err(),
        b.map_state(map, void(), VoidNamespace).unwrap_err(),
    ] {
        assert_eq!(e.kind(), ErrorKind::Config);
        let report = e.report();
        assert!(report.contains("register"), "{report}");
        assert!(report.contains("state=d"), "{report}");
    }
}

fn a_serializer_can_be_given(c: &Configuration) {
    let (world, mut b) = start(c);
    let open = |b: &mut Instance| {
        let serializer = ErasedSerializer(SerdeSerializer::<Duration>::shared());
        let descriptor = ValueStateDescriptor::with_serializer("d", Arc::new(serializer));
        let descriptor = descriptor.enable_time_to_live(b.ttl);
        let state = b.value_state(descriptor, VoidNamespace::serializer(), VoidNamespace);
        b.key(1);
        Value::<Duration>::new(state.unwrap())
    };
    open(&mut b).update(Duration::from_nanos(7)).unwrap();
    let mut b = world.reopen(b);
    assert_eq!(open(&mut b).get().unwrap(), Some(Duration::from_nanos(7)));
}

fn any_text_can_be_a_name(c: &Configuration) {
    let (world, mut b) = start(c);
    let names = [
        "",
        " ",
        "a/b",
        "../x",
        "é",
        "\u{1F6F6}",
        "V",
        "v",
        "v-1",
        "v\n",
        "default",
    ];
    b.key(1);
    for (n, name) in (0..).zip(names) {
        b.value::<i64>(name).update(n).unwrap();
    }
    b.value::<i64>(&"long".repeat(500)).update(-1).unwrap();
    let mut b = world.reopen(b);
    b.key(1);
    for (n, name) in (0..).zip(names) {
        assert_eq!(b.value::<i64>(name).get().unwrap(), Some(n), "{name:?}");
    }
    assert_eq!(b.value::<i64>(&"long".repeat(500)).get().unwrap(), Some(-1));
}

fn many_states_can_be_open(c: &Configuration) {
    let (world, mut b) = start(c);
    b.key(1);
    for n in 0..40 {
        b.list::<i64>(&format!("s{n}")).add(n).unwrap();
    }
    let mut b = world.reopen(b);
    b.key(1);
    for n in (0..40).rev() {
        assert_eq!(b.list::<i64>(&format!("s{n}")).get().unwrap(), [n]);
    }
}

fn states_can_be_opened_between_records(c: &Configuration) {
    let (_world, mut b) = start(c);
    let v = b.value::<i64>("v");
    b.key(1);
    v.update(1).unwrap();
    let w = b.value::<i64>("w");
    w.update(2).unwrap();
    b.key(2);
    assert_eq!((v.get().unwrap(), w.get().unwrap()), (None, None));
    b.key(1);
    assert_eq!((v.get().unwrap(), w.get().unwrap()), (Some(1), Some(2)));
}

crate::behaviours![
    a_name_opened_twice_is_one_state,
    a_name_is_not_taken_by_another_type,
    a_name_is_not_taken_by_another_kind,
    a_name_is_not_taken_by_another_namespace,
    a_refused_opening_leaves_the_state,
    a_state_and_timers_cannot_share_a_name,
    an_unregistered_serializer_is_asked_for,
    a_serializer_can_be_given,
    any_text_can_be_a_name,
    many_states_can_be_open,
    states_can_be_opened_between_records,
];
