//! Structs under random changes: whatever fields a stored object had, in whatever order, the struct of today reads it.
#![expect(clippy::unwrap_used, reason = "test code")]

use millpond_types::serializer::pojo;
use millpond_types::{Compatibility, DataInput, DataOutput, SerializerSnapshot, StateType};
use proptest::prelude::*;

#[derive(Clone, Debug, Default, PartialEq, StateType)]
#[state_type(name = "today")]
struct Today {
    id: i64,
    label: Option<String>,
    points: Vec<i32>,
    #[state_type(default = "three")]
    weight: i16,
}

fn three() -> i16 {
    3
}

/// A field that some former version of the struct had.
#[derive(Clone, Debug)]
enum Stored {
    IdNarrow(i32),
    Id(i64),
    Label(Option<String>),
    PointsNarrow(Vec<i8>),
    Weight(i16),
    GonePairs(Vec<(String, Option<i64>)>),
    GoneFlag(bool),
}

impl Stored {
    fn name(&self) -> &'static str {
        match self {
            Stored::IdNarrow(_) | Stored::Id(_) => "id",
            Stored::Label(_) => "label",
            Stored::PointsNarrow(_) => "points",
            Stored::Weight(_) => "weight",
            Stored::GonePairs(_) => "pairs",
            Stored::GoneFlag(_) => "flag",
        }
    }

    /// Writes null flag and value, and says what today's struct makes of it.
    fn write(&self, out: &mut DataOutput, want: &mut Today) -> SerializerSnapshot {
        fn put<T: StateType>(value: Option<&T>, out: &mut DataOutput) -> SerializerSnapshot {
            let serializer = T::serializer();
            out.write_bool(value.is_none());
            if let Some(value) = value {
                serializer.serialize(value, out).unwrap();
            }
            serializer.snapshot()
        }
        match self {
            Stored::IdNarrow(v) => {
                want.id = i64::from(*v);
                put(Some(v), out)
            }
            Stored::Id(v) => {
                want.id = *v;
                put(Some(v), out)
            }
            Stored::Label(v) => {
                want.label.clone_from(v);
                put(v.as_ref(), out)
            }
            Stored::PointsNarrow(v) => {
                want.points = v.iter().copied().map(i32::from).collect();
                put(Some(v), out)
            }
            Stored::Weight(v) => {
                want.weight = *v;
                put(Some(v), out)
            }
            Stored::GonePairs(v) => put(Some(v), out),
            Stored::GoneFlag(v) => put(Some(v), out),
        }
    }
}

fn stored_fields() -> impl Strategy<Value = Vec<Stored>> {
    let id = prop_oneof![
        any::<i32>().prop_map(Stored::IdNarrow),
        any::<i64>().prop_map(Stored::Id)
    ];
    let pairs = prop::collection::vec(any::<(String, Option<i64>)>(), 0..4).prop_map(Stored::GonePairs);
    let points = prop::collection::vec(any::<i8>(), 0..9).prop_map(Stored::PointsNarrow);
    (
        prop::option::of(id),
        prop::option::of(any::<Option<String>>().prop_map(Stored::Label)),
        prop::option::of(points),
        prop::option::of(any::<i16>().prop_map(Stored::Weight)),
        prop::option::of(pairs),
        prop::option::of(any::<bool>().prop_map(Stored::GoneFlag)),
    )
        .prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f].into_iter().flatten().collect::<Vec<_>>())
        .prop_shuffle()
}

proptest! {
    /// Goal: fields may come, go, widen and change places, all at once. Method: a random set of former fields in random
    /// order is written by hand; the struct must take over what it still has and fill in the rest. The stored snapshot
    /// goes through its bytes, and what follows the object must be left alone.
    #[test]
    fn any_former_struct_is_read(fields in stored_fields()) {
        let mut want = Today { weight: 3, ..Today::default() };
        let mut out = DataOutput::new();
        pojo::write_flags(&mut out);
        let snapshots = fields.iter().map(|f| (f.name(), f.write(&mut out, &mut want))).collect();
        let len = out.len();
        out.write_bytes(&[0xee; 3]);

        let mut stored = DataOutput::new();
        pojo::snapshot("today", snapshots).write_versioned(&mut stored).unwrap();
        let old = SerializerSnapshot::read_versioned(&mut DataInput::new(stored.as_slice())).unwrap();
        let serializer = Today::serializer();
        let mut input = DataInput::new(out.as_slice());
        let found = match serializer.resolve_compatibility(&old) {
            Compatibility::AsIs => serializer.deserialize(&mut input).unwrap(),
            Compatibility::AfterMigration => serializer.deserialize_migrating(&old, &mut input).unwrap(),
            Compatibility::Incompatible(reason) => return Err(TestCaseError::fail(reason)),
        };
        prop_assert_eq!(found, want);
        prop_assert_eq!(input.position(), len);
    }
}
