//! Handles of keyed state.

use super::stream::StreamStateHandle;
use millpond_core::CheckpointId;
use millpond_types::KeyGroupRange;

/// The offset of a key group that has no section in raw keyed state; -1 in `_metadata`. Flink's
/// `KeyedStateCheckpointOutputStream.NO_OFFSET_SET`.
pub const NO_OFFSET_SET: u64 = u64::MAX;

/// Keyed state of one operator instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyedStateHandle {
    /// A full snapshot: one stream, with the offset of each key group.
    KeyGroups(KeyGroupsStateHandle),
    /// An incremental snapshot: files shared with other checkpoints, and a stream that says how they fit together.
    Incremental(IncrementalRemoteKeyedStateHandle),
}

/// A key-group-indexed stream. Flink's `KeyGroupsStateHandle` and, for a savepoint, `KeyGroupsSavepointStateHandle`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyGroupsStateHandle {
    /// The key groups that it holds.
    pub range: KeyGroupRange,
    /// The offset of each key group of `range` in the stream, in order; in raw state [`NO_OFFSET_SET`] for one without a section.
    pub offsets: Vec<u64>,
    /// The stream.
    pub stream: StreamStateHandle,
    /// Whether it is in the canonical format that any backend restores (a savepoint), or the backend's own.
    pub savepoint: bool,
}

/// An incremental snapshot. Flink's `IncrementalRemoteKeyedStateHandle`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncrementalRemoteKeyedStateHandle {
    /// Which backend instance wrote it (a UUID in text form): its file names mean something only within this.
    pub backend_id: String,
    /// The key groups that it holds.
    pub range: KeyGroupRange,
    /// The checkpoint that it belongs to.
    pub checkpoint_id: CheckpointId,
    /// Files that other checkpoints may name too.
    pub shared: Vec<HandleAndLocalPath>,
    /// Files of this checkpoint alone.
    pub private: Vec<HandleAndLocalPath>,
    /// Serializer snapshots, and what the backend needs to put the files together.
    pub meta: StreamStateHandle,
    /// The bytes that this checkpoint added.
    pub checkpointed_size: u64,
}

/// Every RocksDB database has a file of this name; nothing else that makes incremental snapshots writes one.
const ROCKSDB_CURRENT: &str = "CURRENT";

impl IncrementalRemoteKeyedStateHandle {
    /// Whether it holds files of a RocksDB database, not shards of the HashMap backend.
    pub(crate) fn is_of_rocksdb(&self) -> bool {
        self.private.iter().any(|f| f.local_path == ROCKSDB_CURRENT)
    }
}

/// A stream with the name that the backend knows it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandleAndLocalPath {
    /// The backend's name for it.
    pub local_path: String,
    /// Where it lies.
    pub stream: StreamStateHandle,
}

impl KeyedStateHandle {
    /// The key groups that it holds.
    pub fn range(&self) -> KeyGroupRange {
        match self {
            KeyedStateHandle::KeyGroups(h) => h.range,
            KeyedStateHandle::Incremental(h) => h.range,
        }
    }
    /// Every stream that it names.
    pub fn streams(&self) -> Box<dyn Iterator<Item = &StreamStateHandle> + '_> {
        match self {
            KeyedStateHandle::KeyGroups(h) => Box::new(std::iter::once(&h.stream)),
            KeyedStateHandle::Incremental(h) => Box::new(
                h.shared
                    .iter()
                    .chain(&h.private)
                    .map(|f| &f.stream)
                    .chain(std::iter::once(&h.meta)),
            ),
        }
    }
    /// The bytes that its checkpoint added.
    pub fn checkpointed_size(&self) -> u64 {
        match self {
            KeyedStateHandle::KeyGroups(h) => h.stream.size(),
            KeyedStateHandle::Incremental(h) => h.checkpointed_size,
        }
    }
}
