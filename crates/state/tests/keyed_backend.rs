//! What a keyed backend answers at its edges: misuse, incompatible types, damaged snapshots, the bytes of the format.
#![expect(clippy::unwrap_used, reason = "test code")]

use millpond_core::host::SeededRandom;
use millpond_core::{ErrorKind, Result};
use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond_state::descriptor::{
    ListStateDescriptor, MapStateDescriptor, ReducingStateDescriptor, ValueStateDescriptor,
};
use millpond_state::handle::KeyedStateHandle;
use millpond_state::keyed::{ListState, MapState, ValueState};
use millpond_state::snapshot::SnapshotKind;
use millpond_state::stream::StateHandleReader;
use millpond_state::stream::memory::MemoryStreams;
use millpond_state::timer::InternalTimerService;
use millpond_types::{
    Compatibility, DataInput, DataOutput, KeyGroupRange, SerializerSnapshot, SharedSerializer, StateKey,
    StateType, TypeSerializer, VoidNamespace,
};
use std::sync::Arc;

const MAX_PARALLELISM: u32 = 16;

/// Whether `tests/rocksdb` runs this file.
const ON_ROCKSDB: bool = matches!(module_path!().as_bytes(), [b'r', b'o', b'c', b'k', ..]);

/// The backend that the tests are about.
fn create<K: millpond_types::StateKey>(
    parameters: KeyedStateBackendParameters<K>,
    handles: &[KeyedStateHandle],
    streams: &MemoryStreams,
) -> millpond_core::Result<KeyedStateBackend<K>> {
    if ON_ROCKSDB {
        let config = millpond_core::config::Configuration::new();
        return KeyedStateBackend::rocksdb(parameters, &config, handles, streams);
    }
    KeyedStateBackend::hashmap(parameters, handles, streams)
}

fn backend<K: StateKey>(
    handles: &[KeyedStateHandle],
    streams: &MemoryStreams,
    incremental: bool,
) -> Result<KeyedStateBackend<K>> {
    let range = KeyGroupRange::new(0, MAX_PARALLELISM - 1)?;
    let parameters = KeyedStateBackendParameters::new(range, MAX_PARALLELISM).incremental(incremental);
    create(parameters, handles, streams)
}

fn new(incremental: bool) -> (KeyedStateBackend<i64>, MemoryStreams) {
    let streams = MemoryStreams::default();
    (backend(&[], &streams, incremental).unwrap(), streams)
}

fn value<K: StateKey>(b: &mut KeyedStateBackend<K>, name: &str) -> Result<ValueState<i64>> {
    b.value_state(
        ValueStateDescriptor::new(name),
        VoidNamespace::serializer(),
        VoidNamespace,
    )
}

fn list(b: &mut KeyedStateBackend<i64>) -> Result<ListState<i64>> {
    b.list_state(
        ListStateDescriptor::new("list"),
        VoidNamespace::serializer(),
        VoidNamespace,
    )
}

fn map(b: &mut KeyedStateBackend<i64>) -> Result<MapState<String, i64>> {
    b.map_state(
        MapStateDescriptor::new("map"),
        VoidNamespace::serializer(),
        VoidNamespace,
    )
}

fn snapshot(
    b: &mut KeyedStateBackend<i64>,
    streams: &MemoryStreams,
    id: u64,
    kind: SnapshotKind,
) -> KeyedStateHandle {
    b.snapshot(id, kind)
        .unwrap()
        .run(streams)
        .unwrap()
        .handle
        .unwrap()
}

/// Uses a state before it is opened, before there is a key, and for a key of another instance.
#[test]
fn misuse_is_an_illegal_state_that_says_what_to_do() {
    let unopened = ValueState::<i64>::default().get().unwrap_err();
    assert_eq!(unopened.kind(), ErrorKind::IllegalState);
    assert!(unopened.to_string().contains("open"), "{unopened}");

    let (mut b, streams) = new(false);
    let state = value(&mut b, "v").unwrap();
    assert!(state.get().unwrap_err().to_string().contains("no current key"));
    b.set_current_key(1).unwrap();
    let no_default = state.value().unwrap_err().to_string();
    assert!(
        no_default.contains("default_value") && no_default.contains("state=v"),
        "{no_default}"
    );

    let range = KeyGroupRange::new(0, 0).unwrap();
    let mut half = KeyedStateBackend::<i64>::hashmap(
        KeyedStateBackendParameters::new(range, MAX_PARALLELISM),
        &[],
        &streams,
    )
    .unwrap();
    let state = value(&mut half, "v").unwrap();
    let foreign = (0..).find(|k| half.key_context().key_group_of(k) != 0).unwrap();
    half.set_current_key(foreign).unwrap();
    let error = state.update(1).unwrap_err();
    assert!(error.to_string().contains("another operator instance"), "{error}");
    assert_eq!(state.get().unwrap_err().kind(), ErrorKind::IllegalState);
}

