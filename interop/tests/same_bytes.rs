//! The bytes of Millpond's savepoints beside Flink's of the same job: not only do both read both, they are the same.
//!
//! The streams are taken apart here by what Flink's `FullSnapshotAsyncWriter` and `OperatorStateBackendSnapshotStrategy` write,
//! without the code that reads them in production. What may differ is the order of states in a header and of entries in a
//! key group: Flink's follow from its hash maps.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test code")]

use millpond::checkpoint::savepoint::load_savepoint;
use millpond::core::OperatorId;
use millpond::state::handle::{KeyedStateHandle, OperatorStateMode, StreamStateHandle};
use millpond::state::snapshot::StateMetaInfoSnapshot;
use millpond::types::{DataInput, SerializerSnapshot};
use millpond_interop::job::{self, BACKENDS, Setup};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The operators that have state in both.
const UIDS: [&str; 12] = [
    "by-string",
    "by-long",
    "by-tuple",
    "by-pojo",
    "rules",
    "expiring",
    "tumbling-reduce",
    "tumbling-aggregate",
    "tumbling-list",
    "session-reduce",
    "session-aggregate",
    "session-list",
];

type Bytes = Vec<u8>;

/// A keyed stream, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
struct Keyed {
    /// Version, compression flag, and the key's serializer snapshot.
    head: Bytes,
    /// What is said about each state, by its name.
    metas: BTreeMap<String, Bytes>,
    /// The entries of each key group and state, in the order of their keys.
    entries: BTreeMap<(u32, String), BTreeSet<(Bytes, Bytes)>>,
}

/// An operator's state stream, taken apart: the elements of each list by name, and what is said about it.
type Lists = BTreeMap<String, (Bytes, Vec<Bytes>)>;

/// What `read` takes from the front of `input`, as bytes.
fn taken(input: &mut DataInput<'_>, read: impl FnOnce(&mut DataInput<'_>)) -> Bytes {
    let all = input.rest().to_vec();
    read(input);
    all.get(..all.len() - input.remaining()).unwrap().to_vec()
}

fn keyed(stream: &[u8], first_group: u32, offsets: &[u64]) -> Keyed {
    let mut input = DataInput::new(stream);
    let head = taken(&mut input, |input| {
        assert_eq!(input.read_i32().unwrap(), 6, "version");
        assert!(!input.read_bool().unwrap(), "not compressed");
        assert_eq!(input.read_i32().unwrap(), 2, "version of the serializer's frame");
        SerializerSnapshot::read_versioned(input).unwrap();
    });
    let mut names = Vec::new();
    let mut result = Keyed {
        head,
        ..Keyed::default()
    };
    for _ in 0..input.read_u16().unwrap() {
        let meta = taken(&mut input, |input| {
            names.push(StateMetaInfoSnapshot::read(input).unwrap().name);
        });
        result.metas.insert(names.last().unwrap().clone(), meta);
    }
    let entries = offsets.iter().filter(|o| **o != 0).min().copied();
    let header_end = entries.unwrap_or(stream.len() as u64);
    assert_eq!(input.position() as u64, header_end, "nothing behind the header");
    for (group, offset) in offsets.iter().enumerate().filter(|(_, o)| **o != 0) {
        let mut input = DataInput::new(stream.get(*offset as usize..).unwrap());
        loop {
            let state = input.read_u16().unwrap();
            if state == 0xffff {
                break;
            }
            let name = names.get(usize::from(state)).unwrap();
            let entries = result
                .entries
                .entry((first_group + group as u32, name.clone()))
                .or_default();
            let mut last = false;
            while !last {
                let mut array = || {
                    let length = input.read_count(1).unwrap();
                    input.read_bytes(length).unwrap().to_vec()
                };
                let (mut key, value) = (array(), array());
                let flags = key.first_mut().unwrap();
                last = *flags & 0x80 != 0;
                *flags &= 0x7f;
                assert!(entries.insert((key, value)), "an entry is there twice");
            }
        }
    }
    result
}

