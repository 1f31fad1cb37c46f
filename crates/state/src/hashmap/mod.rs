//! The HashMap backend: state as objects in memory (Flink's `HashMapStateBackend`), with snapshots that copy nothing
//! until a shard is written again (decision D5) and handles that go straight to typed tables (D6).

pub(crate) mod codec;
mod expire;
mod frozen;
mod group;
mod kinds;
pub(crate) mod register;
mod shard;
pub(crate) mod small_map;
mod state;
mod table;
mod ttl;

use crate::backend::KeyedStateBackendParameters;
use crate::handle::KeyedStateHandle;
use crate::keyed::{KeyContext, Namespace, PreparedKey};
use crate::query::Pairs;
use crate::snapshot::incremental::IncrementalSnapshots;
use crate::snapshot::restored::{FrozenRestored, RestoredStates};
use crate::snapshot::{
    FrozenExtra, FrozenState, KeyedSnapshot, SnapshotKind, SnapshotSource, SnapshotableKeyGroupState,
    StateMetaInfoSnapshot,
};
use crate::stream::StateHandleReader;
use group::Epoch;
use millpond_core::{CheckpointId, Error, ErrorKind, Result};
use millpond_types::{KeyGroupRange, SharedSerializer, StateKey};
use register::Registered;
use state::KeysOf;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Keyed state in memory.
pub struct HashMapKeyedStateBackend<K> {
    parameters: KeyedStateBackendParameters<K>,
    context: Rc<KeyContext<K>>,
    /// In the order in which they were opened, which is that of their ids in snapshots.
    states: Vec<Registered<K>>,
    extras: Vec<Rc<dyn SnapshotableKeyGroupState>>,
    /// What was restored and not opened yet.
    restored: RestoredStates,
    epoch: Epoch,
    incremental: IncrementalSnapshots,
    state_size_bytes: Arc<AtomicU64>,
}

impl<K> fmt::Debug for HashMapKeyedStateBackend<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.states.iter().map(|s| s.meta.name.as_str()).collect();
        f.debug_struct("HashMapKeyedStateBackend")
            .field("key_groups", &self.parameters.key_group_range)
            .field("states", &names)
            .finish_non_exhaustive()
    }
}

impl<K: StateKey> HashMapKeyedStateBackend<K> {
    /// A backend with what `handles` hold of its key groups.
    ///
    /// # Errors
    /// As [`crate::backend::KeyedStateBackend::hashmap`].
    pub fn restore(
        parameters: KeyedStateBackendParameters<K>,
        handles: &[KeyedStateHandle],
        reader: &dyn StateHandleReader,
    ) -> Result<Self> {
        let range = parameters.key_group_range;
        if range.last() >= parameters.max_parallelism {
            return Err(
                Error::config("create state backend", "key groups past the max parallelism")
                    .with("key_groups", range)
                    .with("max_parallelism", parameters.max_parallelism),
            );
        }
        let restored = RestoredStates::read(
            handles,
            reader,
            range,
            parameters.max_parallelism,
            &*parameters.key_serializer,
        )?;
        Ok(HashMapKeyedStateBackend {
            context: Rc::new(KeyContext::new(parameters.max_parallelism)),
            states: Vec::new(),
            extras: Vec::new(),
            restored,
            epoch: 0,
            incremental: IncrementalSnapshots::new(parameters.backend_id.clone()),
            state_size_bytes: Arc::default(),
            parameters,
        })
    }

    pub(crate) fn parameters(&self) -> &KeyedStateBackendParameters<K> {
        &self.parameters
    }

    pub(crate) fn key_context(&self) -> &Rc<KeyContext<K>> {
        &self.context
    }

    pub(crate) fn key_group_range(&self) -> KeyGroupRange {
        self.parameters.key_group_range
    }

    pub(crate) fn prefetch(&self, keys: &[PreparedKey<K>]) {
        self.context.announce();
        self.states.iter().for_each(|s| s.state.prefetch(keys));
    }

