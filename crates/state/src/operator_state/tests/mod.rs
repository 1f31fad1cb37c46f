//! Operator state through snapshots, restores, rescaling, other types and damaged streams.

mod flink;
mod model;

use super::*;
use crate::descriptor::{ListStateDescriptor, MapStateDescriptor};
use crate::handle::{OperatorStateHandle, OperatorStateMode, StreamStateHandle};
use crate::redistribute::redistribute_operator_state;
use crate::stream::StateHandleReader;
use crate::stream::memory::MemoryStreams;
use millpond_core::host::SeededRandom;
use millpond_core::{Error, ErrorKind, Result};
use millpond_types::{
    Compatibility, DataInput, DataOutput, SerializerSnapshot, SharedSerializer, StateType, TypeSerializer,
};
use std::io::Read;
use std::sync::Arc;

/// Numbers in a format that only this serializer knows: how many bytes, then as many as the number needs. Version 2 writes
/// them from the other end, and reads version 1 by migration.
#[derive(Debug)]
struct Short(i32);

impl TypeSerializer<u64> for Short {
    fn serialize(&self, value: &u64, out: &mut DataOutput) -> Result<()> {
        let bytes = value.to_le_bytes();
        let len = 8 - value.leading_zeros() as usize / 8;
        out.write_u8(len as u8);
        let used = bytes.iter().take(len).copied();
        let used: Vec<u8> = if self.0 == 1 {
            used.collect()
        } else {
            used.rev().collect()
        };
        out.write_bytes(&used);
        Ok(())
    }
    fn deserialize(&self, input: &mut DataInput<'_>) -> Result<u64> {
        let len = usize::from(input.read_u8()?);
        let mut bytes = input.read_bytes(len)?.to_vec();
        if self.0 == 2 {
            bytes.reverse();
        }
        if len > 8 {
            return Err(Error::corrupt("read short", "too long"));
        }
        Ok(bytes.iter().rev().fold(0, |n, b| (n << 8) | u64::from(*b)))
    }
    fn snapshot(&self) -> SerializerSnapshot {
        SerializerSnapshot::own("test-short", self.0, Vec::new(), Vec::new())
    }
    fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
        match (&*old.class_name, old.version) {
            ("millpond:test-short", v) if v == self.0 => Compatibility::AsIs,
            ("millpond:test-short", 1) => Compatibility::AfterMigration,
            _ => Compatibility::Incompatible(format!("{old} is no short number")),
        }
    }
    fn deserialize_migrating(&self, _old: &SerializerSnapshot, input: &mut DataInput<'_>) -> Result<u64> {
        Short(1).deserialize(input)
    }
}

fn short(version: i32) -> SharedSerializer<u64> {
    Arc::new(Short(version))
}

fn write(backend: &OperatorStateBackend, streams: &MemoryStreams) -> OperatorStateHandle {
    backend.snapshot().write(streams).unwrap().unwrap()
}

