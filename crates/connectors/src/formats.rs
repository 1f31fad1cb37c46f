//! The layouts of what sources and sinks keep in checkpoints, byte by byte: a change here breaks restores from
//! older snapshots and needs a migration.

use crate::sink::file::PendingFile;
use crate::{CollectionSplit, FileSplit, GeneratorSplit};
use millpond_types::{DataInput, DataOutput, StateType};
use std::fmt::Debug;

/// Fields in the order of their names, each behind a null flag, behind one byte of flags (Flink's `PojoSerializer`).
fn check<T: StateType + PartialEq + Debug>(value: &T, name: &str, fields: &[&[u8]]) {
    let mut expected = vec![2u8];
    for field in fields {
        expected.push(0);
        expected.extend_from_slice(field);
    }
    let serializer = T::serializer();
    let mut out = DataOutput::new();
    serializer.serialize(value, &mut out).unwrap();
    assert_eq!(out.as_slice(), expected);
    let mut input = DataInput::new(out.as_slice());
    assert_eq!(&serializer.deserialize(&mut input).unwrap(), value);
    assert!(input.is_empty());
    let snapshot = format!("{:?}", serializer.snapshot());
    let mut described = DataOutput::new();
    serializer.snapshot().write_versioned(&mut described).unwrap();
    let found = described
        .as_slice()
        .windows(name.len())
        .any(|w| w == name.as_bytes());
    assert!(found, "{name} names the type in a snapshot: {snapshot}");
}

#[test]
fn splits_and_pending_files_keep_their_layout() {
    let n = |v: i64| v.to_be_bytes();
    let generator = GeneratorSplit {
        ordinal: 1,
        next: 2,
        end: 3,
        step: 4,
    };
    check(
        &generator,
        "millpond.connectors.GeneratorSplit",
        &[&n(3), &n(2), &n(1), &n(4)],
    );

    let collection = CollectionSplit {
        next: 1,
        end: 2,
        length: 3,
    };
    check(
        &collection,
        "millpond.connectors.CollectionSplit",
        &[&n(2), &n(3), &n(1)],
    );

    // Flink's StringValue: the length plus 1, then one byte for each ASCII character.
    let file = FileSplit {
        ordinal: 1,
        path: "a/b".to_string(),
        range_start: 2,
        range_end: 3,
        file_length: 4,
        fingerprint: 5,
        position: 6,
        line: 7,
    };
    let path = b"\x04a/b";
    let fields: [&[u8]; 8] = [&n(4), &n(5), &n(7), &n(1), path, &n(6), &n(3), &n(2)];
    check(&file, "millpond.connectors.FileSplit", &fields);

    let pending = PendingFile {
        finished_name: "p".to_string(),
        length: 1,
    };
    check(&pending, "millpond.connectors.PendingFile", &[b"\x02p", &n(1)]);
}
