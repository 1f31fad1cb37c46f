//! The readers, each with true bytes that it reads.

use bytes::Bytes;
use millpond::checkpoint::metadata::CheckpointMetadata;
use millpond::checkpoint::savepoint::load_savepoint;
use millpond::core::OperatorId;
use millpond::prelude::*;
use millpond::state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond::state::handle::{
    ByteStreamStateHandle, KeyedStateHandle, OperatorStateHandle, OperatorSubtaskState, StreamStateHandle,
};
use millpond::state::operator_state::OperatorStateBackend;
use millpond::state::snapshot::SnapshotKind;
use millpond::state::stream::memory::MemoryStreams;
use millpond::types::{DataInput, DataOutput, KeyGroupRange, SerializerSnapshot, StateType, VoidNamespace};
use millpond_interop::states::UserInfo;
use std::path::Path;

type Read = dyn Fn(Vec<u8>) -> Result<()>;

/// A reader.
pub struct Reader {
    pub name: &'static str,
    /// Bytes that it reads.
    pub inputs: Vec<Vec<u8>>,
    pub read: Box<Read>,
}

/// A savepoint whose streams are not compressed.
const UNCOMPRESSED: &str = "flink-2.3.0-hashmap-1";
/// One whose streams are.
const COMPRESSED: &str = "flink-2.3.0-hashmap-3";

const SAVEPOINTS: [&str; 5] = [
    "flink-1.20.0-hashmap-1",
    "flink-1.20.0-rocksdb-2",
    UNCOMPRESSED,
    "flink-2.3.0-rocksdb-2",
    COMPRESSED,
];

fn golden(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    folder.to_str().unwrap().to_owned()
}

pub fn metadata() -> Reader {
    let read_file = |name: &&str| std::fs::read(Path::new(&golden(name)).join("_metadata")).unwrap();
    Reader {
        name: "metadata",
        inputs: SAVEPOINTS.iter().map(read_file).collect(),
        read: Box::new(|bytes| CheckpointMetadata::decode(&bytes).map(drop)),
    }
}

pub fn serializer_snapshots() -> Reader {
    fn written<T: StateType>() -> Vec<u8> {
        let mut out = DataOutput::new();
        T::serializer().snapshot().write_versioned(&mut out).unwrap();
        out.into_vec()
    }
    Reader {
        name: "serializer snapshots",
        inputs: vec![
            written::<UserInfo>(),
            written::<Vec<(String, Option<i64>)>>(),
            written::<std::collections::BTreeMap<String, UserInfo>>(),
            written::<millpond_interop::states::Level>(),
        ],
        read: Box::new(|bytes| SerializerSnapshot::read_versioned(&mut DataInput::new(&bytes)).map(drop)),
    }
}

fn inline(bytes: Vec<u8>) -> StreamStateHandle {
    StreamStateHandle::ByteStream(ByteStreamStateHandle {
        name: "damaged".to_owned(),
        data: Bytes::from(bytes),
    })
}

/// A stream of one of Flink's savepoints, by the uid of its operator.
fn stream_of_flink<H>(
    savepoint: &str,
    uid: &str,
    handle: impl Fn(&OperatorSubtaskState) -> (H, StreamStateHandle),
) -> (H, Vec<u8>) {
    let savepoint = load_savepoint(&golden(savepoint)).unwrap();
    let operator = savepoint.metadata().operator(OperatorId::from_uid(uid)).unwrap();
    let (handle, stream) = handle(operator.subtasks.get(&0).unwrap());
    let bytes = savepoint
        .location()
        .reader()
        .read_range(&stream, 0..stream.size())
        .unwrap();
    (handle, bytes.to_vec())
}

/// Opens each sort of state, which is when its entries are read.
fn open_all(backend: &mut KeyedStateBackend<String>) -> Result<()> {
    let (serializer, namespace) = (VoidNamespace::serializer, VoidNamespace);
    backend.value_state(ValueStateDescriptor::<i64>::new("value"), serializer(), namespace)?;
    backend.value_state(
        ValueStateDescriptor::<UserInfo>::new("profile"),
        serializer(),
        namespace,
    )?;
    backend.list_state(
        ListStateDescriptor::<String>::new("list"),
        serializer(),
        namespace,
    )?;
    backend.map_state(
        MapStateDescriptor::<String, i64>::new("map"),
        serializer(),
        namespace,
    )?;
    Ok(())
}

