//! One operator instance: a backend with its one value state, without a task around it.

use super::keys::{Values, key_group};
use super::{MAX_PARALLELISM, Scratch};
use millpond_checkpoint::storage::{FileSystemCheckpointStorage, StorageOptions};
use millpond_core::host::{Clock, SystemClock};
use millpond_core::{CheckpointId, Error, JobId, Result};
use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond_state::descriptor::ValueStateDescriptor;
use millpond_state::handle::KeyedStateHandle;
use millpond_state::keyed::ValueState;
use millpond_state::snapshot::SnapshotKind;
use millpond_types::{KeyGroupRange, StateType, VoidNamespace};
use std::path::PathBuf;
use std::sync::Arc;

/// Which backend holds the state.
#[derive(Clone, Copy, Debug)]
pub(super) enum BackendKind {
    HashMap,
    /// With or without its cache of typed values.
    #[cfg(feature = "rocksdb")]
    RocksDB {
        cached: bool,
    },
}

/// Where all instances of a suite keep local files and checkpoints.
#[derive(Clone)]
pub(super) struct Place {
    kind: BackendKind,
    storage: Arc<FileSystemCheckpointStorage>,
    #[cfg_attr(
        not(feature = "rocksdb"),
        expect(dead_code, reason = "only RocksDB has local files")
    )]
    local: PathBuf,
    clock: Arc<dyn Clock>,
}

pub(super) struct Instance {
    place: Place,
    backend: KeyedStateBackend<i64>,
    state: ValueState<Vec<u8>, VoidNamespace>,
}

/// What one checkpoint of an instance took.
pub(super) struct Checkpoint {
    pub(super) sync_nanos: u64,
    pub(super) async_nanos: u64,
    /// The bytes that it added.
    pub(super) bytes: u64,
    pub(super) handle: KeyedStateHandle,
}

impl Place {
    pub(super) fn new(kind: BackendKind, scratch: &Scratch, name: &str) -> Result<Self> {
        let folder = scratch.path().join(name);
        let job = JobId::from_name("big-state");
        Ok(Place {
            kind,
            storage: FileSystemCheckpointStorage::open(
                &folder.join("checkpoints").display().to_string(),
                job,
                StorageOptions::default(),
            )?,
            local: folder.join("local"),
            clock: SystemClock::shared(),
        })
    }

    pub(super) fn now(&self) -> u64 {
        self.clock.monotonic_nanos()
    }

    fn backend(
        &self,
        range: KeyGroupRange,
        handles: &[KeyedStateHandle],
        from: CheckpointId,
    ) -> Result<KeyedStateBackend<i64>> {
        let parameters = KeyedStateBackendParameters::new(range, MAX_PARALLELISM).incremental(true);
        let reader = self.storage.new_checkpoint(from)?.reader();
        match self.kind {
            BackendKind::HashMap => KeyedStateBackend::hashmap(parameters, handles, &*reader),
            #[cfg(feature = "rocksdb")]
            BackendKind::RocksDB { cached } => {
                use millpond_state::rocksdb::{EmbeddedRocksDBStateBackend, RocksDBOptions};
                let mut options = RocksDBOptions {
                    local_dirs: vec![self.local.clone()],
                    ..RocksDBOptions::default()
                };
                if !cached {
                    options.cache_bytes = 0;
                }
                EmbeddedRocksDBStateBackend::new(options).create_keyed_backend(parameters, handles, &*reader)
            }
        }
    }
}

impl Instance {
    /// An instance of these key groups with what `handles`, of checkpoint `from`, hold of them.
    pub(super) fn open(
        place: &Place,
        range: KeyGroupRange,
        handles: &[KeyedStateHandle],
        from: CheckpointId,
    ) -> Result<Self> {
        let mut backend = place.backend(range, handles, from)?;
        let descriptor = ValueStateDescriptor::<Vec<u8>>::new("v");
        let state = backend.value_state(descriptor, VoidNamespace::serializer(), VoidNamespace)?;
        Ok(Instance {
            place: place.clone(),
            backend,
            state,
        })
    }

    /// Updates those of `keys` that are the instance's; `values` is drawn from for every key, so that instances of any
    /// parallelism store the same.
    pub(super) fn update(&self, keys: impl Iterator<Item = i64>, values: &mut Values) -> Result<()> {
        let range = self.backend.key_group_range();
        for key in keys {
            let value = values.next();
            if range.contains(key_group(key)) {
                self.backend.set_current_key(key)?;
                self.state.update(value)?;
            }
        }
        Ok(())
    }

    /// Reads the value of a key that must have one, and updates it.
    pub(super) fn process(&self, key: i64, value: Vec<u8>) -> Result<()> {
        self.backend.set_current_key(key)?;
        if self.state.get()?.is_none() {
            return Err(Error::illegal_state("run benchmarks", "a key was lost").with("key", key));
        }
        self.state.update(value)
    }

    /// Takes a checkpoint, both parts one after the other, and tells the backend that it is complete.
    pub(super) fn checkpoint(&mut self, id: CheckpointId) -> Result<Checkpoint> {
        let streams = self.place.storage.new_checkpoint(id)?.stream_factory();
        let start = self.place.now();
        let snapshot = self.backend.snapshot(id, SnapshotKind::Checkpoint)?;
        let synchronous = self.place.now();
        let result = snapshot.run(&*streams)?;
        let end = self.place.now();
        self.backend.notify_checkpoint_complete(id);
        let handle = result
            .handle
            .ok_or_else(|| Error::illegal_state("run benchmarks", "the checkpoint is empty"))?;
        Ok(Checkpoint {
            sync_nanos: synchronous.saturating_sub(start),
            async_nanos: end.saturating_sub(synchronous),
            bytes: handle.checkpointed_size(),
            handle,
        })
    }
}
