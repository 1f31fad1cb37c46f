//! The RocksDB backend: state on a local disk, larger than memory, with incremental checkpoints (Flink's
//! `EmbeddedRocksDBStateBackend`). Behind the cargo feature `rocksdb`; `docs/rocksdb.md` says how it is built and why so.
//!
//! One database for each backend instance, one column family for each state. Keys and values are the bytes of the canonical
//! snapshot, so that one is written by copying, and state is restored without knowing its types.
//!
//! The crate is `rust-rocksdb`, not `rocksdb`: beside what both have (checkpoints, a write-buffer manager charged to a shared
//! block cache, merge operators, compaction filters, ingest, deleting files by range) it has batched reads with pinned
//! values and export and import of column families, and links a library that was built before. Both bind RocksDB's C
//! interface, which lacks `ClipColumnFamily`: rescaling deletes ranges instead.

mod backend;
mod cache;
mod column;
mod database;
mod expire;
mod flushes;
mod folder;
mod frozen;
mod in_flight;
mod incremental;
mod key;
mod kinds;
mod loading;
mod merge;
mod metrics;
mod migrate;
mod moment;
mod multi_get;
pub mod options;
mod register;
mod restore;
mod state;
mod timers;
mod ttl;
mod unwritten;

pub use backend::RocksDBKeyedStateBackend;
pub use metrics::NativeMetricOptions;
pub use options::RocksDBOptions;
pub use rust_rocksdb as native;

use crate::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use crate::handle::KeyedStateHandle;
use crate::stream::StateHandleReader;
use millpond_core::Result;
use millpond_core::config::Configuration;
use millpond_types::StateKey;

/// Makes backends that keep state in RocksDB. Flink's class of that name.
///
/// ```
/// use millpond_state::backend::KeyedStateBackendParameters;
/// use millpond_state::descriptor::ValueStateDescriptor;
/// use millpond_state::rocksdb::EmbeddedRocksDBStateBackend;
/// use millpond_state::stream::memory::MemoryStreams;
/// use millpond_types::{KeyGroupRange, StateType, VoidNamespace};
///
/// # fn main() -> millpond_core::Result<()> {
/// let parameters = KeyedStateBackendParameters::<String>::new(KeyGroupRange::new(0, 127)?, 128);
/// let streams = MemoryStreams::default();
/// let mut backend = EmbeddedRocksDBStateBackend::default().create_keyed_backend(parameters, &[], &streams)?;
/// let descriptor = ValueStateDescriptor::<i64>::new("count").default_value(0);
/// let count = backend.value_state(descriptor, VoidNamespace::serializer(), VoidNamespace)?;
/// backend.set_current_key("N14228".to_owned())?;
/// count.update(count.value()? + 1)?;
/// assert_eq!(count.value()?, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct EmbeddedRocksDBStateBackend {
    /// What the backends are configured with.
    pub options: RocksDBOptions,
}

impl EmbeddedRocksDBStateBackend {
    /// Backends with these options.
    pub fn new(options: RocksDBOptions) -> Self {
        EmbeddedRocksDBStateBackend { options }
    }

    /// Backends with the options that a configuration gives.
    ///
    /// # Errors
    /// As [`RocksDBOptions::from_config`].
    pub fn from_config(config: &Configuration) -> Result<Self> {
        RocksDBOptions::from_config(config).map(Self::new)
    }

    /// A backend with what `handles` hold of its key groups.
    ///
    /// # Errors
    /// Io when no local folder can be used, or the database refuses; Corrupt when a handle's bytes are damaged;
    /// Incompatible when the stored keys are of another type; NotFound and Io from the reader.
    pub fn create_keyed_backend<K: StateKey>(
        &self,
        parameters: KeyedStateBackendParameters<K>,
        handles: &[KeyedStateHandle],
        reader: &dyn StateHandleReader,
    ) -> Result<KeyedStateBackend<K>> {
        let backend = RocksDBKeyedStateBackend::restore(parameters, &self.options, handles, reader)?;
        Ok(KeyedStateBackend::RocksDB(backend))
    }
}
