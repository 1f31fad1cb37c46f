//! The backend itself: its states, its database, its snapshots.

use super::RocksDBOptions;
use super::cache::CacheMemory;
use super::database::Database;
use super::frozen::{ColumnSource, SourceColumn};
use super::incremental::{IncrementalSnapshots, Links};
use super::key::write_group;
use super::metrics::{SnapshotTimes, register_snapshot_times};
use super::moment::{LinkOrder, Reached, Reaching};
use super::options::LeaveUnwritten;
use super::register::Registered;
use super::restore::{RestoredColumn, restore};
use super::state::KeysOf;
use super::timers::RegisteredTimers;
use super::unwritten::TakenOut;
use crate::backend::KeyedStateBackendParameters;
use crate::handle::KeyedStateHandle;
use crate::keyed::{KeyContext, Namespace, PreparedKey};
use crate::query::Pairs;
use crate::snapshot::pairs::key_group_prefix_bytes;
use crate::snapshot::{
    FrozenExtra, FrozenState, KeyedSnapshot, SnapshotKind, SnapshotSource, SnapshotableKeyGroupState,
    StateMetaInfoSnapshot, full,
};
use crate::stream::StateHandleReader;
use millpond_core::host::{Clock, SystemClock};
use millpond_core::{CheckpointId, Error, ErrorKind, Result};
use millpond_types::{DataOutput, KeyGroupRange, SharedSerializer, StateKey};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Keyed state in a database on a local disk.
pub struct RocksDBKeyedStateBackend<K> {
    pub(super) parameters: KeyedStateBackendParameters<K>,
    pub(super) context: Rc<KeyContext<K>>,
    pub(super) prefix_bytes: usize,
    /// In the order in which they were opened, which is that of their ids in snapshots.
    pub(super) states: Vec<Registered>,
    /// Timers in the database.
    pub(super) timers: Vec<RegisteredTimers>,
    /// Timers in memory.
    pub(super) extras: Vec<Rc<dyn SnapshotableKeyGroupState>>,
    /// How many timers of a key group may be in memory when they are in the database; `None`: they are in memory alone.
    pub(super) timer_head_size: Option<usize>,
    /// What was restored and not opened yet.
    pub(super) restored: Vec<RestoredColumn>,
    /// Column families that nothing but snapshots on their way may still read.
    pub(super) retired: Vec<String>,
    /// Each snapshot on its way has a clone.
    under_way: Arc<()>,
    pub(super) cache: Arc<CacheMemory>,
    leave_unwritten: LeaveUnwritten,
    times: Arc<SnapshotTimes>,
    clock: Arc<dyn Clock>,
    pub(super) database: Arc<Database>,
    snapshots: u64,
    incremental: IncrementalSnapshots,
    state_size_bytes: Arc<AtomicU64>,
}

impl<K> fmt::Debug for RocksDBKeyedStateBackend<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.states.iter().map(|s| s.meta.name.as_str()).collect();
        f.debug_struct("RocksDBKeyedStateBackend")
            .field("key_groups", &self.parameters.key_group_range)
            .field("states", &names)
            .finish_non_exhaustive()
    }
}

