//! The keyed state backend: what a keyed operator instance asks for its states, and what snapshots them.
//!
//! [`KeyedStateBackend`] is a façade over the implementations; HashMap, and RocksDB where it is built in. It is generic
//! over the key, the handles that it gives out are not.

mod all_keys;
mod open;
mod parameters;

pub use all_keys::KeyedStateDescriptor;
pub use parameters::KeyedStateBackendParameters;

use crate::handle::KeyedStateHandle;
use crate::hashmap::HashMapKeyedStateBackend;
use crate::keyed::{KeyContext, Namespace, PreparedKey};
use crate::query::{QueryAnswer, QueryKey, unknown_state, view};
#[cfg(feature = "rocksdb")]
use crate::rocksdb::RocksDBKeyedStateBackend;
use crate::snapshot::{KeyedSnapshot, SnapshotKind, SnapshotableKeyGroupState};
use crate::stream::StateHandleReader;
use millpond_core::config::Configuration;
use millpond_core::{CheckpointId, Result};
#[cfg(not(feature = "rocksdb"))]
use millpond_core::{Error, ErrorKind};
use millpond_types::{KeyGroupRange, StateKey};
use std::rc::Rc;

/// The keyed state of one operator instance. Flink's `AbstractKeyedStateBackend`.
///
/// ```
/// use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
/// use millpond_state::descriptor::ValueStateDescriptor;
/// use millpond_state::snapshot::SnapshotKind;
/// use millpond_state::stream::memory::MemoryStreams;
/// use millpond_types::{KeyGroupRange, StateType, VoidNamespace};
///
/// # fn main() -> millpond_core::Result<()> {
/// let streams = MemoryStreams::default();
/// let parameters = KeyedStateBackendParameters::<String>::new(KeyGroupRange::new(0, 127)?, 128);
/// let mut backend = KeyedStateBackend::hashmap(parameters.clone(), &[], &streams)?;
/// let descriptor = ValueStateDescriptor::<i64>::new("count").default_value(0);
/// let count = backend.value_state(descriptor.clone(), VoidNamespace::serializer(), VoidNamespace)?;
/// backend.set_current_key("N14228".to_owned())?;
/// count.update(count.value()? + 1)?;
///
/// // The snapshot is of this moment; writing goes on, and another thread may run it meanwhile.
/// let snapshot = backend.snapshot(1, SnapshotKind::Checkpoint)?;
/// count.update(7)?;
/// let handle = snapshot.run(&streams)?.handle;
///
/// let mut restored = KeyedStateBackend::hashmap(parameters, handle.as_slice(), &streams)?;
/// let count = restored.value_state(descriptor, VoidNamespace::serializer(), VoidNamespace)?;
/// restored.set_current_key("N14228".to_owned())?;
/// assert_eq!(count.value()?, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub enum KeyedStateBackend<K> {
    /// State as objects in memory. Flink's `HashMapStateBackend`.
    HashMap(HashMapKeyedStateBackend<K>),
    /// State in a database on a local disk. Flink's `EmbeddedRocksDBStateBackend`.
    #[cfg(feature = "rocksdb")]
    RocksDB(RocksDBKeyedStateBackend<K>),
}

/// Hands a call to the implementation.
macro_rules! each {
    ($self:expr, $backend:ident => $call:expr) => {
        match $self {
            KeyedStateBackend::HashMap($backend) => $call,
            #[cfg(feature = "rocksdb")]
            KeyedStateBackend::RocksDB($backend) => $call,
        }
    };
}
use each;

impl<K: StateKey> KeyedStateBackend<K> {
    /// A HashMap backend with what `handles` hold of its key groups; empty when there are none.
    ///
    /// # Errors
    /// Corrupt when a handle's bytes are damaged; Incompatible when the stored keys are of another type; NotFound and Io
    /// from the reader.
    pub fn hashmap(
        parameters: KeyedStateBackendParameters<K>,
        handles: &[KeyedStateHandle],
        reader: &dyn StateHandleReader,
    ) -> Result<Self> {
        HashMapKeyedStateBackend::restore(parameters, handles, reader).map(KeyedStateBackend::HashMap)
    }