fn bytes_of(handle: &StreamStateHandle, streams: &MemoryStreams) -> Vec<u8> {
    let mut bytes = Vec::new();
    streams.open(handle).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn names() -> ListStateDescriptor<String> {
    ListStateDescriptor::new("names")
}

fn rules() -> MapStateDescriptor<String, i64> {
    MapStateDescriptor::new("rules")
}

/// A backend with something in each kind of state.
fn filled() -> OperatorStateBackend {
    let mut backend = OperatorStateBackend::new();
    let permit = BroadcastWritePermit::for_broadcast_element();
    let list = backend.list_state(&names()).unwrap();
    list.add_all(["a".to_string(), "bc".to_string()]).unwrap();
    let union = ListStateDescriptor::with_serializer("seen", short(1));
    backend
        .union_list_state(&union)
        .unwrap()
        .update(vec![7, 70_000])
        .unwrap();
    backend
        .broadcast_state(&rules())
        .unwrap()
        .put(&permit, "r".to_string(), 5)
        .unwrap();
    backend
}

/// Goal: the stream is Flink's, byte for byte. Method: written by hand from `OperatorBackendSerializationProxy`,
/// `StateMetaInfoSnapshotReadersWriters`, `PartitionableListState` and `HeapBroadcastState`.
#[test]
fn the_stream_is_laid_out_as_flinks() {
    let mut backend = OperatorStateBackend::new();
    let permit = BroadcastWritePermit::for_broadcast_element();
    let list = backend.list_state(&ListStateDescriptor::<i32>::new("l")).unwrap();
    list.add_all([1, 2]).unwrap();
    let map = backend
        .broadcast_state(&MapStateDescriptor::<i32, i64>::new("b"))
        .unwrap();
    map.put(&permit, 3, 4).unwrap();
    let streams = MemoryStreams::default();
    let handle = write(&backend, &streams);

    let mut wanted = DataOutput::new();
    let serializer = |out: &mut DataOutput, role: &str, class: &str| {
        out.write_utf(role).unwrap();
        out.write_i32(2);
        let class = format!("org.apache.flink.api.common.typeutils.base.{class}");
        out.write_utf(&class).unwrap();
        out.write_i32(3);
    };
    let head = |out: &mut DataOutput, name: &str, ordinal: i32, mode: &str, serializers: i32| {
        out.write_utf(name).unwrap();
        out.write_i32(ordinal);
        out.write_i32(1);
        out.write_utf("OPERATOR_STATE_DISTRIBUTION_MODE").unwrap();
        out.write_utf(mode).unwrap();
        out.write_i32(serializers);
    };
    wanted.write_i32(6);
    wanted.write_bool(false);
    wanted.write_u16(1);
    head(&mut wanted, "l", 1, "SPLIT_DISTRIBUTE", 1);
    serializer(
        &mut wanted,
        "VALUE_SERIALIZER",
        "IntSerializer$IntSerializerSnapshot",
    );
    wanted.write_u16(1);
    head(&mut wanted, "b", 2, "BROADCAST", 2);
    serializer(
        &mut wanted,
        "VALUE_SERIALIZER",
        "LongSerializer$LongSerializerSnapshot",
    );
    serializer(
        &mut wanted,
        "KEY_SERIALIZER",
        "IntSerializer$IntSerializerSnapshot",
    );
    let first = wanted.len() as u64;
    [1, 2, 1, 3].into_iter().for_each(|n| wanted.write_i32(n));
    wanted.write_i64(4);

    assert_eq!(bytes_of(&handle.stream, &streams), wanted.as_slice());
    assert_eq!(handle.states["l"].offsets, [first, first + 4]);
    assert_eq!(handle.states["l"].mode, OperatorStateMode::SplitDistribute);
    assert_eq!(handle.states["b"].offsets, [first + 8]);
    assert_eq!(handle.states["b"].mode, OperatorStateMode::Broadcast);
}

/// Goal: nothing to say, nothing written. Method: a backend without states.
#[test]
fn without_states_there_is_no_handle() {
    let streams = MemoryStreams::default();
    assert_eq!(
        OperatorStateBackend::new().snapshot().write(&streams).unwrap(),
        None
    );
    assert_eq!(streams.file_count(), 0);
}

/// Goal: a state that nobody opens is the same after any number of restores. Method: restore and snapshot three times without
/// opening; the streams must be equal.
#[test]
fn unopened_states_are_carried_through_unchanged() {
    let streams = MemoryStreams::default();
    let first = write(&filled(), &streams);
    let mut handle = first.clone();
    for _ in 0..3 {
        let backend = OperatorStateBackend::restore(&[handle], &streams).unwrap();
        assert_eq!(
            backend.unopened_state_names().collect::<Vec<_>>(),
            ["names", "rules", "seen"]
        );
        handle = write(&backend, &streams);
        assert_eq!(
            bytes_of(&handle.stream, &streams),
            bytes_of(&first.stream, &streams)
        );
        assert_eq!(handle.states, first.states);
    }
}

/// Goal: an element that is carried through does not drag along what other instances took. Method: split a list of a known format
/// over four instances without opening it, and look at how much each writes.
#[test]
fn a_carried_element_is_cut_to_its_own_length() {
    let streams = MemoryStreams::default();
    let mut backend = OperatorStateBackend::new();
    let list = backend.list_state(&names()).unwrap();
    list.update((0..400).map(|n| format!("element {n}")).collect())
        .unwrap();
    let whole = write(&backend, &streams);
    for handles in redistribute_operator_state(&[vec![whole.clone()]], 4) {
        let part = write(
            &OperatorStateBackend::restore(&handles, &streams).unwrap(),
            &streams,
        );
        assert_eq!(part.states["names"].offsets.len(), 100);
        assert!(
            part.stream.size() < whole.stream.size() / 3,
            "{}",
            part.stream.size()
        );
    }
}

/// Goal: a format's next version reads what the last one wrote. Method: write with version 1, open with version 2, and again.
#[test]
fn elements_are_migrated_when_their_state_is_opened() {
    let streams = MemoryStreams::default();
    let mut handle = write(&filled(), &streams);
    for _ in 0..2 {
        let mut backend = OperatorStateBackend::restore(&[handle], &streams).unwrap();
        let list = ListStateDescriptor::with_serializer("seen", short(2));
        assert_eq!(
            backend.union_list_state(&list).unwrap().get().unwrap(),
            [7, 70_000]
        );
        handle = write(&backend, &streams);
    }
}

/// Goal: what doesn't fit is refused, and the error names state and types. Method: open states as another type and another kind,
/// restored and open.
#[test]
fn another_type_or_kind_is_refused_by_name() {
    let streams = MemoryStreams::default();
    let handle = write(&filled(), &streams);
    let restored = || OperatorStateBackend::restore(std::slice::from_ref(&handle), &streams).unwrap();
    let check = |e: Error, kind: ErrorKind, state: &str| {
        assert_eq!(e.kind(), kind, "{e}");
        assert_eq!(e.context("state"), Some(state), "{e}");
        assert!(e.to_string().contains('('), "says what to do: {e}");
    };
    let e = restored()
        .list_state(&ListStateDescriptor::<i64>::new("names"))
        .unwrap_err();
    assert_eq!(
        e.context("stored"),
        Some(&*String::serializer().snapshot().to_string())
    );
    check(e, ErrorKind::Incompatible, "names");
    check(
        restored().union_list_state(&names()).unwrap_err(),
        ErrorKind::Incompatible,
        "names",
    );
    let map = MapStateDescriptor::<String, i64>::new("names");
    check(
        restored().broadcast_state(&map).unwrap_err(),
        ErrorKind::Incompatible,
        "names",
    );
    let map = MapStateDescriptor::<String, String>::new("rules");
    check(
        restored().broadcast_state(&map).unwrap_err(),
        ErrorKind::Incompatible,
        "rules",
    );

    let mut open = filled();
    let again = open.list_state(&names()).unwrap();
    again.add("d".to_string()).unwrap();
    assert_eq!(
        open.list_state(&names()).unwrap().get().unwrap(),
        ["a", "bc", "d"]
    );
    let e = open
        .list_state(&ListStateDescriptor::<i64>::new("names"))
        .unwrap_err();
    check(e, ErrorKind::IllegalState, "names");
    check(
        open.union_list_state(&names()).unwrap_err(),
        ErrorKind::IllegalState,
        "names",
    );
}

/// Goal: a failed opening changes nothing. Method: refuse once, then open rightly.
#[test]
fn a_refused_opening_leaves_the_restored_state_intact() {
    let streams = MemoryStreams::default();
    let handle = write(&filled(), &streams);
    let mut backend = OperatorStateBackend::restore(&[handle], &streams).unwrap();
    backend
        .list_state(&ListStateDescriptor::<i64>::new("names"))
        .unwrap_err();
    assert_eq!(backend.list_state(&names()).unwrap().get().unwrap(), ["a", "bc"]);
}

/// Goal: an unopened handle is an error with a next step. Method: use two.
#[test]
fn unopened_handles_say_so() {
    let e = OperatorListState::<i64>::default().add(1).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::IllegalState);
    let e = BroadcastState::<i64, i64>::default().get(&1).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::IllegalState);
}