    pub(crate) fn num_entries(&self) -> usize {
        // A state that is lending a value right now is not counted.
        self.states
            .iter()
            .map(|s| s.state.num_entries().unwrap_or(0))
            .sum()
    }

    /// The number of keys, with their namespaces, of each state; none for one that is lending a value.
    pub(crate) fn key_counts(&self) -> impl Iterator<Item = (&str, usize)> {
        let count = |s: &Registered<K>| s.state.num_entries().ok();
        self.states
            .iter()
            .filter_map(move |s| Some((s.meta.name.as_str(), count(s)?)))
    }

    pub(crate) fn state_size_bytes(&self) -> u64 {
        self.state_size_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn keys<N: Namespace>(&self, state: &str, namespace: &N) -> Result<Vec<K>> {
        self.keys_of(state)?.keys(namespace)
    }

    pub(crate) fn keys_and_namespaces<N: Namespace>(&self, state: &str) -> Result<Vec<(K, N)>> {
        self.keys_of(state)?.keys_and_namespaces()
    }

    fn keys_of<N: Namespace>(&self, state: &str) -> Result<&Rc<dyn KeysOf<K, N>>> {
        let found = self.states.iter().find(|s| s.meta.name == state).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "list keys",
                "no such state is open on this operator",
            )
            .with("state", state)
        })?;
        found.keys.downcast_ref().ok_or_else(|| {
            Error::illegal_state("list keys", "the namespaces of the state are of another type")
                .with("state", state)
                .with("wanted", std::any::type_name::<N>())
        })
    }

    pub(crate) fn open_states(&self) -> impl Iterator<Item = &StateMetaInfoSnapshot> {
        self.states.iter().map(|s| &s.meta)
    }

    pub(crate) fn key_serializer(&self) -> &SharedSerializer<K> {
        &self.parameters.key_serializer
    }

    /// What `key`, of `key_group`, has in the open state `state`.
    pub(crate) fn pairs_of(&self, state: &str, key: &K, key_group: u32) -> Result<Pairs> {
        let mut pairs = Pairs::default();
        if let Some(open) = self.states.iter().find(|s| s.meta.name == state) {
            open.state.pairs_of(key, key_group, &mut pairs)?;
        }
        Ok(pairs)
    }

    pub(crate) fn snapshot(&mut self, checkpoint: CheckpointId, kind: SnapshotKind) -> Result<KeyedSnapshot> {
        let epoch = self.epoch + 1;
        let mut states: Vec<Box<dyn FrozenState>> = Vec::with_capacity(self.states.len());
        for registered in &self.states {
            states.push(registered.state.freeze(epoch, &registered.meta)?);
        }
        for extra in &self.extras {
            states.push(Box::new(FrozenExtra::new(
                &**extra,
                epoch,
                self.parameters.key_group_range,
            )?));
        }
        states.extend(
            FrozenRestored::of_all(&self.restored)
                .into_iter()
                .map(|s| Box::new(s) as Box<dyn FrozenState>),
        );
        self.epoch = epoch;
        let source = SnapshotSource {
            states,
            key_serializer: self.parameters.key_serializer.snapshot(),
            range: self.parameters.key_group_range,
            max_parallelism: self.parameters.max_parallelism,
            compressed: self.parameters.compressed,
        };
        let size = Arc::clone(&self.state_size_bytes);
        let incremental = (kind == SnapshotKind::Checkpoint && self.parameters.incremental)
            .then(|| self.incremental.begin(checkpoint, epoch));
        Ok(KeyedSnapshot::new(move |streams| {
            let result = match incremental {
                Some(incremental) => incremental.write(&source, streams)?,
                None => crate::snapshot::full::write(&source, streams, kind == SnapshotKind::Savepoint)?,
            };
            size.store(result.state_size, Ordering::Relaxed);
            Ok(result)
        }))
    }

    pub(crate) fn notify_checkpoint_complete(&mut self, checkpoint: CheckpointId) {
        self.incremental.completed(checkpoint);
    }

    pub(crate) fn notify_checkpoint_aborted(&mut self, checkpoint: CheckpointId) {
        self.incremental.aborted(checkpoint);
    }
}