fn lists(stream: &[u8], offsets: &BTreeMap<String, Vec<u64>>) -> Lists {
    let mut input = DataInput::new(stream);
    assert_eq!(input.read_i32().unwrap(), 6, "version");
    assert!(!input.read_bool().unwrap(), "not compressed");
    let mut metas = BTreeMap::new();
    for _ in 0..2 {
        for _ in 0..input.read_u16().unwrap() {
            let mut name = String::new();
            let meta = taken(&mut input, |input| {
                name = StateMetaInfoSnapshot::read(input).unwrap().name;
            });
            metas.insert(name, meta);
        }
    }
    let mut starts: Vec<u64> = offsets.values().flatten().copied().collect();
    starts.sort_unstable();
    starts.push(stream.len() as u64);
    metas
        .into_iter()
        .map(|(name, meta)| {
            let elements = offsets
                .get(&name)
                .into_iter()
                .flatten()
                .map(|start| {
                    let end = starts.iter().find(|s| *s > start).unwrap();
                    stream.get(*start as usize..*end as usize).unwrap().to_vec()
                })
                .collect();
            (name, (meta, elements))
        })
        .collect()
}

/// The keyed and the operator streams of each subtask of each operator.
fn take_apart(savepoint: &str) -> BTreeMap<(&'static str, u32), (Keyed, Lists)> {
    let checkpoint = load_savepoint(savepoint).unwrap();
    let reader = checkpoint.location().reader();
    let read = |handle: &StreamStateHandle| reader.read_range(handle, 0..handle.size()).unwrap();
    let mut streams = BTreeMap::new();
    for uid in UIDS {
        let operator = checkpoint.metadata().operator(OperatorId::from_uid(uid)).unwrap();
        for (subtask, state) in &operator.subtasks {
            let [KeyedStateHandle::KeyGroups(handle)] = state.managed_keyed.as_slice() else {
                panic!("{uid} has no canonical keyed state");
            };
            assert!(handle.savepoint);
            let keyed = keyed(&read(&handle.stream), handle.range.first(), &handle.offsets);
            let lists = match state.managed_operator.as_slice() {
                [] => Lists::default(),
                [handle] => {
                    let offsets = handle
                        .states
                        .iter()
                        .filter(|(_, meta)| meta.mode != OperatorStateMode::Broadcast)
                        .map(|(name, meta)| (name.clone(), meta.offsets.clone()))
                        .collect();
                    lists(&read(&handle.stream), &offsets)
                }
                more => panic!("{uid} has its operator state in {} streams", more.len()),
            };
            streams.insert((uid, *subtask), (keyed, lists));
        }
    }
    streams
}

/// Goal: a savepoint of Millpond's is Flink's, byte for byte. Method: the same job fills the same state on both; compare headers,
/// descriptions, serializer snapshots, entries and elements as bytes, for each of
/// Millpond's backends against both of Flink's and two releases.
#[test]
fn savepoints_have_the_bytes_of_flinks() {
    let folder = tempfile::tempdir().unwrap();
    for (&backend, parallelism) in BACKENDS.iter().flat_map(|b| [1, 2].map(|p| (b, p))) {
        let setup = Setup { backend, parallelism };
        let ours = take_apart(&job::write(folder.path(), setup).unwrap());
        assert_eq!(ours.len(), UIDS.len() * parallelism as usize);
        for release in ["1.20.0", "2.3.0"] {
            let flinks = if parallelism == 1 { "hashmap" } else { "rocksdb" };
            let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(format!("tests/golden/flink-{release}-{flinks}-{parallelism}"));
            let flinks = take_apart(golden.to_str().unwrap());
            for (which, (keyed, lists)) in &ours {
                let (flinks_keyed, flinks_lists) = flinks.get(which).unwrap();
                assert_eq!(keyed.head, flinks_keyed.head, "{which:?} on {backend}");
                assert_eq!(keyed.metas, flinks_keyed.metas, "{which:?} on {backend}");
                assert_eq!(keyed.entries, flinks_keyed.entries, "{which:?} on {backend}");
                assert_eq!(lists, flinks_lists, "{which:?} on {backend}");
            }
        }
    }
}