/// Uses a state from inside its own callback: an error, never a panic, and the state works afterwards.
#[test]
fn a_callback_that_uses_its_own_state_gets_an_error() {
    let (mut b, _) = new(false);
    let state = value(&mut b, "v").unwrap();
    b.set_current_key(1).unwrap();
    state.update(1).unwrap();
    let inner = state.modify(|v| {
        *v = Some(2);
        (
            state.get().is_err(),
            b.set_current_key(2).is_err(),
            b.num_entries(),
        )
    });
    assert_eq!(inner.unwrap(), (true, true, 0));
    assert!(state.with(|_| state.update(3).is_err()).unwrap());
    assert_eq!(state.get().unwrap(), Some(2));
    let in_callback = state.modify(|_| b.key_context().max_parallelism()).unwrap();
    assert_eq!(in_callback, MAX_PARALLELISM);
}

/// Opens one name several times: the same state for the same type, an error that names both for another.
#[test]
fn a_name_is_one_state() {
    let (mut b, _) = new(false);
    let first = value(&mut b, "v").unwrap();
    let second = value(&mut b, "v").unwrap();
    b.set_current_key(1).unwrap();
    first.update(5).unwrap();
    assert_eq!(second.get().unwrap(), Some(5));
    let void = VoidNamespace::serializer;
    let other_type = b.value_state(ValueStateDescriptor::<String>::new("v"), void(), VoidNamespace);
    let text = other_type.unwrap_err().to_string();
    assert!(text.contains("Long") && text.contains("String"), "{text}");
    let reduce = ReducingStateDescriptor::new("v", |a: &mut i64, b: i64| *a += b);
    let text = b
        .reducing_state(reduce, void(), VoidNamespace)
        .unwrap_err()
        .to_string();
    assert!(text.contains("VALUE") && text.contains("REDUCING"), "{text}");
    let other_namespace = b.value_state(ValueStateDescriptor::<i64>::new("v"), i64::serializer(), 0i64);
    assert_eq!(other_namespace.unwrap_err().kind(), ErrorKind::Config);
    let unregistered = ValueStateDescriptor::<std::time::Duration>::registered("d");
    let text = b
        .value_state(unregistered, void(), VoidNamespace)
        .unwrap_err()
        .to_string();
    assert!(text.contains("Duration") && text.contains("register"), "{text}");
}

/// Restores under another kind, another value type and another key type.
#[test]
fn an_incompatible_restore_names_state_and_types() {
    let (mut b, streams) = new(false);
    let state = value(&mut b, "v").unwrap();
    b.set_current_key(1).unwrap();
    state.update(5).unwrap();
    let handle = [snapshot(&mut b, &streams, 1, SnapshotKind::Savepoint)];
    let void = VoidNamespace::serializer;

    let mut b = backend::<i64>(&handle, &streams, false).unwrap();
    let error = b
        .value_state(ValueStateDescriptor::<String>::new("v"), void(), VoidNamespace)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    let text = error.to_string();
    assert!(
        text.contains("state=v") && text.contains("Long") && text.contains("String"),
        "{text}"
    );
    let error = b
        .list_state(ListStateDescriptor::<i64>::new("v"), void(), VoidNamespace)
        .unwrap_err();
    assert!(
        error.to_string().contains("VALUE") && error.to_string().contains("LIST"),
        "{error}"
    );
    // The failed attempts lost nothing.
    b.set_current_key(1).unwrap();
    assert_eq!(value(&mut b, "v").unwrap().get().unwrap(), Some(5));

    let error = backend::<String>(&handle, &streams, false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.to_string().contains("Long"), "{error}");
}