impl<K: StateKey> RocksDBKeyedStateBackend<K> {
    /// A backend with what `handles` hold of its key groups.
    ///
    /// # Errors
    /// As [`super::EmbeddedRocksDBStateBackend::create_keyed_backend`].
    pub fn restore(
        parameters: KeyedStateBackendParameters<K>,
        options: &RocksDBOptions,
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
        let (database, restored) = restore(&parameters, options, handles, reader)?;
        // A part of managed memory is shared as the rest of it is.
        let cache = match options.memory {
            Some(memory) => CacheMemory::shared(
                options.cache_bytes,
                options.cache_unwritten_bytes,
                memory.slot(parameters.slot),
            ),
            None => CacheMemory::new(options.cache_bytes, options.cache_unwritten_bytes),
        };
        let times = Arc::default();
        register_snapshot_times(&parameters.gauges, &times);
        options.metrics.register_database(&parameters.gauges, &database);
        Ok(RocksDBKeyedStateBackend {
            context: Rc::new(KeyContext::new(parameters.max_parallelism)),
            prefix_bytes: key_group_prefix_bytes(parameters.max_parallelism),
            states: Vec::new(),
            timers: Vec::new(),
            extras: Vec::new(),
            timer_head_size: options.timer_head_size(),
            restored,
            retired: Vec::new(),
            under_way: Arc::new(()),
            cache,
            leave_unwritten: options.leave_unwritten,
            times,
            clock: SystemClock::shared(),
            database,
            snapshots: 0,
            incremental: IncrementalSnapshots::new(parameters.backend_id.clone(), options.transfer_threads),
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

    /// Asks the memory for what the caches hold of these keys. What lies in the database is not read ahead: nobody knows whether it
    /// will be read at all.
    pub(crate) fn prefetch(&self, keys: &[PreparedKey<K>]) {
        for open in &self.states {
            open.state.prefetch(&mut keys.iter().map(|key| key.hash));
        }
    }

    /// Reads everything: the database doesn't count.
    pub(crate) fn num_entries(&self) -> usize {
        self.states
            .iter()
            .map(|s| s.state.num_entries().unwrap_or(0))
            .sum()
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
            let mut prefix = DataOutput::new();
            write_group(key_group, self.prefix_bytes, &mut prefix);
            self.parameters.key_serializer.serialize(key, &mut prefix)?;
            open.state.pairs_of(prefix.as_slice(), &mut pairs)?;
        }
        Ok(pairs)
    }

    pub(crate) fn snapshot(&mut self, checkpoint: CheckpointId, kind: SnapshotKind) -> Result<KeyedSnapshot> {
        // At most one flight: what the last snapshot took out, or what could not be written.
        self.database.land()?;
        self.drop_retired()?;
        let started_nanos = self.clock.monotonic_nanos();
        let is_incremental = kind != SnapshotKind::Savepoint && self.parameters.incremental;
        let mut taken = TakenOut::new(if is_incremental {
            self.leave_unwritten
        } else {
            LeaveUnwritten::Nothing
        });
        let frozen = self.freeze(&mut taken);
        let TakenOut { held, unwritten, .. } = taken;
        let pilot = self.database.hold(held);
        frozen?;
        self.times
            .note_freeze_nanos(self.clock.monotonic_nanos().saturating_sub(started_nanos));
        self.snapshots += 1;
        let incremental = is_incremental.then(|| {
            self.incremental
                .begin(checkpoint, kind == SnapshotKind::FullCheckpoint)
        });
        let source = self.source()?;
        let order = incremental.as_ref().map(|_| LinkOrder {
            columns: source.columns.iter().map(|c| c.column.clone()).collect(),
            folder: format!("chk-{checkpoint}-{}", self.snapshots),
            checkpoint,
        });
        let (times, clock) = (Arc::clone(&self.times), Arc::clone(&self.clock));
        let mut reaching = Reaching::begin(pilot, checkpoint, order, times, clock)?;
        let size = Arc::clone(&self.state_size_bytes);
        let under_way = Arc::clone(&self.under_way);
        Ok(KeyedSnapshot::new(move |streams| {
            let Reached { snapshot, links } = reaching.finish()?;
            if matches!(links, Some(Links::Overtaken)) {
                tracing::info!(
                    checkpoint,
                    "written as a whole: changes after it were in RocksDB's files before they could be linked"
                );
            }
            let result = match (incremental, links) {
                (Some(job), Some(Links::Made(links))) if !source.is_empty() => {
                    let (columns, extras) = source.described();
                    // The links are all that is needed.
                    drop(snapshot);
                    job.write(&links, columns, extras, &unwritten, streams)?
                }
                _ => {
                    let source = source.at(snapshot, &unwritten)?;
                    full::write(&source, streams, kind == SnapshotKind::Savepoint)?
                }
            };
            drop(unwritten);
            size.store(result.state_size, Ordering::Relaxed);
            drop(under_way);
            Ok(result)
        }))
    }

    /// Takes out what the database lacks. After an error some of it is in `out.held`, and the rest where it was.
    pub(super) fn freeze(&self, out: &mut TakenOut) -> Result<()> {
        for registered in &self.states {
            registered.state.freeze(out)?;
        }
        for timers in &self.timers {
            timers.freeze(out)?;
        }
        Ok(())
    }

    fn frozen_extras(&self) -> Result<Vec<Box<dyn FrozenState>>> {
        let range = self.parameters.key_group_range;
        let frozen = |extra: &Rc<dyn SnapshotableKeyGroupState>| {
            FrozenExtra::new(&**extra, self.snapshots, range).map(|e| Box::new(e) as Box<dyn FrozenState>)
        };
        self.extras.iter().map(frozen).collect()
    }

    /// Everything that belongs to a snapshot.
    pub(super) fn source(&self) -> Result<ColumnSource> {
        let open = self.states.iter().map(|s| SourceColumn {
            meta: s.meta.clone(),
            column: s.column.clone(),
            left_out: s
                .left_out
                .as_ref()
                .map(|expiry| (Arc::clone(expiry), expiry.now())),
        });
        let as_stored = |meta: &StateMetaInfoSnapshot, column: &String| SourceColumn {
            meta: meta.clone(),
            column: column.clone(),
            left_out: None,
        };
        let restored = self.restored.iter().map(|r| as_stored(&r.meta, &r.column));
        // Behind the others, where timers in memory are too: so a canonical snapshot is the same for both.
        let timers = self.timers.iter().map(|t| as_stored(&t.meta, &t.column));
        Ok(ColumnSource {
            columns: open.chain(restored).chain(timers).collect(),
            prefix_bytes: self.prefix_bytes,
            extras: SnapshotSource {
                states: self.frozen_extras()?,
                key_serializer: self.parameters.key_serializer.snapshot(),
                range: self.parameters.key_group_range,
                max_parallelism: self.parameters.max_parallelism,
                compressed: self.parameters.compressed,
            },
        })
    }

    /// Drops the column families that nobody needs, unless a snapshot may still be reading them.
    fn drop_retired(&mut self) -> Result<()> {
        if Arc::strong_count(&self.under_way) > 1 {
            return Ok(());
        }
        for column in std::mem::take(&mut self.retired) {
            self.database.drop_column(&column)?;
        }
        Ok(())
    }

    pub(crate) fn notify_checkpoint_complete(&mut self, checkpoint: CheckpointId) {
        self.incremental.completed(checkpoint);
    }

    pub(crate) fn notify_checkpoint_aborted(&mut self, checkpoint: CheckpointId) {
        self.incremental.aborted(checkpoint);
    }
}
