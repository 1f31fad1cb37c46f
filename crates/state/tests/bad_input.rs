//! What a person gets wrong: each error names the thing and says what to change. Options out of range, a cache larger than the
//! managed memory and a local folder that can't be used are in `rocksdb/`, a time to live on broadcast state in `ttl/restore.rs`,
//! `_metadata` of a newer Flink and unknown serializers beside their readers.
#![expect(clippy::unwrap_used, reason = "test code")]

use millpond_core::{Error, ErrorKind};
use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond_state::descriptor::{
    ListStateDescriptor, MapStateDescriptor, ReducingStateDescriptor, ValueStateDescriptor,
};
use millpond_state::handle::{KeyedStateHandle, StreamStateHandle};
use millpond_state::operator_state::OperatorStateBackend;
use millpond_state::snapshot::SnapshotKind;
use millpond_state::stream::StateHandleReader;
use millpond_state::stream::memory::MemoryStreams;
use millpond_types::{KeyGroupRange, StateType, VoidNamespace};

fn parameters() -> KeyedStateBackendParameters<i64> {
    KeyedStateBackendParameters::new(KeyGroupRange::new(0, 127).unwrap(), 128)
}

/// Puts another version in front of a stored stream, as a newer Flink would.
fn raise_version(streams: &MemoryStreams, stream: &StreamStateHandle) {
    let mut bytes = streams.read_range(stream, 0..stream.size()).unwrap().to_vec();
    assert_eq!(bytes.get(..4), Some(&6i32.to_be_bytes()[..]));
    bytes.splice(..4, 7i32.to_be_bytes());
    streams.replace(stream, bytes);
}

#[track_caller]
fn check_newer(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    let report = error.report().to_string();
    assert!(
        report.contains("a newer Flink wrote it") && report.contains("version=7"),
        "{report}"
    );
    assert!(report.contains("take a canonical savepoint"), "{report}");
}

/// Goal: a savepoint of a Flink that is newer than what is known is not taken for a damaged one. Method: the version in front of a keyed
/// and of an operator stream, raised by one.
#[test]
fn state_of_a_newer_flink_is_refused_as_such() {
    let streams = MemoryStreams::default();
    let mut backend = KeyedStateBackend::hashmap(parameters(), &[], &streams).unwrap();
    let value = backend.value_state(
        ValueStateDescriptor::<i64>::new("value"),
        VoidNamespace::serializer(),
        VoidNamespace,
    );
    backend.set_current_key(1).unwrap();
    value.unwrap().update(1).unwrap();
    let snapshot = backend.snapshot(1, SnapshotKind::Savepoint).unwrap();
    let Some(KeyedStateHandle::KeyGroups(handle)) = snapshot.run(&streams).unwrap().handle else {
        panic!("a canonical snapshot");
    };
    raise_version(&streams, &handle.stream);
    let handles = [KeyedStateHandle::KeyGroups(handle)];
    check_newer(
        &KeyedStateBackend::hashmap(parameters(), &handles, &streams)
            .err()
            .unwrap(),
    );

    let mut backend = OperatorStateBackend::new();
    let list = backend
        .list_state(&ListStateDescriptor::<i64>::new("list"))
        .unwrap();
    list.add(1).unwrap();
    let handle = backend.snapshot().write(&streams).unwrap().unwrap();
    raise_version(&streams, &handle.stream);
    check_newer(&OperatorStateBackend::restore(&[handle], &streams).err().unwrap());
}

/// Goal: a name that two states share is named, with what is open and what was wanted. Method: one state, then others of its name, of each
/// kind and of another type.
#[test]
fn a_state_registered_twice_with_other_types_is_refused() {
    let streams = MemoryStreams::default();
    let mut backend = KeyedStateBackend::hashmap(parameters(), &[], &streams).unwrap();
    let descriptor = ValueStateDescriptor::<i64>::new("visits");
    backend
        .value_state(descriptor.clone(), VoidNamespace::serializer(), VoidNamespace)
        .unwrap();
    backend
        .value_state(descriptor.clone(), VoidNamespace::serializer(), VoidNamespace)
        .unwrap();
    let text = ValueStateDescriptor::<String>::new("visits");
    let list = ListStateDescriptor::<i64>::new("visits");
    let map = MapStateDescriptor::<i64, i64>::new("visits");
    let sum = ReducingStateDescriptor::<i64, _>::new("visits", |sum: &mut i64, n| *sum += n);
    let errors = [
        (
            "StringSerializer",
            backend
                .value_state(text, VoidNamespace::serializer(), VoidNamespace)
                .err(),
        ),
        (
            "LIST",
            backend
                .list_state(list, VoidNamespace::serializer(), VoidNamespace)
                .err(),
        ),
        (
            "MAP",
            backend
                .map_state(map, VoidNamespace::serializer(), VoidNamespace)
                .err(),
        ),
        (
            "REDUCING",
            backend
                .reducing_state(sum, VoidNamespace::serializer(), VoidNamespace)
                .err(),
        ),
    ];
    for (wanted, error) in errors {
        let error = error.unwrap();
        assert_eq!(
            (error.kind(), error.context("state")),
            (ErrorKind::Config, Some("visits"))
        );
        let (is, should) = (error.context("open").unwrap(), error.context("wanted").unwrap());
        assert!(is.contains("VALUE") && is.contains("LongSerializer"), "{is}");
        assert!(should.contains(wanted), "{wanted} is not in {should}");
        assert!(error.report().to_string().contains("another name"), "{error}");
    }
}