/// The bytes of a small savepoint, piece by piece, against Flink's layout written out by hand.
#[test]
fn a_savepoint_has_flinks_bytes() {
    let (mut b, streams) = new(false);
    let (values, lists, maps) = (
        value(&mut b, "v").unwrap(),
        list(&mut b).unwrap(),
        map(&mut b).unwrap(),
    );
    b.set_current_key(1).unwrap();
    let group = b.key_context().current_key_group() as u8;
    values.update(2).unwrap();
    lists.add_all([3, 4]).unwrap();
    maps.put("a".into(), 5).unwrap();
    let handle = snapshot(&mut b, &streams, 1, SnapshotKind::Savepoint);
    let KeyedStateHandle::KeyGroups(h) = &handle else {
        panic!("a savepoint is a full snapshot: {handle:?}");
    };
    assert!(h.savepoint);
    for (index, offset) in h.offsets.iter().enumerate() {
        assert_eq!(
            *offset == 0,
            index != usize::from(group),
            "only one key group has entries"
        );
    }
    let long = |v: i64| v.to_be_bytes().to_vec();
    let framed = |bytes: Vec<u8>| [(bytes.len() as u32).to_be_bytes().to_vec(), bytes].concat();
    // Key group with the flag (each is the last of its state), key, void namespace.
    let key = [vec![group | 0x80], long(1), vec![0]].concat();
    let user_key = [key.clone(), vec![2, b'a']].concat();
    let expected = [
        vec![0, 0],
        framed(key.clone()),
        framed(long(2)),
        vec![0, 1],
        framed(key),
        framed([long(3), vec![b','], long(4)].concat()),
        vec![0, 2],
        framed(user_key),
        framed([vec![0], long(5)].concat()),
        vec![0xff, 0xff],
    ]
    .concat();
    let start = h.offsets[usize::from(group)];
    let bytes = streams.read_range(&h.stream, start..h.stream.size()).unwrap();
    assert_eq!(bytes, expected);
    // Version 6, no compression, the frame and the name of the key's serializer snapshot.
    let head = streams.read_range(&h.stream, 0..start).unwrap();
    assert_eq!(head[..9], [0, 0, 0, 6, 0, 0, 0, 0, 2]);
    let name = b"org.apache.flink.api.common.typeutils.base.LongSerializer$LongSerializerSnapshot";
    assert_eq!(head[9..11], (name.len() as u16).to_be_bytes());
    assert_eq!(head[11..11 + name.len()], name[..]);
}

/// An incremental checkpoint after a small change writes little and names the files of the completed one; the files of
/// all checkpoints together stay bounded however long this goes on.
#[test]
fn incremental_checkpoints_write_what_changed_and_stay_compact() {
    let (mut b, streams) = new(true);
    let state = value(&mut b, "v").unwrap();
    for key in 0..200_000 {
        b.set_current_key(key).unwrap();
        state.update(key).unwrap();
    }
    let first = snapshot(&mut b, &streams, 1, SnapshotKind::Checkpoint);
    // Not complete yet: the next one may not build on it.
    let second = snapshot(&mut b, &streams, 2, SnapshotKind::Checkpoint);
    assert_eq!(second.checkpointed_size(), first.checkpointed_size());
    b.notify_checkpoint_aborted(1);
    b.notify_checkpoint_complete(2);
    b.set_current_key(7).unwrap();
    state.update(-7).unwrap();
    let third = snapshot(&mut b, &streams, 3, SnapshotKind::Checkpoint);
    assert!(
        third.checkpointed_size() * 10 < second.checkpointed_size(),
        "{} of {}",
        third.checkpointed_size(),
        second.checkpointed_size()
    );
    let mut restored = backend::<i64>(std::slice::from_ref(&third), &streams, true).unwrap();
    let again = value(&mut restored, "v").unwrap();
    assert_eq!(restored.num_entries(), 200_000);
    restored.set_current_key(7).unwrap();
    assert_eq!(again.get().unwrap(), Some(-7));

    b.notify_checkpoint_complete(3);
    let mut random = SeededRandom::new(5);
    for id in 4..60 {
        for _ in 0..100 {
            b.set_current_key(random.below(200_000) as i64).unwrap();
            state.update(id as i64).unwrap();
        }
        let handle = snapshot(&mut b, &streams, id, SnapshotKind::Checkpoint);
        b.notify_checkpoint_complete(id);
        let stored: u64 = handle.streams().map(|s| s.size()).sum();
        assert!(
            stored <= 2 * b.state_size_bytes() + 100_000,
            "{stored} bytes hold a state of {}",
            b.state_size_bytes()
        );
    }
}

