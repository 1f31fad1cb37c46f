//! A job of several operator instances, its checkpoints in all their stages, and the random steps between them.

use crate::model::Model;
use crate::states::{Instance, STATES};
use millpond_core::Configuration;
use millpond_core::host::{SeededRandom, spawn};
use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond_state::handle::KeyedStateHandle;
use millpond_state::metrics::{SizeTracking, StateMetrics};
use millpond_state::snapshot::{KeyedSnapshot, SnapshotKind};
use millpond_state::stream::memory::{MemoryStreams, file_name};
use millpond_types::StateKey;
use millpond_types::key_group::{
    key_group_for_hash, key_group_range_for_operator, operator_index_for_key_group,
};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

/// A type of key that the test makes from numbers.
pub trait TestKey: StateKey + Ord + Debug {
    fn make(number: u64) -> Self;
    fn key_group(&self, max_parallelism: u32) -> u32 {
        key_group_for_hash(self.java_hash(), max_parallelism)
    }
}

impl TestKey for i64 {
    fn make(number: u64) -> Self {
        number as i64 - 20
    }
}

impl TestKey for String {
    fn make(number: u64) -> Self {
        // Short and long, and some that are beginnings of others.
        "key".repeat(number as usize % 3) + &number.to_string()
    }
}

fn every_access_measured() -> Arc<SizeTracking> {
    let mut config = Configuration::new();
    config.set("state.size-track.keyed-state-enabled", true);
    config.set("state.size-track.sample-interval", 1);
    let tracking = SizeTracking::from_config(&config, &StateMetrics::default()).unwrap();
    Arc::new(tracking.unwrap())
}

/// A checkpoint on its way.
struct Pending<K: Ord> {
    id: u64,
    kind: SnapshotKind,
    snapshots: Vec<KeyedSnapshot>,
    /// The model at the moment of the snapshot.
    model: Model<K>,
}

/// A checkpoint that is complete.
struct Completed<K: Ord> {
    id: u64,
    kind: SnapshotKind,
    handles: Vec<KeyedStateHandle>,
    model: Model<K>,
}

/// What a test is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    pub backend: TestBackend,
    /// Whether states have a time to live, which the job doesn't reach.
    pub ttl: bool,
    pub incremental: bool,
}

/// The backend that a test is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestBackend {
    HashMap,
    /// With so many bytes of typed values in front of the database.
    #[cfg(feature = "rocksdb")]
    RocksDB {
        cache_bytes: usize,
        leave: millpond_state::rocksdb::options::LeaveUnwritten,
    },
}

impl TestBackend {
    fn create<K: StateKey>(
        self,
        parameters: KeyedStateBackendParameters<K>,
        handles: &[KeyedStateHandle],
        streams: &MemoryStreams,
    ) -> KeyedStateBackend<K> {
        match self {
            TestBackend::HashMap => KeyedStateBackend::hashmap(parameters, handles, streams).unwrap(),
            #[cfg(feature = "rocksdb")]
            TestBackend::RocksDB { cache_bytes, leave } => {
                let mut backend = millpond_state::rocksdb::EmbeddedRocksDBStateBackend::default();
                backend.options.cache_bytes = cache_bytes;
                backend.options.leave_unwritten = leave;
                backend.options.given.write_buffer_size = Some(1 << 20);
                backend
                    .create_keyed_backend(parameters, handles, streams)
                    .unwrap()
            }
        }
    }
}

pub struct Job<K: TestKey> {
    random: SeededRandom,
    setup: Setup,
    max_parallelism: u32,
    key_count: u64,
    instances: Vec<Instance<K>>,
    model: Model<K>,
    streams: MemoryStreams,
    next_checkpoint: u64,
    pending: Vec<Pending<K>>,
    completed: Vec<Completed<K>>,
    /// Completion notices not delivered yet: the instance and the checkpoint.
    notices: Vec<(usize, u64)>,
    pub restores: u64,
}

impl<K: TestKey> Job<K> {
    pub fn new(mut random: SeededRandom, setup: Setup) -> Self {
        let max_parallelism = [1, 3, 8, 128, 300][random.below(5) as usize];
        let key_count = [30, 300, 3_000][random.below(3) as usize];
        let mut job = Job {
            random,
            setup,
            max_parallelism,
            key_count,
            instances: Vec::new(),
            model: Model::default(),
            streams: MemoryStreams::default(),
            next_checkpoint: 1,
            pending: Vec::new(),
            completed: Vec::new(),
            notices: Vec::new(),
            restores: 0,
        };
        job.start(&[], [true; STATES]);
        job
    }

