//! The file of unwritten entries, byte by byte and damaged, and what stays unwritten in a snapshot that is written whole after all. That
//! checkpoints hold what was there is tested by `keyed_state` and `conformance`, which leave everything unwritten in some of their
//! configurations.

use super::{ColumnUnwritten, TakenOut, Unwritten, UnwrittenFile, write_file};
use crate::backend::KeyedStateBackendParameters;
use crate::descriptor::ValueStateDescriptor;
use crate::handle::StreamStateHandle;
use crate::rocksdb::database::OwnedSnapshot;
use crate::rocksdb::in_flight::Spare;
use crate::rocksdb::options::LeaveUnwritten;
use crate::rocksdb::{RocksDBKeyedStateBackend, RocksDBOptions};
use crate::snapshot::full;
use crate::stream::StateHandleReader;
use crate::stream::memory::MemoryStreams;
use millpond_core::{ErrorKind, Result};
use millpond_types::{KeyGroupRange, StateType, VoidNamespace};
use proptest::prelude::*;

type Entries = Vec<(Vec<u8>, Option<Vec<u8>>)>;

fn kept(column: &str, entries: &Entries) -> ColumnUnwritten {
    let mut unwritten = Unwritten::default();
    for (key, value) in entries {
        let write_key = |out: &mut millpond_types::DataOutput| {
            out.write_bytes(key);
            Ok(())
        };
        match value {
            None => unwritten.delete(write_key).unwrap(),
            Some(value) => unwritten
                .put(write_key, |out| {
                    out.write_bytes(value);
                    Ok(())
                })
                .unwrap(),
        }
    }
    ColumnUnwritten::new(column, unwritten, &Spare::default())
}

/// The bytes of a file with entries of the states 0, 1, ...
fn file(states: &[Entries]) -> Option<Vec<u8>> {
    let streams = MemoryStreams::default();
    let columns: Vec<_> = states
        .iter()
        .enumerate()
        .map(|(state, entries)| kept(&state.to_string(), entries))
        .collect();
    let handle = write_file(&columns, |name| name.parse().ok(), &streams).unwrap()?;
    Some(read_all(&streams, &handle))
}

fn read_all(streams: &MemoryStreams, handle: &StreamStateHandle) -> Vec<u8> {
    streams.read_range(handle, 0..handle.size()).unwrap().to_vec()
}

fn read(bytes: &[u8]) -> Result<Vec<(usize, Entries)>> {
    let mut file = UnwrittenFile::open(bytes)?;
    let mut states = Vec::new();
    while let Some(state) = file.next_state()? {
        let mut entries = Entries::new();
        while let Some((key, value)) = file.next_entry()? {
            entries.push((key.to_vec(), value.map(<[u8]>::to_vec)));
        }
        states.push((state, entries));
    }
    Ok(states)
}

/// Goal: the layout is the documented one.
#[test]
fn the_file_is_as_documented() {
    let long = vec![7; 200];
    let states = [
        vec![(vec![1, 2], Some(vec![9, 8, 7])), (vec![3], None)],
        Vec::new(),
        vec![(vec![4], Some(Vec::new())), (vec![5], Some(long.clone()))],
    ];
    let expected = [
        b"MPRU".as_slice(),
        &[0, 1],
        // State 0, ten bytes: a value of three bytes, and nothing.
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 10],
        &[2, 1, 2, 4, 9, 8, 7, 1, 3, 0],
        // State 2: an empty value, and one of 200 bytes, 201 = 73 + 128 · 1.
        &[0, 2, 0, 0, 0, 0, 0, 0, 0, 207],
        &[1, 4, 1, 1, 5, 0x80 | 73, 1],
        &long,
    ]
    .concat();
    assert_eq!(file(&states).unwrap(), expected);
    assert_eq!(file(&[Vec::new(), Vec::new()]), None, "nothing needs no file");
}

