//! Properties that hold for every serializer: values survive, bytes from outside never harm, wider types read narrower
//! ones.
#![expect(clippy::unwrap_used, reason = "test code")]

use millpond_core::hash::{HashMap, HashSet};
use millpond_types::serializer::SerializerRegistry;
use millpond_types::serializer::string::read_nullable_string;
use millpond_types::snapshot::skip;
use millpond_types::{
    Compatibility, DataInput, DataOutput, SerdeSerializer, SerializerSnapshot, SharedSerializer, StateType,
    VoidNamespace,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OnlySerde {
    id: u128,
    parts: Vec<(char, Option<String>)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, StateType)]
enum Color {
    Red,
    Green,
}

#[derive(Clone, Debug, PartialEq, StateType)]
enum Shape {
    Point,
    Circle(i32),
    Named { name: String, color: Option<Color> },
}

#[derive(Clone, Debug, PartialEq, StateType)]
struct Everything {
    flag: bool,
    small: i8,
    number: i64,
    text: String,
    blob: Vec<u8>,
    maybe: Option<String>,
    twice: Option<Option<i16>>,
    pair: (i32, String),
    list: Vec<Vec<i32>>,
    map: HashMap<String, Option<i64>>,
    set: HashSet<i32>,
    shapes: Vec<Shape>,
    nothing: (),
    unsigned: (u16, u32, u64),
    #[state_type(serde)]
    foreign: OnlySerde,
}

fn color() -> impl Strategy<Value = Color> {
    prop_oneof![Just(Color::Red), Just(Color::Green)]
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Point),
        any::<i32>().prop_map(Shape::Circle),
        (any::<String>(), prop::option::of(color())).prop_map(|(name, color)| Shape::Named { name, color }),
    ]
}

fn only_serde() -> impl Strategy<Value = OnlySerde> {
    (
        any::<u128>(),
        prop::collection::vec(any::<(char, Option<String>)>(), 0..4),
    )
        .prop_map(|(id, parts)| OnlySerde { id, parts })
}

prop_compose! {
    fn everything()(
        (flag, small, number, text, blob, maybe, twice) in any::<(bool, i8, i64, String, Vec<u8>, Option<String>, Option<Option<i16>>)>(),
        (pair, list, unsigned) in any::<((i32, String), Vec<Vec<i32>>, (u16, u32, u64))>(),
        map in prop::collection::btree_map(any::<String>(), any::<Option<i64>>(), 0..8),
        set in prop::collection::btree_set(any::<i32>(), 0..8),
        shapes in prop::collection::vec(shape(), 0..4),
        foreign in only_serde(),
    ) -> Everything {
        Everything {
            flag, small, number, text, blob, maybe, twice, pair, list, shapes, unsigned, foreign,
            map: map.into_iter().collect(), set: set.into_iter().collect(), nothing: (),
        }
    }
}

fn bytes<T: 'static>(serializer: &SharedSerializer<T>, value: &T) -> Vec<u8> {
    let mut out = DataOutput::new();
    serializer.serialize(value, &mut out).unwrap();
    out.into_vec()
}

/// Written between other bytes, the value comes back equal and takes just its own bytes; skipping takes as many; its
/// snapshot comes back equal and says that nothing changed.
fn round_trip<T: PartialEq + Debug + 'static>(serializer: &SharedSerializer<T>, value: &T) {
    let mut stored = bytes(serializer, value);
    let len = stored.len();
    assert!(len > 0, "a value without bytes");
    stored.extend([0xab; 9]);
    let mut input = DataInput::new(&stored);
    assert_eq!(&serializer.deserialize(&mut input).unwrap(), value);
    assert_eq!(input.position(), len);

    let snapshot = serializer.snapshot();
    let mut out = DataOutput::new();
    snapshot.write_versioned(&mut out).unwrap();
    let read = SerializerSnapshot::read_versioned(&mut DataInput::new(out.as_slice())).unwrap();
    assert_eq!(read, snapshot);
    assert_eq!(serializer.resolve_compatibility(&read), Compatibility::AsIs);

    let mut input = DataInput::new(&stored);
    skip::skip_value(&read, &mut input).unwrap();
    assert_eq!(input.position(), len, "skipped");
}

fn round_trip_of<T: StateType + PartialEq + Debug>(value: &T) {
    round_trip(&T::serializer(), value);
}

/// Every prefix and the whole of `stored`, damaged or not, gives a value or an error.
fn harmless<T: StateType>(stored: &[u8]) {
    let serializer = T::serializer();
    let _ = serializer.deserialize(&mut DataInput::new(stored));
    let _ = skip::skip_value(&serializer.snapshot(), &mut DataInput::new(stored));
}

