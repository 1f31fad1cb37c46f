//! What people see of stored values, what they can write down of them, and that no bytes make it panic or grow.
#![expect(clippy::unwrap_used, reason = "test code")]

use millpond_types::snapshot::encode::encode;
use millpond_types::snapshot::render::{Rendered, Renderer};
use millpond_types::snapshot::{SerializerSnapshot, SnapshotBody, class};
use millpond_types::{DataInput, DataOutput, ErrorKind, StateType, TimeWindow};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// More than the depth that is allowed.
const TOO_DEEP: usize = 80;

#[derive(Clone, Debug, PartialEq, StateType)]
struct Route {
    to: String,
    from: String,
    via: Option<i32>,
}
#[derive(Clone, Debug, PartialEq, StateType)]
struct Plane {
    tail: String,
    seats: Option<i32>,
    speeds: Vec<f32>,
}
#[derive(Clone, Debug, PartialEq, StateType)]
enum Colour {
    Red,
    Green,
}
#[derive(Clone, Debug, PartialEq, StateType)]
enum Shape {
    Point,
    Circle { radius: i64 },
}

fn bytes_of<T: StateType>(value: &T) -> Vec<u8> {
    let mut out = DataOutput::new();
    T::serializer().serialize(value, &mut out).unwrap();
    out.into_vec()
}

fn json<T: StateType>(value: &T) -> String {
    let bytes = bytes_of(value);
    let mut input = DataInput::new(&bytes);
    let mut renderer = Renderer::new(1 << 20);
    let tree = renderer.render(&T::serializer().snapshot(), &mut input).unwrap();
    assert!(input.is_empty(), "the value was not read to its end");
    assert!(!renderer.is_cut());
    tree.to_string()
}

