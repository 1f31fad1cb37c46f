//! Bytes that Flink itself wrote, against ours.
//!
//! `golden/flink.txt` holds what Flink 2.3.0's serializers and snapshots gave for the values below. Every value must be
//! written to the same bytes and read back from them, every snapshot likewise.
#![expect(clippy::unwrap_used, reason = "test code")]

use millpond_types::{
    Compatibility, DataInput, DataOutput, ErrorKind, GlobalWindow, SerializerSnapshot, StateType, TimeWindow,
    VoidNamespace,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// The lines of this kind under this name, as bytes.
fn golden(kind: &str, name: &str) -> Vec<Vec<u8>> {
    let lines = include_str!("golden/flink.txt").lines();
    let found: Vec<_> = lines
        .filter_map(|line| {
            let mut words = line.split(' ');
            (words.next() == Some(kind) && words.next() == Some(name)).then(|| unhex(words.next().unwrap()))
        })
        .collect();
    assert!(!found.is_empty(), "no golden {kind} called {name}");
    found
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap())
        .collect()
}

fn read_snapshot(bytes: &[u8]) -> SerializerSnapshot {
    let mut input = DataInput::new(bytes);
    let snapshot = SerializerSnapshot::read_versioned(&mut input).unwrap();
    assert!(
        input.is_empty(),
        "{} bytes were left of {snapshot}",
        input.remaining()
    );
    snapshot
}

fn write_snapshot(snapshot: &SerializerSnapshot) -> Vec<u8> {
    let mut out = DataOutput::new();
    snapshot.write_versioned(&mut out).unwrap();
    out.into_vec()
}

/// Values compared by their bytes, so that NaN and -0.0 count.
#[track_caller]
fn check<T: StateType + Debug>(name: &str, values: &[T]) {
    let serializer = T::serializer();
    let stored = golden("value", name);
    assert_eq!(stored.len(), values.len(), "{name}");
    for (value, want) in values.iter().zip(&stored) {
        let mut out = DataOutput::new();
        serializer.serialize(value, &mut out).unwrap();
        assert_eq!(out.as_slice(), want, "{name}: {value:?}");
        let mut input = DataInput::new(want);
        let back = serializer.deserialize(&mut input).unwrap();
        assert!(input.is_empty(), "{name}: bytes were left");
        assert_eq!(format!("{back:?}"), format!("{value:?}"));
    }
    let snapshot = serializer.snapshot();
    let stored = golden("snapshot", name).remove(0);
    assert_eq!(read_snapshot(&stored), snapshot, "{name}");
    assert_eq!(write_snapshot(&snapshot), stored, "{name}");
    assert_eq!(
        serializer.resolve_compatibility(&snapshot),
        Compatibility::AsIs,
        "{name}"
    );
}

#[test]
fn numbers_match_flink() {
    // Goal: bytes and snapshots of the fixed-width types. Method: extreme values, and ones whose bytes all differ.
    check("bool", &[true, false]);
    check("i8", &[-128i8, 127]);
    check("i16", &[i16::MIN, 258]);
    check("i32", &[i32::MIN, 0x0102_0304]);
    check("i64", &[i64::MIN, 0x0102_0304_0506_0708]);
    check("f32", &[1.5f32, -0.0, f32::INFINITY, f32::NAN]);
    check("f64", &[1.5f64, -0.0, f64::NEG_INFINITY, f64::NAN]);
}

#[test]
fn strings_and_bytes_match_flink() {
    // Goal: the variable-length encodings. Method: text of one, two, three-byte units and surrogate pairs, lengths of
    // one and two bytes, units at the borders of the groups.
    check(
        "string",
        &[
            String::new(),
            "flink".into(),
            "h\u{e9}llo \u{4e16}\u{754c} \u{1f600}".into(),
            "x".repeat(200),
            "\u{0}\u{7f}\u{80}\u{ffff}".into(),
            "\u{e9}".repeat(130),
        ],
    );
    check("bytes", &[Vec::<u8>::new(), vec![1, 255, 0]]);
}

#[test]
fn containers_match_flink() {
    // Goal: options, collections, tuples. Method: empty ones and ones with elements of several types.
    check("unit", &[()]);
    check("void_namespace", &[VoidNamespace]);
    check("java_time_window", &[TimeWindow::new(1, 2)]);
    check("java_global_window", &[GlobalWindow]);
    check("option_i64", &[None, Some(5i64)]);
    check(
        "list_string",
        &[Vec::<String>::new(), vec!["a".into(), "bc".into()]],
    );
    check(
        "map_string_i32",
        &[
            BTreeMap::new(),
            BTreeMap::from([("a".to_owned(), 1i32), ("b".to_owned(), -2)]),
        ],
    );
    check("set_i32", &[BTreeSet::from([1i32, 2])]);
    check("tuple2", &[("k".to_owned(), 9i64)]);
    check("tuple3", &[(1i32, true, vec![0.25f64])]);
}

#[derive(Clone, Debug, PartialEq, StateType)]
#[state_type(java = "com.example.Color", rename_all = "SCREAMING_SNAKE_CASE")]
enum Color {
    Red,
    Green,
    Blue,
}