proptest! {
    /// Goal: nothing is lost. Method: random values of every type, alone and inside others.
    #[test]
    fn values_survive(
        value in everything(), text in any::<String>(), name in "[a-zA-Z0-9]{0,200}",
        tuple in any::<(i8, i16, i32, i64, bool, String, u16, u32)>(),
        tree in prop::collection::btree_map(any::<i64>(), prop::collection::btree_set(any::<String>(), 0..4), 0..8), bits in any::<(u32, u64)>(),
    ) {
        round_trip_of(&value);
        round_trip_of(&value.foreign.parts.len().to_string());
        round_trip_of(&Some(vec![std::sync::Arc::new(value.clone())]));
        round_trip_of(&Box::new(text.clone()));
        round_trip_of(&text);
        round_trip_of(&name);
        round_trip_of(&tuple);
        round_trip_of(&tree);
        round_trip_of(&vec![(); text.len()]);
        round_trip_of(&VoidNamespace);
        round_trip(&SerdeSerializer::<OnlySerde>::shared(), &value.foreign);
        // Floats keep their bits, NaN's too.
        let (f, d) = (f32::from_bits(bits.0), f64::from_bits(bits.1));
        prop_assert_eq!(bytes(&f32::serializer(), &f), bits.0.to_be_bytes());
        let back = f64::serializer().deserialize(&mut DataInput::new(&bytes(&f64::serializer(), &d))).unwrap();
        prop_assert_eq!(back.to_bits(), bits.1);
    }

    /// Goal: bytes from outside never panic and never allocate more than they are worth. Method: arbitrary bytes to every
    /// kind of deserializer; counts of up to 2^31 come up often, so a believed one would end the test by memory.
    #[test]
    fn arbitrary_bytes_are_harmless(mut stored in prop::collection::vec(any::<u8>(), 0..200), big in any::<bool>()) {
        if big && let Some(head) = stored.first_chunk_mut() {
            *head = [0x7f, 0xff, 0xff, 0xff];
        }
        harmless::<String>(&stored);
        harmless::<Vec<u8>>(&stored);
        harmless::<Vec<()>>(&stored);
        harmless::<Vec<(i64, i64, i64, i64)>>(&stored);
        harmless::<HashMap<String, Vec<i64>>>(&stored);
        harmless::<BTreeSet<String>>(&stored);
        harmless::<Option<Shape>>(&stored);
        harmless::<Everything>(&stored);
        let _ = SerdeSerializer::<OnlySerde>::shared().deserialize(&mut DataInput::new(&stored));
        let _ = read_nullable_string(&mut DataInput::new(&stored));
        let _ = DataInput::new(&stored).read_utf();
        let _ = SerializerSnapshot::read_versioned(&mut DataInput::new(&stored));
    }

    /// Goal: a damaged value or snapshot is an error or another value, never a panic. Method: flip one byte of, or cut,
    /// what was written; a snapshot that still reads is written again and used to migrate.
    #[test]
    fn damage_is_harmless(value in everything(), at in any::<prop::sample::Index>(), flip in 1..=255u8, cut in any::<bool>()) {
        let serializer = Everything::serializer();
        let damage = |mut stored: Vec<u8>| {
            let at = at.index(stored.len());
            if cut { stored.truncate(at) } else { stored[at] ^= flip }
            stored
        };
        let stored = bytes(&serializer, &value);
        harmless::<Everything>(&damage(stored.clone()));

        let mut out = DataOutput::new();
        serializer.snapshot().write_versioned(&mut out).unwrap();
        let snapshot = damage(out.into_vec());
        if let Ok(old) = SerializerSnapshot::read_versioned(&mut DataInput::new(&snapshot)) {
            let mut again = DataOutput::new();
            old.write_versioned(&mut again).unwrap();
            let _ = serializer.resolve_compatibility(&old);
            let _ = serializer.deserialize_migrating(&old, &mut DataInput::new(&stored));
            let _ = skip::skip_value(&old, &mut DataInput::new(&stored));
        }
    }

    /// Goal: what a narrower or stricter type wrote is read by the wider one, inside every container. Method: random values
    /// through the migration of tuple, list, map, set and option at once.
    #[test]
    fn wider_types_read_narrower_ones(value in any::<(i8, Vec<i16>, BTreeMap<i32, f32>, BTreeSet<i8>, Option<i32>, u16)>()) {
        type Old = (i8, Vec<i16>, BTreeMap<i32, f32>, BTreeSet<i8>, Option<i32>, u16);
        type New = (i64, Vec<i32>, BTreeMap<i64, f64>, BTreeSet<i16>, Option<i64>, Option<u64>);
        let (old, new) = (Old::serializer(), New::serializer());
        prop_assert_eq!(new.resolve_compatibility(&old.snapshot()), Compatibility::AfterMigration);
        let stored = bytes(&old, &value);
        let mut input = DataInput::new(&stored);
        let read = new.deserialize_migrating(&old.snapshot(), &mut input).unwrap();
        prop_assert!(input.is_empty());
        let (a, b, c, d, e, f) = value;
        let want: New = (
            i64::from(a), b.into_iter().map(i32::from).collect(),
            c.into_iter().map(|(k, v)| (i64::from(k), f64::from(v))).collect(),
            d.into_iter().map(i16::from).collect(), e.map(i64::from), Some(u64::from(f)),
        );
        prop_assert_eq!(format!("{read:?}"), format!("{want:?}"));
    }
}