/// Goal: every kind of type prints as the JSON that its documentation names. Method: one value of each.
#[test]
fn values_print_as_json() {
    assert_eq!(
        json(&(true, -1i8, u64::MAX, i64::MIN)),
        "[true,-1,18446744073709551615,-9223372036854775808]"
    );
    assert_eq!(
        json(&(0.1f32, 1.0f64, f64::NAN, f32::INFINITY)),
        r#"[0.1,1.0,"NaN","Infinity"]"#
    );
    assert_eq!(json(&"a\"b\\\n\u{1}ü".to_owned()), "\"a\\\"b\\\\\\n\\u0001ü\"");
    assert_eq!(json(&vec![0u8, 255]), r#""0x00ff""#);
    assert_eq!(json(&(None::<i32>, Some(3), ())), "[null,3,null]");
    let plane = Plane {
        tail: "N1".into(),
        seats: None,
        speeds: vec![1.5],
    };
    assert_eq!(json(&plane), r#"{"seats":null,"speeds":[1.5],"tail":"N1"}"#);
    assert_eq!(json(&(Colour::Green, Colour::Red)), r#"["Green","Red"]"#);
    assert_eq!(
        json(&(Shape::Point, Shape::Circle { radius: 2 })),
        r#"["Point",{"Circle":{"radius":2}}]"#
    );
    assert_eq!(
        json(&BTreeMap::from([(1, "a".to_owned()), (2, "b".to_owned())])),
        r#"{"1":"a","2":"b"}"#
    );
    assert_eq!(
        json(&BTreeMap::from([((1, 2), true)])),
        r#"[{"key":[1,2],"value":true}]"#
    );
    assert_eq!(json(&BTreeSet::from([3, 1])), "[1,3]");
    assert_eq!(json(&TimeWindow::new(1, 5)), r#"{"start":1,"end":5}"#);
}

/// Goal: a large value costs no more than the budget. Method: a long list, a long string and long bytes under a small one.
#[test]
fn what_goes_beyond_the_budget_is_cut() {
    let long = (vec![7i64; 100_000], "x".repeat(100_000), vec![1u8; 100_000]);
    for (snapshot, bytes) in [
        (Vec::<i64>::serializer().snapshot(), bytes_of(&long.0)),
        (String::serializer().snapshot(), bytes_of(&long.1)),
        (Vec::<u8>::serializer().snapshot(), bytes_of(&long.2)),
    ] {
        let mut renderer = Renderer::new(1000);
        let text = renderer
            .render(&snapshot, &mut DataInput::new(&bytes))
            .unwrap()
            .to_string();
        assert!(renderer.is_cut());
        assert!(text.len() < 1100, "{} bytes", text.len());
        assert!(text.contains("..."), "{text}");
    }
}

/// Goal: a snapshot made to nest without end is refused. Method: lists of lists, deeper than the limit.
#[test]
fn depth_is_bounded() {
    let mut snapshot = i32::serializer().snapshot();
    for _ in 0..TOO_DEEP {
        snapshot = SerializerSnapshot {
            class_name: class::LIST.to_owned(),
            version: 3,
            body: SnapshotBody::Composite {
                version: 1,
                outer: Vec::new(),
            },
            nested: vec![snapshot],
        };
    }
    let bytes = 1i32.to_be_bytes().repeat(TOO_DEEP + 10);
    let e = Renderer::new(1 << 20)
        .render(&snapshot, &mut DataInput::new(&bytes))
        .unwrap_err();
    assert!(e.to_string().contains("too deep"), "{e}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    /// Goal: bytes from anywhere give a tree or an error. Method: random bytes under a type of many parts; what the
    /// tree takes is bounded by the budget.
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        type Zoo = (Plane, Shape, BTreeMap<String, Vec<i16>>, Option<Colour>);
        for snapshot in [<Zoo as StateType>::serializer().snapshot(), Vec::<Zoo>::serializer().snapshot()] {
            if let Ok(tree) = Renderer::new(4096).render(&snapshot, &mut DataInput::new(&bytes)) {
                prop_assert!(tree.to_string().len() < 16 * 4096);
            }
        }
    }
}

/// Goal: what is written down becomes what the serializer writes. Method: a value is written by its serializer,
/// rendered, and encoded again.
#[track_caller]
fn comes_back<T: StateType>(value: &T) {
    let serializer = T::serializer();
    let mut written = DataOutput::new();
    serializer.serialize(value, &mut written).unwrap();
    let snapshot = serializer.snapshot();
    let tree = Renderer::new(1 << 20)
        .render(&snapshot, &mut DataInput::new(written.as_slice()))
        .unwrap();
    let mut encoded = DataOutput::new();
    encode(&snapshot, &tree, &mut encoded).unwrap();
    assert_eq!(encoded.as_slice(), written.as_slice(), "{tree}");
}

#[test]
fn what_was_rendered_encodes_to_the_same_bytes() {
    let route = Route {
        to: "LAX".into(),
        from: "JFK".into(),
        via: None,
    };
    comes_back(&route);
    comes_back(&(route.clone(), Colour::Green, Some(1u64), None::<String>));
    comes_back(&(Shape::Point, vec![Shape::Circle { radius: -3 }]));
    comes_back(&(true, -1i8, i16::MIN, u16::MAX, u32::MAX, u64::MAX));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn keys_of_usual_types_encode_to_the_same_bytes(a: String, b: i64, c: Vec<(i32, String)>, d: f32) {
        comes_back(&a);
        comes_back(&(a, b, c));
        if d.is_finite() {
            comes_back(&d);
        }
    }
}

/// Goal: a person who got a key wrong is told what would fit. Method: values of the wrong form, for each form of type.
#[test]
fn values_that_do_not_fit_say_what_would() {
    let text = |t: &str| Rendered::Text(t.to_owned());
    let route = Rendered::Object(vec![("too".to_owned(), text("LAX"))]);
    for (snapshot, value, wanted) in [
        (i64::serializer().snapshot(), text("7x"), "an integer of 64 bits"),
        (u16::serializer().snapshot(), Rendered::Int(-1), "from 0 to 65535"),
        (bool::serializer().snapshot(), text("yes"), "true or false"),
        (
            Colour::serializer().snapshot(),
            text("Blue"),
            "there are Red, Green",
        ),
        (
            Shape::serializer().snapshot(),
            text("Square"),
            "there are Point, Circle",
        ),
        (
            Route::serializer().snapshot(),
            route,
            "its fields are from, to, via",
        ),
        (
            <(i32, i32)>::serializer().snapshot(),
            Rendered::List(vec![Rendered::Int(1)]),
            "one element for each field",
        ),
    ] {
        let e = encode(&snapshot, &value, &mut DataOutput::new()).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Config, "{e}");
        assert!(e.report().contains(wanted), "{}", e.report());
    }
    let bytes = Vec::<u8>::serializer().snapshot();
    let e = encode(&bytes, &text("x"), &mut DataOutput::new()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Unsupported, "{e}");
}