    /// Starts the instances, at a random parallelism.
    fn start(&mut self, handles: &[KeyedStateHandle], open: [bool; STATES]) {
        let parallelism = 1 + self.random.below(u64::from(self.max_parallelism.min(4))) as u32;
        // A savepoint moves between the backends, and so does what the HashMap backend wrote.
        let foreign = handles
            .iter()
            .any(|h| matches!(h, KeyedStateHandle::Incremental(_)));
        let backend = if !foreign && self.random.chance(1, 4) {
            TestBackend::HashMap
        } else {
            self.setup.backend
        };
        // What one run has compressed, the next may not.
        let compressed = self.random.chance(1, 3);
        // Neither may it matter whether accesses are measured.
        let measured = self.random.chance(1, 4).then(every_access_measured);
        let create = |index| {
            let range = key_group_range_for_operator(self.max_parallelism, parallelism, index);
            let mut parameters = KeyedStateBackendParameters::new(range, self.max_parallelism)
                .incremental(self.setup.incremental)
                .compressed(compressed);
            parameters.size_tracking = measured.clone();
            let backend = backend.create(parameters, handles, &self.streams);
            Instance::new(backend, self.setup.ttl, open)
        };
        self.instances = (0..parallelism).map(create).collect();
    }

    /// One random step: mostly an operation on a key.
    pub fn step(&mut self) {
        match self.random.below(1_000) {
            0..4 => self.snapshot(),
            4..8 => self.run_a_snapshot(),
            8 | 9 => self.abort(),
            10..14 => self.deliver_a_notice(),
            14 if self.random.chance(1, 2) => self.restore(),
            _ => self.operate(),
        }
    }

    fn operate(&mut self) {
        let key = K::make(self.random.below(self.key_count));
        let group = key.key_group(self.max_parallelism);
        let parallelism = self.instances.len() as u32;
        let index = operator_index_for_key_group(group, self.max_parallelism, parallelism);
        self.instances[index as usize].operate(&key, &mut self.model, &mut self.random);
    }

    fn snapshot(&mut self) {
        let kind = match self.random.below(10) {
            0 => SnapshotKind::Savepoint,
            1 => SnapshotKind::FullCheckpoint,
            _ => SnapshotKind::Checkpoint,
        };
        let id = self.next_checkpoint;
        self.next_checkpoint += 1;
        let snapshots = self
            .instances
            .iter_mut()
            .map(|i| i.backend.snapshot(id, kind).unwrap())
            .collect();
        let model = self.model.clone();
        self.pending.push(Pending {
            id,
            kind,
            snapshots,
            model,
        });
    }

    /// Runs the asynchronous part of some pending checkpoint: the oldest, or another, on a thread or here.
    fn run_a_snapshot(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let last = self.pending.len() as u64 - 1;
        let at = if self.random.chance(2, 3) {
            0
        } else {
            self.random.below(last + 1) as usize
        };
        let pending = self.pending.remove(at);
        let fails = self.random.chance(1, 8);
        self.streams.refuse_writes(fails);
        let streams = self.streams.clone();
        let snapshots = pending.snapshots;
        let run = move || snapshots.into_iter().map(|s| s.run(&streams)).collect::<Vec<_>>();
        let results = if self.random.chance(1, 2) {
            let thread = spawn("snapshot", run).unwrap();
            // The writer goes on meanwhile.
            for _ in 0..50 {
                self.operate();
            }
            thread.join().unwrap()
        } else {
            run()
        };
        self.streams.refuse_writes(false);
        if fails {
            assert!(results.iter().any(Result::is_err), "nothing was written");
            self.tell_aborted(pending.id);
            return;
        }
        let handles: Vec<_> = results.into_iter().filter_map(|r| r.unwrap().handle).collect();
        if self.random.chance(1, 6) {
            // Written, but another task failed: its files go away.
            self.delete_files_of(&handles);
            self.tell_aborted(pending.id);
            return;
        }
        if self.completed.last().is_some_and(|c| c.id > pending.id) {
            // Subsumed by a younger one.
            self.delete_files_of(&handles);
            self.tell_aborted(pending.id);
            return;
        }
        for instance in 0..self.instances.len() {
            self.notices.push((instance, pending.id));
        }
        self.completed.push(Completed {
            id: pending.id,
            kind: pending.kind,
            handles,
            model: pending.model,
        });
        self.delete_old_files();
    }