#[derive(Clone, Debug, PartialEq, StateType)]
#[state_type(java = "com.example.Address")]
struct Address {
    street: Option<String>,
    zip: Option<i64>,
    main: bool,
}

#[derive(Clone, Debug, PartialEq, StateType)]
#[state_type(java = "com.example.UserInfo", rename_all = "camelCase")]
struct UserInfo {
    user_name: String,
    age: i32,
    nick_name: Option<String>,
    score: f64,
    visits: Vec<i64>,
    limits: BTreeMap<String, i32>,
    home: Option<Address>,
    color: Color,
}

#[test]
fn enums_and_structs_match_flink() {
    // Goal: derived types against Java's enum and nested POJOs. Method: null and present fields of every kind.
    check("enum", &[Color::Red, Color::Blue]);
    let ana = UserInfo {
        user_name: "Ana".into(),
        age: 7,
        nick_name: None,
        score: 0.5,
        visits: vec![1, 2],
        limits: BTreeMap::from([("a".to_owned(), 1)]),
        home: None,
        color: Color::Green,
    };
    let other = UserInfo {
        user_name: "\u{d6}".into(),
        age: -1,
        nick_name: Some("n".into()),
        score: 0.0,
        visits: Vec::new(),
        limits: BTreeMap::new(),
        home: Some(Address {
            street: Some("s".into()),
            zip: Some(12345),
            main: true,
        }),
        color: Color::Red,
    };
    check("pojo", &[ana, other]);
}

#[test]
fn padded_options_of_flink_are_read_after_migration() {
    // Goal: Flink's other way to write null. Method: values with eight bytes of padding.
    let old = read_snapshot(&golden("snapshot", "option_i64_padded").remove(0));
    assert_eq!(
        write_snapshot(&old),
        golden("snapshot", "option_i64_padded").remove(0)
    );
    let serializer = Option::<i64>::serializer();
    assert_eq!(
        serializer.resolve_compatibility(&old),
        Compatibility::AfterMigration
    );
    let values: Vec<_> = golden("value", "option_i64_padded")
        .iter()
        .map(|stored| {
            let mut input = DataInput::new(stored);
            let value = serializer.deserialize_migrating(&old, &mut input).unwrap();
            assert!(input.is_empty());
            value
        })
        .collect();
    assert_eq!(values, [None, Some(5)]);
}

#[test]
fn an_object_of_a_java_subclass_is_refused_by_name_and_can_be_skipped() {
    // Goal: what a Rust struct cannot hold is an error, not a wrong value; its snapshot is kept byte for byte. Method: a
    // registered subclass's object.
    let stored = golden("snapshot", "pojo_subclass").remove(0);
    let snapshot = read_snapshot(&stored);
    assert_eq!(write_snapshot(&snapshot), stored);
    let value = golden("value", "pojo_subclass").remove(0);
    let e = Address::serializer()
        .deserialize(&mut DataInput::new(&value))
        .unwrap_err();
    assert_eq!(
        (e.kind(), e.context("type")),
        (ErrorKind::Incompatible, Some("com.example.Address"))
    );
    let mut input = DataInput::new(&value);
    millpond_types::snapshot::skip::skip_value(&snapshot, &mut input).unwrap();
    assert!(input.is_empty());
}

#[test]
fn every_golden_value_is_skipped_exactly() {
    // Goal: skipping a removed field consumes just its bytes, and a snapshot is kept byte for byte, for types without a
    // Rust counterpart too. Method: every value that Flink wrote, by its snapshot alone.
    let mut seen = 0;
    for line in include_str!("golden/flink.txt")
        .lines()
        .filter(|l| l.starts_with("value "))
    {
        let [_, name, hex] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let stored = golden("snapshot", name).remove(0);
        let snapshot = read_snapshot(&stored);
        assert_eq!(write_snapshot(&snapshot), stored, "{name}");
        assert!(millpond_types::snapshot::skip::can_skip(&snapshot), "{name}");
        let bytes = unhex(hex);
        let mut input = DataInput::new(&bytes);
        millpond_types::snapshot::skip::skip_value(&snapshot, &mut input).unwrap();
        assert!(input.is_empty(), "{line}");
        seen += 1;
    }
    assert!(seen > 70, "{seen}");
}

#[test]
fn an_unknown_snapshot_class_is_named() {
    // Goal: a person learns which serializer is missing. Method: Kryo's snapshot, which nothing here can read.
    let kryo = "org.apache.flink.api.java.typeutils.runtime.kryo.KryoSerializerSnapshot";
    let mut out = DataOutput::new();
    out.write_utf(kryo).unwrap();
    out.write_i32(2);
    match SerializerSnapshot::read_versioned(&mut DataInput::new(out.as_slice())) {
        Err(e) => assert_eq!(
            (e.kind(), e.context("class")),
            (ErrorKind::Incompatible, Some(kryo))
        ),
        Ok(snapshot) => panic!("{snapshot}"),
    }
}