/// Goal: the descriptor can ask for what the job registered. Method: with and without a registry.
#[test]
fn registered_serializers_are_found() {
    let descriptor = ListStateDescriptor::<u64>::registered("numbers");
    let e = OperatorStateBackend::new().list_state(&descriptor).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Config);
    let mut registry = millpond_types::SerializerRegistry::default();
    registry.register::<u64>(short(1));
    let mut backend = OperatorStateBackend::new().with_serializers(Arc::new(registry));
    backend.list_state(&descriptor).unwrap().add(1).unwrap();
}

fn open_all(backend: &mut OperatorStateBackend) -> Result<()> {
    backend.list_state(&names())?;
    backend.union_list_state(&ListStateDescriptor::with_serializer("seen", short(1)))?;
    backend.broadcast_state(&rules())?;
    Ok(())
}

/// Goal: damage is an error or another value, never a panic or a large allocation. Method: every truncation, every byte with each
/// bit flipped and set to extremes, and offsets that lie anywhere.
#[test]
fn damaged_streams_and_handles_never_panic() {
    let streams = MemoryStreams::default();
    let handle = write(&filled(), &streams);
    let bytes = bytes_of(&handle.stream, &streams);
    let restore = |handle: &OperatorStateHandle| -> Result<()> {
        let mut backend = OperatorStateBackend::restore(std::slice::from_ref(handle), &streams)?;
        // Carried through as well, before it is decoded.
        backend.snapshot().write(&MemoryStreams::default())?;
        open_all(&mut backend)
    };
    restore(&handle).unwrap();
    let with_bytes = |bytes: Vec<u8>| {
        use crate::stream::{CheckpointStreamFactory, CheckpointedStateScope};
        let mut out = streams.create(CheckpointedStateScope::Exclusive).unwrap();
        out.write_all(&bytes).unwrap();
        OperatorStateHandle {
            states: handle.states.clone(),
            stream: out.close_and_get_handle().unwrap(),
        }
    };
    for len in 0..bytes.len() {
        let e = restore(&with_bytes(bytes[..len].to_vec())).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Corrupt, "{len}: {e}");
    }
    for at in 0..bytes.len() {
        let flips = (0..8)
            .map(|bit| bytes[at] ^ (1 << bit))
            .chain([0, 0x7f, 0x80, 0xff]);
        for value in flips {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            let _error_or_another_value = restore(&with_bytes(damaged));
        }
    }
    for state in ["names", "seen", "rules"] {
        for offset in [0, 3, bytes.len() as u64 + 1, u64::MAX] {
            let mut moved = handle.clone();
            moved.states.get_mut(state).unwrap().offsets[0] = offset;
            assert_eq!(restore(&moved).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }
    let mut unknown = handle.clone();
    let meta = unknown.states["names"].clone();
    unknown.states.insert("other".to_string(), meta);
    assert_eq!(restore(&unknown).unwrap_err().context("state"), Some("other"));
}
