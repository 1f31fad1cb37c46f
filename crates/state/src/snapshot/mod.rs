//! Snapshots of keyed state: what states contribute, how they are written, how they are found again.
//!
//! A snapshot has a synchronous part, which freezes every state on the task's thread, and an asynchronous one, a
//! [`KeyedSnapshot`], which writes the frozen states wherever it is run. Nothing is shared between the two but `Arc`s of
//! frozen data.

pub(crate) mod compression;
mod extra;
pub(crate) mod full;
pub(crate) mod header;
pub(crate) mod incremental;
pub(crate) mod key_layout;
mod manifest;
pub mod meta_info;
pub(crate) mod pairs;
pub(crate) mod restored;
mod sorted;

pub use meta_info::{BackendStateType, StateMetaInfoSnapshot};
pub use pairs::PairWriter;
pub use sorted::{SortedKeyGroupState, SortedStore};

pub(crate) use extra::FrozenExtra;

use crate::handle::KeyedStateHandle;
use crate::stream::CheckpointStreamFactory;
use millpond_core::failpoint::{self, Failpoint};
use millpond_core::{Error, Result};
use millpond_types::{DataInput, KeyGroupRange, SerializerSnapshot};

/// What a snapshot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SnapshotKind {
    /// Recovery: incremental when the backend is told to be.
    Checkpoint,
    /// A checkpoint that names no file of an older one.
    FullCheckpoint,
    /// The user's: always whole and in the canonical format.
    Savepoint,
}

/// What an asynchronous part brought about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotResult {
    /// Where the state lies; `None` when there is none.
    pub handle: Option<KeyedStateHandle>,
    /// How many entries (pairs of key and value) the snapshot wrote. An incremental one counts what changed.
    pub entries_written: u64,
    /// The bytes of the whole state, those in files of older checkpoints included.
    pub state_size: u64,
}

/// The asynchronous part of a snapshot: send it to another thread and run it there.
#[must_use = "a snapshot that is not run writes nothing"]
pub struct KeyedSnapshot {
    job: Box<SnapshotJob>,
}

/// What a [`KeyedSnapshot`] runs.
pub(crate) type SnapshotJob = dyn FnOnce(&dyn CheckpointStreamFactory) -> Result<SnapshotResult> + Send;

impl KeyedSnapshot {
    pub(crate) fn new(
        job: impl FnOnce(&dyn CheckpointStreamFactory) -> Result<SnapshotResult> + Send + 'static,
    ) -> Self {
        KeyedSnapshot { job: Box::new(job) }
    }

    /// Writes the snapshot.
    ///
    /// # Errors
    /// Io when the storage refuses; whatever a serializer answers. Nothing is left behind then.
    pub fn run(self, streams: &dyn CheckpointStreamFactory) -> Result<SnapshotResult> {
        failpoint::reach(Failpoint::SnapshotBegins);
        let result = (self.job)(streams)?;
        failpoint::reach(Failpoint::SnapshotWritten);
        Ok(result)
    }
}

impl std::fmt::Debug for KeyedSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyedSnapshot")
    }
}

/// A state of the operator that lives beside the backend's tables and is stored with them, by key group: timers.
///
/// # Contract
/// `freeze` is cheap and the result doesn't change when the state does. Keys passed to a [`PairWriter`] and to
/// `restore_entry` are what follows the key group.
pub trait SnapshotableKeyGroupState {
    /// Its name, sort and serializers.
    fn meta_info(&self) -> StateMetaInfoSnapshot;
    /// What it holds now, for the asynchronous part.
    ///
    /// # Errors
    /// Those of the place of its entries, when that is not memory.
    fn freeze(&self) -> Result<Box<dyn KeyGroupSnapshot>>;
    /// Told once for each stored description, before the entries that were stored under it come: whether they can be
    /// read.
    ///
    /// # Errors
    /// Incompatible naming old and new type.
    fn check_restored(&self, stored: &StateMetaInfoSnapshot) -> Result<()>;
    /// Takes back an entry.
    ///
    /// # Errors
    /// Corrupt when the bytes are not an entry.
    fn restore_entry(
        &self,
        stored: &StateMetaInfoSnapshot,
        key_group: u32,
        key: DataInput<'_>,
        value: &[u8],
    ) -> Result<()>;
    /// The state as one whose entries may live outside memory. A backend without a place for them doesn't ask.
    fn as_sorted(&self) -> Option<&dyn SortedKeyGroupState> {
        None
    }
}

/// A frozen [`SnapshotableKeyGroupState`].
pub trait KeyGroupSnapshot: Send {
    /// Writes the entries of `key_group`.
    ///
    /// # Errors
    /// Those of serializers and of the writer.
    fn write_key_group(&self, key_group: u32, out: &mut PairWriter<'_>) -> Result<()>;
}

/// A state as a snapshot has it: for each key group of the backend (counted from its first), shards of entries.
pub(crate) trait FrozenState: Send {
    /// Its description.
    fn meta(&self) -> &StateMetaInfoSnapshot;
    /// How many shards a key group has.
    fn shard_count(&self, group: usize) -> usize;
    /// Since which snapshot of this backend instance the shard is unchanged; `None` when it doesn't exist.
    fn since(&self, group: usize, shard: usize) -> Option<u64>;
    /// Writes the shard's entries.
    fn write_shard(&self, group: usize, shard: usize, out: &mut PairWriter<'_>) -> Result<()>;
}

/// Everything that a snapshot writes.
pub(crate) struct SnapshotSource {
    pub(crate) states: Vec<Box<dyn FrozenState>>,
    pub(crate) key_serializer: SerializerSnapshot,
    pub(crate) range: KeyGroupRange,
    pub(crate) max_parallelism: u32,
    /// Whether entries are compressed.
    pub(crate) compressed: bool,
}

pub(crate) fn io_error(source: std::io::Error) -> Error {
    Error::io("write snapshot", source)
}
