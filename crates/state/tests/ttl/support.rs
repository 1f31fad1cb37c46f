//! The backends on a driven clock, and one way to use every kind of state.

use millpond_core::Result;
use millpond_core::host::ManualClock;
use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond_state::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor,
    ReducingStateDescriptor, ValueStateDescriptor,
};
use millpond_state::handle::KeyedStateHandle;
use millpond_state::keyed::{AggregatingState, ListState, MapState, ReducingState, ValueState};
use millpond_state::snapshot::{SnapshotKind, SnapshotResult};
use millpond_state::stream::memory::MemoryStreams;
use millpond_state::ttl::{StateTtlConfig, StateTtlConfigBuilder};
use millpond_types::{KeyGroupRange, StateType, VoidNamespace};
use std::sync::Arc;
use std::time::Duration;

pub const MAX_PARALLELISM: u32 = 32;
pub const TTL_MS: i64 = 1000;

pub fn ttl() -> StateTtlConfigBuilder {
    StateTtlConfig::new_builder(Duration::from_millis(TTL_MS.unsigned_abs()))
}

/// Sums, as an aggregate function.
#[derive(Clone)]
pub struct Sum;

impl AggregateFunction for Sum {
    type In = i64;
    type Acc = i64;
    type Out = String;
    fn create_accumulator(&self) -> i64 {
        0
    }
    fn add(&self, value: i64, accumulator: &mut i64) {
        *accumulator += value;
    }
    fn get_result(&self, accumulator: &i64) -> String {
        accumulator.to_string()
    }
    fn merge(&self, accumulator: &mut i64, other: i64) {
        *accumulator += other;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Value,
    List,
    Map,
    Reducing,
    Aggregating,
}

pub const KINDS: [Kind; 5] = [
    Kind::Value,
    Kind::List,
    Kind::Map,
    Kind::Reducing,
    Kind::Aggregating,
];

/// An open state of some kind.
pub enum State {
    Value(ValueState<i64>),
    List(ListState<i64>),
    Map(MapState<i64, i64>),
    Reducing(ReducingState<i64>),
    Aggregating(AggregatingState<Sum>),
}

/// What keeps the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    HashMap,
    #[cfg(feature = "rocksdb")]
    RocksDB,
    /// With the cache of typed values in front of it.
    #[cfg(feature = "rocksdb")]
    CachedRocksDB,
}

pub const BACKENDS: &[Backend] = &[
    Backend::HashMap,
    #[cfg(feature = "rocksdb")]
    Backend::RocksDB,
    #[cfg(feature = "rocksdb")]
    Backend::CachedRocksDB,
];