/// A write that the storage refuses fails the snapshot alone; the state and later snapshots are whole.
#[test]
fn a_failed_snapshot_loses_nothing() {
    for incremental in [false, true] {
        let (mut b, streams) = new(incremental);
        let state = value(&mut b, "v").unwrap();
        b.set_current_key(1).unwrap();
        state.update(1).unwrap();
        let failing = b.snapshot(1, SnapshotKind::Checkpoint).unwrap();
        streams.refuse_writes(true);
        let error = failing.run(&streams).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert_eq!(streams.file_count(), 0);
        streams.refuse_writes(false);
        b.notify_checkpoint_aborted(1);
        let handle = [snapshot(&mut b, &streams, 2, SnapshotKind::Checkpoint)];
        let mut restored = backend::<i64>(&handle, &streams, incremental).unwrap();
        restored.set_current_key(1).unwrap();
        assert_eq!(value(&mut restored, "v").unwrap().get().unwrap(), Some(1));
    }
}

/// Timers of both domains go through the backend's snapshots, full and incremental.
#[test]
fn timers_are_stored_with_the_state() {
    for incremental in [false, true] {
        let (mut b, streams) = new(incremental);
        let service = || {
            InternalTimerService::<i64, VoidNamespace>::new(
                "user-timers",
                i64::serializer(),
                VoidNamespace::serializer(),
                KeyGroupRange::new(0, MAX_PARALLELISM - 1).unwrap(),
                MAX_PARALLELISM,
            )
        };
        let mut timers = service();
        for domain in timers.key_group_states() {
            b.register_key_group_state(domain).unwrap();
        }
        for key in 0..100 {
            timers
                .register_event_time_timer(&key, &VoidNamespace, key * 10)
                .unwrap();
            timers
                .register_processing_time_timer(&key, &VoidNamespace, -key)
                .unwrap();
        }
        let handle = [snapshot(&mut b, &streams, 1, SnapshotKind::Checkpoint)];
        let mut restored = backend::<i64>(&handle, &streams, incremental).unwrap();
        let timers = service();
        for domain in timers.key_group_states() {
            restored.register_key_group_state(domain).unwrap();
        }
        assert_eq!(
            (
                timers.num_event_time_timers().unwrap(),
                timers.num_processing_time_timers().unwrap()
            ),
            (100, 100)
        );
        assert_eq!(timers.next_event_time_timer(), Some(0));
        assert_eq!(timers.next_processing_time_timer(), Some(-99));
    }
}

/// Restores and opens everything; what comes out is an error or a state, never a panic.
fn try_restore(handle: &KeyedStateHandle, streams: &MemoryStreams) -> Result<usize> {
    let mut b = backend::<i64>(std::slice::from_ref(handle), streams, false)?;
    value(&mut b, "v")?;
    list(&mut b)?;
    map(&mut b)?;
    Ok(b.num_entries())
}

/// Each so many bytes are damaged: a restore of a database opens files, and takes its time.
const STEP: usize = if ON_ROCKSDB { 101 } else { 1 };

/// Every stream of a full and an incremental snapshot, with bytes flipped, cut off and set to extremes: the restore reports it
/// or reads some state, and neither panics nor allocates more than the input justifies.
#[test]
fn damaged_snapshots_are_refused_or_read_but_never_panic() {
    for incremental in [false, true] {
        let (mut b, streams) = new(incremental);
        let (values, lists, maps) = (
            value(&mut b, "v").unwrap(),
            list(&mut b).unwrap(),
            map(&mut b).unwrap(),
        );
        for key in 0..40 {
            b.set_current_key(key).unwrap();
            values.update(key).unwrap();
            lists.add_all([key, key + 1]).unwrap();
            maps.put(format!("k{key}"), key).unwrap();
        }
        let handle = snapshot(&mut b, &streams, 1, SnapshotKind::Checkpoint);
        assert_eq!(try_restore(&handle, &streams).unwrap(), 120);
        let mut refused = 0;
        for stream in handle.streams() {
            let whole = streams.read_range(stream, 0..stream.size()).unwrap();
            let mut random = SeededRandom::new(9);
            for at in (0..whole.len()).step_by(STEP) {
                let mut bytes = whole.to_vec();
                match at % 4 {
                    0 => bytes[at] = 0xff,
                    1 => bytes[at] = 0x7f,
                    2 => bytes[at] ^= 1 << random.below(8),
                    _ => bytes.truncate(at),
                }
                streams.replace(stream, bytes);
                refused += u64::from(try_restore(&handle, &streams).is_err());
            }
            streams.replace(stream, whole);
        }
        assert!(refused > 500 / STEP as u64, "only {refused} damages were noticed");
        assert_eq!(try_restore(&handle, &streams).unwrap(), 120);
    }
}