fn entries() -> impl Strategy<Value = Entries> {
    let key = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..20),
        1 => (126..131usize).prop_map(|len| vec![1; len]),
    ];
    let value = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..20),
        1 => (125..130usize).prop_map(|len| vec![2; len]),
        1 => (16_381..16_386usize).prop_map(|len| vec![3; len]),
    ];
    prop::collection::vec((key, prop::option::of(value)), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Goal: what is written is read, lengths of one, two and three bytes included.
    #[test]
    fn what_is_written_is_read(states in prop::collection::vec(entries(), 0..4)) {
        let expected: Vec<(usize, Entries)> = states
            .iter()
            .cloned()
            .enumerate()
            .filter(|(_, entries)| !entries.is_empty())
            .collect();
        match file(&states) {
            Some(bytes) => prop_assert_eq!(read(&bytes).unwrap(), expected),
            None => prop_assert!(expected.is_empty()),
        }
    }

    /// Goal: damage is an error of kind Corrupt or changes what is read, and never more than that. Method: cut the file, or change a byte.
    #[test]
    fn damage_is_corrupt(
        states in prop::collection::vec(entries(), 1..4),
        at in any::<prop::sample::Index>(),
        change in prop::option::of(1..=255u8),
    ) {
        if let Some(mut bytes) = file(&states) {
            let whole = read(&bytes).unwrap();
            let at = at.index(bytes.len());
            match change {
                Some(change) => bytes[at] ^= change,
                None => bytes.truncate(at),
            }
            match read(&bytes) {
                Ok(read) => prop_assert_ne!(read, whole),
                Err(e) => prop_assert_eq!(e.kind(), ErrorKind::Corrupt),
            }
        }
    }
}

/// Goal: a serializer's error leaves no half of an entry behind.
#[test]
fn an_entry_that_fails_is_not_added() {
    let mut unwritten = Unwritten::default();
    let write = |out: &mut millpond_types::DataOutput| {
        out.write_u8(1);
        Ok(())
    };
    unwritten.put(write, write).unwrap();
    let before = unwritten.as_slice().to_vec();
    let failed = unwritten.put(write, |out| {
        out.write_u8(2);
        Err(millpond_core::Error::illegal_state("serialize", "test"))
    });
    assert!(failed.is_err());
    assert_eq!(unwritten.as_slice(), before);
}

fn backend(
    handles: &[crate::handle::KeyedStateHandle],
    streams: &MemoryStreams,
) -> RocksDBKeyedStateBackend<i64> {
    let parameters = KeyedStateBackendParameters::new(KeyGroupRange::new(0, 3).unwrap(), 4);
    RocksDBKeyedStateBackend::restore(parameters, &RocksDBOptions::default(), handles, streams).unwrap()
}

fn values(backend: &mut RocksDBKeyedStateBackend<i64>) -> crate::keyed::ValueState<i64> {
    let descriptor = ValueStateDescriptor::new("v");
    backend
        .value_state(descriptor, VoidNamespace::serializer(), VoidNamespace)
        .unwrap()
}

/// Goal: a checkpoint whose links were overtaken, and which is written whole therefore, holds what stayed unwritten. Method: write the
/// canonical format from a moment of the database and what was taken out: values over stored ones, new ones, deletions.
#[test]
fn what_is_unwritten_lies_over_the_database() {
    let streams = MemoryStreams::default();
    let mut written = backend(&[], &streams);
    let state = values(&mut written);
    let key = |backend: &RocksDBKeyedStateBackend<i64>, key| {
        backend.key_context().set_current_key(key).unwrap();
    };
    for number in 0..20 {
        key(&written, number);
        state.update(number).unwrap();
    }
    assert_eq!(written.num_entries(), 20, "and all of them are written");
    for number in (0..30).step_by(2) {
        key(&written, number);
        match number % 3 {
            0 => state.clear().unwrap(),
            _ => state.update(-number).unwrap(),
        }
    }
    let mut taken = TakenOut::new(LeaveUnwritten::Everything);
    written.freeze(&mut taken).unwrap();
    written.database.hold(taken.held).landed();
    let snapshot = OwnedSnapshot::new(&written.database);
    let source = written.source().unwrap().at(snapshot, &taken.unwritten).unwrap();
    let handle = full::write(&source, &streams, false).unwrap().handle.unwrap();
    let mut restored = backend(&[handle], &streams);
    let restored_state = values(&mut restored);
    for number in 0..30 {
        key(&written, number);
        key(&restored, number);
        let expected = match (number % 2, number % 3) {
            (0, 0) => None,
            (0, _) => Some(-number),
            _ => (number < 20).then_some(number),
        };
        assert_eq!(state.get().unwrap(), expected, "key {number}");
        assert_eq!(restored_state.get().unwrap(), expected, "key {number} restored");
    }
}