    fn abort(&mut self) {
        if !self.pending.is_empty() {
            let at = self.random.below(self.pending.len() as u64) as usize;
            let id = self.pending.remove(at).id;
            self.tell_aborted(id);
        }
    }

    fn tell_aborted(&mut self, id: u64) {
        for instance in &mut self.instances {
            instance.backend.notify_checkpoint_aborted(id);
        }
    }

    fn deliver_a_notice(&mut self) {
        if !self.notices.is_empty() {
            let (instance, id) = self.notices.remove(0);
            self.instances[instance].backend.notify_checkpoint_complete(id);
        }
    }

    /// The files that a completed checkpoint still needs.
    fn needed(&self) -> BTreeSet<String> {
        let handles = self.completed.iter().flat_map(|c| &c.handles);
        handles
            .flat_map(KeyedStateHandle::streams)
            .filter_map(|s| file_name(s).map(str::to_owned))
            .collect()
    }

    /// Deletes what an aborted checkpoint wrote.
    fn delete_files_of(&self, handles: &[KeyedStateHandle]) {
        let needed = self.needed();
        for stream in handles.iter().flat_map(KeyedStateHandle::streams) {
            if file_name(stream).is_some_and(|name| !needed.contains(name)) {
                self.streams.remove(stream);
            }
        }
    }

    /// Retains the last checkpoints, and those that an undelivered notice or a pending checkpoint may build on.
    fn delete_old_files(&mut self) {
        if self.notices.is_empty() && self.pending.is_empty() && self.completed.len() > 2 {
            self.completed.drain(..self.completed.len() - 2);
            let needed = self.needed();
            self.streams.retain(|name| needed.contains(name));
        }
    }

    fn restore(&mut self) {
        let Some(newest) = self.completed.last() else {
            return;
        };
        let from = match self.completed.iter().rev().nth(1) {
            Some(older) if self.random.chance(1, 4) => older,
            _ => newest,
        };
        assert!(from.id < self.next_checkpoint);
        let savepoint = |h: &KeyedStateHandle| matches!(h, KeyedStateHandle::KeyGroups(h) if h.savepoint);
        let is_savepoint = from.kind == SnapshotKind::Savepoint;
        assert!(from.handles.iter().all(|h| savepoint(h) == is_savepoint));
        let (handles, model) = (from.handles.clone(), from.model.clone());
        self.pending.clear();
        self.notices.clear();
        self.model = model;
        // States that nobody opens must survive until somebody does.
        let mut open = [true; STATES];
        if self.random.chance(1, 3) {
            open = std::array::from_fn(|_| self.random.chance(1, 2));
        }
        self.start(&handles, open);
        self.restores += 1;
        self.check();
    }

    /// Compares everything that the open states hold with the model.
    fn check(&self) {
        let mut seen = Model::default();
        self.instances.iter().for_each(|i| i.collect(&mut seen));
        let mut expected = self.model.clone();
        let open = self.instances[0].open;
        // A state that is not open cannot be looked into.
        if !open[0] {
            expected.value.clear();
        }
        if !open[1] {
            expected.text.clear();
        }
        if !open[2] {
            expected.list.clear();
        }
        if !open[3] {
            expected.map.clear();
        }
        if !open[4] {
            expected.windows.clear();
        }
        if !open[5] {
            expected.sum.clear();
        }
        if !open[6] {
            expected.mean.clear();
        }
        assert!(
            seen == expected,
            "after restore {} the states differ from the model",
            self.restores
        );
    }

    /// Ends the case: a last checkpoint and a restore with every state opened.
    pub fn finish(&mut self) {
        self.check();
        self.snapshot();
        let Some(last) = self.pending.pop() else {
            panic!("no snapshot was taken");
        };
        let results = last.snapshots.into_iter().map(|s| s.run(&self.streams).unwrap());
        let handles: Vec<_> = results.filter_map(|r| r.handle).collect();
        self.model = last.model;
        self.start(&handles, [true; STATES]);
        self.restores += 1;
        self.check();
    }
}