/// In an incremental snapshot every shard has a checksum, so a flipped byte of a shard file is always refused.
#[test]
fn a_flipped_byte_in_a_shard_file_is_always_noticed() {
    if ON_ROCKSDB {
        // It has no shards; its files carry checksums of their own.
        return;
    }
    let (mut b, streams) = new(true);
    let state = value(&mut b, "v").unwrap();
    for key in 0..50 {
        b.set_current_key(key).unwrap();
        state.update(key).unwrap();
    }
    let handle = snapshot(&mut b, &streams, 1, SnapshotKind::Checkpoint);
    let KeyedStateHandle::Incremental(h) = &handle else {
        panic!("not incremental: {handle:?}");
    };
    let file = &h.shared[0].stream;
    let whole = streams.read_range(file, 0..file.size()).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 1;
        streams.replace(file, bytes);
        let error = backend::<i64>(std::slice::from_ref(&handle), &streams, true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(&h.shared[0].local_path), "{error}");
    }
}

/// Numbers that were once written with four bytes and are now written with eight.
#[derive(Debug)]
struct Widening {
    version: i32,
}

impl TypeSerializer<i64> for Widening {
    fn serialize(&self, value: &i64, out: &mut DataOutput) -> Result<()> {
        match self.version {
            1 => out.write_i32(*value as i32),
            _ => out.write_i64(*value),
        }
        Ok(())
    }
    fn deserialize(&self, input: &mut DataInput<'_>) -> Result<i64> {
        match self.version {
            1 => input.read_i32().map(i64::from),
            _ => input.read_i64(),
        }
    }
    fn snapshot(&self) -> SerializerSnapshot {
        SerializerSnapshot::own("widening", self.version, Vec::new(), Vec::new())
    }
    fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
        match old.version.cmp(&self.version) {
            std::cmp::Ordering::Equal => Compatibility::AsIs,
            std::cmp::Ordering::Less => Compatibility::AfterMigration,
            std::cmp::Ordering::Greater => Compatibility::Incompatible("written by a newer job".into()),
        }
    }
    fn deserialize_migrating(&self, old: &SerializerSnapshot, input: &mut DataInput<'_>) -> Result<i64> {
        Widening { version: old.version }.deserialize(input)
    }
}

/// Writes a value, a list and a map with one version of a serializer and reads them with the next; the next snapshot holds the
/// new layout alone, which the old version refuses.
#[test]
fn values_are_migrated_when_a_serializer_says_so() {
    type Opened = (ValueState<i64>, ListState<i64>, MapState<String, i64>);
    fn open(b: &mut KeyedStateBackend<i64>, version: i32) -> Result<Opened> {
        let void = VoidNamespace::serializer;
        let serializer: SharedSerializer<i64> = Arc::new(Widening { version });
        let values = ValueStateDescriptor::with_serializer("v", serializer.clone());
        let lists = ListStateDescriptor::with_serializer("l", serializer.clone());
        let maps = MapStateDescriptor::with_serializer("m", String::serializer(), serializer);
        Ok((
            b.value_state(values, void(), VoidNamespace)?,
            b.list_state(lists, void(), VoidNamespace)?,
            b.map_state(maps, void(), VoidNamespace)?,
        ))
    }
    for incremental in [false, true] {
        let (mut b, streams) = new(incremental);
        let (values, lists, maps) = open(&mut b, 1).unwrap();
        b.set_current_key(1).unwrap();
        values.update(-2).unwrap();
        lists.add_all([3, 4]).unwrap();
        maps.put("a".into(), 5).unwrap();
        let old = [snapshot(&mut b, &streams, 1, SnapshotKind::Checkpoint)];

        let mut b = backend::<i64>(&old, &streams, incremental).unwrap();
        let (values, lists, maps) = open(&mut b, 2).unwrap();
        b.set_current_key(1).unwrap();
        assert_eq!(values.get().unwrap(), Some(-2));
        assert_eq!(lists.get().unwrap(), [3, 4]);
        assert_eq!(maps.entries().unwrap(), [("a".to_owned(), 5)]);
        values.update(1 << 40).unwrap();
        let new = [snapshot(&mut b, &streams, 2, SnapshotKind::Checkpoint)];

        let mut b = backend::<i64>(&new, &streams, incremental).unwrap();
        let error = open(&mut b, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        assert!(error.to_string().contains("newer job"), "{error}");
        let (values, ..) = open(&mut b, 2).unwrap();
        b.set_current_key(1).unwrap();
        assert_eq!(values.get().unwrap(), Some(1 << 40));
    }
}