    /// A RocksDB backend configured by `config`, with what `handles` hold of its key groups.
    ///
    /// # Errors
    /// Unsupported in a build without the cargo feature `rocksdb`; Config for an option out of range; Io when a local folder
    /// can't be used; else as [`KeyedStateBackend::hashmap`].
    #[cfg_attr(
        not(feature = "rocksdb"),
        expect(unused_variables, reason = "refused in this build")
    )]
    pub fn rocksdb(
        parameters: KeyedStateBackendParameters<K>,
        config: &Configuration,
        handles: &[KeyedStateHandle],
        reader: &dyn StateHandleReader,
    ) -> Result<Self> {
        #[cfg(feature = "rocksdb")]
        return crate::rocksdb::EmbeddedRocksDBStateBackend::from_config(config)?
            .create_keyed_backend(parameters, handles, reader);
        #[cfg(not(feature = "rocksdb"))]
        Err(Error::new(
            ErrorKind::Unsupported,
            "create state backend",
            "this build has no RocksDB backend",
        )
        .with("option", "state.backend.type=rocksdb")
        .hint("build with the cargo feature `rocksdb`, or use the hashmap backend"))
    }

    /// Adds a state that lives beside the backend and is stored with it, and gives it back what was restored under its
    /// name.
    ///
    /// # Errors
    /// Config when the name is taken; what the state answers about its restored entries.
    pub fn register_key_group_state(&mut self, state: Rc<dyn SnapshotableKeyGroupState>) -> Result<()> {
        each!(self, b => b.register_key_group_state(state))
    }

    /// The current key and what is computed from it; setting it here moves every state of this backend.
    pub fn key_context(&self) -> &Rc<KeyContext<K>> {
        each!(self, b => b.key_context())
    }

    /// Makes `key` the current key.
    ///
    /// # Errors
    /// As [`KeyContext::set_current_key`].
    #[inline]
    pub fn set_current_key(&self, key: K) -> Result<()> {
        self.key_context().set_current_key(key)
    }

    /// Brings what `keys` have nearer to the processor, before they become current one after the other, and remembers where it is
    /// for those that come in this order. Only a hint: it changes nothing, and no access depends on it.
    /// [`PREFETCH_BATCH`](crate::keyed::PREFETCH_BATCH) keys at a time are best.
    #[inline]
    pub fn prefetch(&self, keys: &[PreparedKey<K>]) {
        each!(self, b => b.prefetch(keys));
    }

    /// A copy of the current key.
    ///
    /// # Errors
    /// IllegalState when none was set.
    pub fn current_key(&self) -> Result<K> {
        self.key_context().current_key().map(|k| k.clone())
    }

    /// The key groups that this instance owns.
    pub fn key_group_range(&self) -> KeyGroupRange {
        each!(self, b => b.key_group_range())
    }

    /// The keys that have something in `state` under `namespace`, in no particular but a repeatable order.
    ///
    /// # Errors
    /// NotFound when no such state is open; IllegalState when its namespaces are of another type.
    pub fn keys<N: Namespace>(&self, state: &str, namespace: &N) -> Result<Vec<K>> {
        each!(self, b => b.keys(state, namespace))
    }

    /// Every key with every namespace that it has something in `state` under. Flink's `getKeysAndNamespaces`.
    ///
    /// # Errors
    /// As [`KeyedStateBackend::keys`].
    pub fn keys_and_namespaces<N: Namespace>(&self, state: &str) -> Result<Vec<(K, N)>> {
        each!(self, b => b.keys_and_namespaces(state))
    }

    /// What `key` has in `state`, for people. The current key stays what it is.
    ///
    /// # Errors
    /// NotFound when no such state is open, naming those that are; Config when the key doesn't fit its type; Unsupported when
    /// keys of this type can't be written down, or too much would have to be shown; IllegalState while the state lends a
    /// value; Incompatible when only the user's own serializer knows what the bytes mean.
    pub fn query(&self, state: &str, key: &QueryKey) -> Result<QueryAnswer> {
        let meta = each!(self, b => {
            let mut open = b.open_states();
            open.find(|meta| meta.name == state).ok_or_else(|| unknown_state(state, b.open_states()))?
        });
        let serializer = each!(self, b => b.key_serializer());
        let key = key.read(serializer)?;
        let key_group = self.key_context().key_group_of(&key);
        if !self.key_group_range().contains(key_group) {
            return Ok(QueryAnswer::Elsewhere { key_group });
        }
        let pairs = each!(self, b => b.pairs_of(state, &key, key_group))?;
        view(meta, &serializer.snapshot(), key_group, &pairs)
            .map(QueryAnswer::Found)
            .map_err(|e| e.with("state", state))
    }

    /// How many keys (with their namespaces) all states together hold.
    pub fn num_entries(&self) -> usize {
        each!(self, b => b.num_entries())
    }

    /// The bytes of the whole state as the last finished snapshot found it; 0 before the first.
    pub fn state_size_bytes(&self) -> u64 {
        each!(self, b => b.state_size_bytes())
    }

    /// Freezes every state, in time proportional to the number of shards changed or not, and returns the part that writes
    /// them.
    ///
    /// # Errors
    /// IllegalState when called from inside a callback that a state lends a value to.
    pub fn snapshot(&mut self, checkpoint: CheckpointId, kind: SnapshotKind) -> Result<KeyedSnapshot> {
        self.show_key_counts();
        each!(self, b => b.snapshot(checkpoint, kind))
    }

    /// In a database only reading everything would tell: RocksDB's own estimates are among its native metrics.
    fn show_key_counts(&self) {
        if let KeyedStateBackend::HashMap(backend) = self
            && let Some(metrics) = &backend.parameters().key_counts
        {
            for (state, keys) in backend.key_counts() {
                metrics.set_key_count(state, keys);
            }
        }
    }

    /// The checkpoint is complete: later ones may name its files.
    pub fn notify_checkpoint_complete(&mut self, checkpoint: CheckpointId) {
        each!(self, b => b.notify_checkpoint_complete(checkpoint));
    }

    /// The checkpoint will never complete.
    pub fn notify_checkpoint_aborted(&mut self, checkpoint: CheckpointId) {
        each!(self, b => b.notify_checkpoint_aborted(checkpoint));
    }
}