fn parameters() -> KeyedStateBackendParameters<String> {
    KeyedStateBackendParameters::new(KeyGroupRange::new(0, 127).unwrap(), 128)
}

pub fn keyed_streams() -> Reader {
    keyed_stream_of("canonical keyed stream", UNCOMPRESSED)
}

pub fn compressed_keyed_streams() -> Reader {
    keyed_stream_of("compressed keyed stream", COMPRESSED)
}

fn keyed_stream_of(name: &'static str, savepoint: &str) -> Reader {
    let (handle, bytes) = stream_of_flink(savepoint, "by-string", |state| {
        match state.managed_keyed.as_slice() {
            [KeyedStateHandle::KeyGroups(handle)] => (handle.clone(), handle.stream.clone()),
            _ => panic!("one canonical stream"),
        }
    });
    Reader {
        name,
        inputs: vec![bytes],
        read: Box::new(move |bytes| {
            let mut handle = handle.clone();
            handle.stream = inline(bytes);
            let handles = [KeyedStateHandle::KeyGroups(handle)];
            open_all(&mut KeyedStateBackend::hashmap(
                parameters(),
                &handles,
                &MemoryStreams::default(),
            )?)
        }),
    }
}

pub fn heap_manifests() -> Reader {
    let streams = MemoryStreams::default();
    let mut backend = KeyedStateBackend::hashmap(parameters().incremental(true), &[], &streams).unwrap();
    let value = backend
        .value_state(
            ValueStateDescriptor::<i64>::new("value"),
            VoidNamespace::serializer(),
            VoidNamespace,
        )
        .unwrap();
    let list = backend
        .list_state(
            ListStateDescriptor::<String>::new("list"),
            VoidNamespace::serializer(),
            VoidNamespace,
        )
        .unwrap();
    for i in 0..200 {
        backend.set_current_key(format!("key-{i}")).unwrap();
        value.update(i).unwrap();
        list.add(format!("item {i}")).unwrap();
    }
    let snapshot = backend
        .snapshot(1, SnapshotKind::Checkpoint)
        .unwrap()
        .run(&streams)
        .unwrap();
    let Some(KeyedStateHandle::Incremental(handle)) = snapshot.handle else {
        panic!("an incremental snapshot");
    };
    let manifest =
        millpond::state::stream::StateHandleReader::read_range(&streams, &handle.meta, 0..handle.meta.size());
    Reader {
        name: "manifest of an incremental heap snapshot",
        inputs: vec![manifest.unwrap().to_vec()],
        read: Box::new(move |bytes| {
            let mut handle = handle.clone();
            handle.meta = inline(bytes);
            let handles = [KeyedStateHandle::Incremental(handle)];
            open_all(&mut KeyedStateBackend::hashmap(parameters(), &handles, &streams)?)
        }),
    }
}

pub fn operator_state() -> Reader {
    operator_state_of("operator state", UNCOMPRESSED)
}

pub fn compressed_operator_state() -> Reader {
    operator_state_of("compressed operator state", COMPRESSED)
}

fn operator_state_of(name: &'static str, savepoint: &str) -> Reader {
    let (handle, bytes) = stream_of_flink(savepoint, "by-string", |state| {
        match state.managed_operator.as_slice() {
            [handle] => (handle.clone(), handle.stream.clone()),
            _ => panic!("one stream"),
        }
    });
    Reader {
        name,
        inputs: vec![bytes],
        read: Box::new(move |bytes| {
            let handle = OperatorStateHandle {
                stream: inline(bytes),
                ..handle.clone()
            };
            let mut backend = OperatorStateBackend::restore(&[handle], &MemoryStreams::default())?;
            backend
                .list_state(&ListStateDescriptor::<String>::new("op-list"))?
                .get()?;
            backend
                .union_list_state(&ListStateDescriptor::<i64>::new("op-union"))?
                .get()
                .map(drop)
        }),
    }
}