/// Makes a test of each function for each backend.
macro_rules! on_every_backend {
    ($($test:ident),+ $(,)?) => {
        mod hashmap {
            $(#[test] fn $test() { super::$test($crate::support::Backend::HashMap); })+
        }
        #[cfg(feature = "rocksdb")]
        mod rocksdb {
            $(#[test] fn $test() { super::$test($crate::support::Backend::RocksDB); })+
        }
        #[cfg(feature = "rocksdb")]
        mod cached_rocksdb {
            $(#[test] fn $test() { super::$test($crate::support::Backend::CachedRocksDB); })+
        }
    };
}
pub(crate) use on_every_backend;

pub struct World {
    kind: Backend,
    pub clock: Arc<ManualClock>,
    pub streams: MemoryStreams,
    pub backend: KeyedStateBackend<i64>,
    pub incremental: bool,
    checkpoint: u64,
}

impl World {
    pub fn new(kind: Backend, incremental: bool) -> Self {
        let (clock, streams) = (ManualClock::new(1_000_000), MemoryStreams::default());
        let backend = create(kind, &clock, &streams, incremental, &[]).unwrap();
        World {
            kind,
            clock,
            streams,
            backend,
            incremental,
            checkpoint: 0,
        }
    }

    pub fn advance(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
    }

    pub fn try_open(&mut self, kind: Kind, config: StateTtlConfig) -> Result<State> {
        let void = VoidNamespace::serializer();
        let b = &mut self.backend;
        Ok(match kind {
            Kind::Value => {
                let d = ValueStateDescriptor::new("s").default_value(-1);
                State::Value(b.value_state(d.enable_time_to_live(config), void, VoidNamespace)?)
            }
            Kind::List => {
                let d = ListStateDescriptor::new("s").enable_time_to_live(config);
                State::List(b.list_state(d, void, VoidNamespace)?)
            }
            Kind::Map => {
                let d = MapStateDescriptor::new("s").enable_time_to_live(config);
                State::Map(b.map_state(d, void, VoidNamespace)?)
            }
            Kind::Reducing => {
                let d = ReducingStateDescriptor::new("s", |sum: &mut i64, v: i64| *sum += v);
                State::Reducing(b.reducing_state(d.enable_time_to_live(config), void, VoidNamespace)?)
            }
            Kind::Aggregating => {
                let d = AggregatingStateDescriptor::new("s", Sum).enable_time_to_live(config);
                State::Aggregating(b.aggregating_state(d, void, VoidNamespace)?)
            }
        })
    }

    pub fn open(&mut self, kind: Kind, config: StateTtlConfig) -> State {
        self.try_open(kind, config).unwrap()
    }

    pub fn key(&self, key: i64) {
        self.backend.set_current_key(key).unwrap();
    }

    /// Takes a snapshot and completes it.
    pub fn snapshot(&mut self, kind: SnapshotKind) -> SnapshotResult {
        self.checkpoint += 1;
        let snapshot = self.backend.snapshot(self.checkpoint, kind).unwrap();
        let result = snapshot.run(&self.streams).unwrap();
        self.backend.notify_checkpoint_complete(self.checkpoint);
        result
    }

    /// Goes on with what a snapshot held.
    pub fn restore(&mut self, handle: Option<&KeyedStateHandle>) {
        self.restore_on(self.kind, handle);
    }

    /// Goes on with what a snapshot held on another backend.
    pub fn restore_on(&mut self, kind: Backend, handle: Option<&KeyedStateHandle>) {
        let handles: Vec<_> = handle.into_iter().cloned().collect();
        self.backend = create(kind, &self.clock, &self.streams, self.incremental, &handles).unwrap();
        self.kind = kind;
    }
}

fn create(
    kind: Backend,
    clock: &Arc<ManualClock>,
    streams: &MemoryStreams,
    incremental: bool,
    handles: &[KeyedStateHandle],
) -> Result<KeyedStateBackend<i64>> {
    let range = KeyGroupRange::new(0, MAX_PARALLELISM - 1)?;
    let parameters = KeyedStateBackendParameters::new(range, MAX_PARALLELISM)
        .incremental(incremental)
        .ttl_clock(clock.clone());
    match kind {
        Backend::HashMap => KeyedStateBackend::hashmap(parameters, handles, streams),
        #[cfg(feature = "rocksdb")]
        Backend::RocksDB => rocksdb::create(parameters, 0, handles, streams),
        #[cfg(feature = "rocksdb")]
        Backend::CachedRocksDB => rocksdb::create(parameters, 1 << 20, handles, streams),
    }
}

#[cfg(feature = "rocksdb")]
mod rocksdb {
    use super::*;
    use millpond_state::rocksdb::options::RocksDBOptionsFactory;
    use millpond_state::rocksdb::{EmbeddedRocksDBStateBackend, native};

    /// Makes compactions happen with the little that a test writes.
    #[derive(Debug)]
    struct Busy;

    impl RocksDBOptionsFactory for Busy {
        fn column_options(&self, _state: &str, options: &mut native::Options) {
            options.set_level_zero_file_num_compaction_trigger(2);
            options.set_write_buffer_size(64 << 10);
        }
    }

    pub fn create(
        parameters: KeyedStateBackendParameters<i64>,
        cache_bytes: usize,
        handles: &[KeyedStateHandle],
        streams: &MemoryStreams,
    ) -> Result<KeyedStateBackend<i64>> {
        let mut backend = EmbeddedRocksDBStateBackend::default();
        backend.options.cache_bytes = cache_bytes;
        backend.options.factory = Some(Arc::new(Busy));
        backend.create_keyed_backend(parameters, handles, streams)
    }
}