#[test]
fn a_narrower_type_refuses_what_a_wider_one_wrote() {
    // Goal: no value is cut off. Method: every way back of the widenings, and other types.
    let refuses = |answer: Compatibility| matches!(answer, Compatibility::Incompatible(_));
    assert!(refuses(
        i32::serializer().resolve_compatibility(&i64::serializer().snapshot())
    ));
    assert!(refuses(
        f32::serializer().resolve_compatibility(&f64::serializer().snapshot())
    ));
    assert!(refuses(
        i64::serializer().resolve_compatibility(&u32::serializer().snapshot())
    ));
    assert!(refuses(
        i64::serializer().resolve_compatibility(&Option::<i64>::serializer().snapshot())
    ));
    assert!(refuses(
        Vec::<u8>::serializer().resolve_compatibility(&Vec::<i8>::serializer().snapshot())
    ));
    assert!(refuses(
        <(i32, i32)>::serializer().resolve_compatibility(&<(i32, i32, i32)>::serializer().snapshot())
    ));
    let answer =
        Vec::<(i64, String)>::serializer().resolve_compatibility(&Vec::<(i64, i64)>::serializer().snapshot());
    let Compatibility::Incompatible(reason) = answer else {
        unreachable!()
    };
    assert_eq!(
        reason,
        "list element: tuple field f1: stored as LongSerializer, wanted as String"
    );
}

#[test]
fn a_registered_serializer_comes_before_the_types_own() {
    // Goal: a job chooses how its types are stored. Method: String by serde, told apart by its snapshot.
    let mut registry = SerializerRegistry::default();
    let plain = registry.get_or_default::<String>().snapshot();
    assert_eq!(plain, String::serializer().snapshot());
    registry.register_serde::<String>();
    let serde = registry.get_or_default::<String>().snapshot();
    assert_eq!(serde.class_name, "millpond:serde/alloc::string::String");
    assert_eq!(
        registry.get_or_default::<i64>().snapshot(),
        i64::serializer().snapshot()
    );
    assert!(format!("{registry:?}").contains("String"));
}

#[test]
fn serde_in_another_version_is_refused() {
    // Goal: postcard's bytes are never read under other fields. Method: the same type in version 2, and by another name.
    let old = SerdeSerializer::<OnlySerde>::named("only").version(1);
    let new = SerdeSerializer::<OnlySerde>::named("only").version(2);
    let other = SerdeSerializer::<OnlySerde>::named("other");
    use millpond_types::TypeSerializer as _;
    assert_eq!(old.resolve_compatibility(&old.snapshot()), Compatibility::AsIs);
    for changed in [
        new.resolve_compatibility(&old.snapshot()),
        other.resolve_compatibility(&old.snapshot()),
    ] {
        assert!(
            matches!(&changed, Compatibility::Incompatible(reason) if reason.contains("only")),
            "{changed:?}"
        );
    }
}

#[test]
fn a_java_string_with_half_a_surrogate_pair_is_refused() {
    // Goal: text that Rust cannot hold isn't mangled. Method: the unit D800 alone, as Flink would write it.
    let e = String::serializer()
        .deserialize(&mut DataInput::new(&[2, 0x80, 0xb0, 0x03]))
        .unwrap_err();
    assert_eq!(e.kind(), millpond_types::ErrorKind::Incompatible, "{e}");
    let null = String::serializer()
        .deserialize(&mut DataInput::new(&[0]))
        .unwrap_err();
    assert!(null.to_string().contains("null"), "{null}");
}
