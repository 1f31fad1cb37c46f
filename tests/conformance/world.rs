//! What a test stands on: a storage, a clock, and instances of the configured backend with short ways to open states.

use crate::configuration::{Backend, Configuration};
use crate::erased::{
    Aggregating, Erased, ErasedAggregate, ErasedReduce, ErasedSerializer, List, Map, Reducing, Value, erase,
};
use crate::functions::Mean;
use millpond_core::host::ManualClock;
use millpond_core::{Error, Result};
use millpond_state::backend::{KeyedStateBackend, KeyedStateBackendParameters};
use millpond_state::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor,
    ReducingStateDescriptor, StateData, ValueStateDescriptor,
};
use millpond_state::handle::KeyedStateHandle;
use millpond_state::keyed::{MapKey, Namespace};
use millpond_state::snapshot::SnapshotKind;
use millpond_state::stream::memory::MemoryStreams;
use millpond_state::timer::InternalTimerService;
use millpond_state::ttl::StateTtlConfig;
use millpond_types::serializer::SerializerRegistry;
use millpond_types::{KeyGroupRange, StateKey, StateType, VoidNamespace};
use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

/// The number of all key groups.
pub const MAX_PARALLELISM: u32 = 128;
/// Every key group.
pub const WHOLE: (u32, u32) = (0, MAX_PARALLELISM - 1);

/// A job of one operator, as far as its state is concerned.
pub struct World {
    pub configuration: Configuration,
    pub streams: MemoryStreams,
    pub clock: Arc<ManualClock>,
    pub serializers: Arc<SerializerRegistry>,
    checkpoint: Cell<u64>,
}

impl World {
    pub fn new(configuration: &Configuration) -> Self {
        World {
            configuration: configuration.clone(),
            streams: MemoryStreams::default(),
            clock: ManualClock::new(1_000_000),
            serializers: Arc::default(),
            checkpoint: Cell::new(0),
        }
    }

    /// The time to live of every state that a test opens without one of its own.
    fn ttl(&self) -> StateTtlConfig {
        if self.configuration.ttl {
            let hour = Duration::from_secs(3600);
            return StateTtlConfig::new_builder(hour).build().unwrap();
        }
        StateTtlConfig::DISABLED
    }

    /// An instance with these key groups and what `handles` hold of them, on `backend`.
    pub fn try_create_on<K: StateKey>(
        &self,
        backend: Backend,
        range: (u32, u32),
        handles: &[KeyedStateHandle],
    ) -> Result<Instance<K>> {
        let range = KeyGroupRange::new(range.0, range.1)?;
        let mut parameters = KeyedStateBackendParameters::new(range, MAX_PARALLELISM)
            .incremental(self.configuration.incremental())
            .compressed(self.configuration.compressed)
            .ttl_clock(self.clock.clone());
        parameters.serializers = self.serializers.clone();
        Ok(Instance {
            backend: backend.create(parameters, handles, &self.streams)?,
            ttl: self.ttl(),
        })
    }

    /// The same on the configured backend.
    pub fn try_create<K: StateKey>(
        &self,
        range: (u32, u32),
        handles: &[KeyedStateHandle],
    ) -> Result<Instance<K>> {
        self.try_create_on(self.configuration.backend, range, handles)
    }

    /// An empty instance that has every key group.
    pub fn start(&self) -> Instance {
        self.try_create(WHOLE, &[]).unwrap()
    }

    /// An instance that has every key group, with what `handles` hold.
    pub fn restore(&self, handles: &[KeyedStateHandle]) -> Instance {
        self.try_create(WHOLE, handles).unwrap()
    }

    /// Numbers of checkpoints, each once.
    pub fn next_checkpoint(&self) -> u64 {
        self.checkpoint.set(self.checkpoint.get() + 1);
        self.checkpoint.get()
    }

    /// Takes a snapshot in the configured format, and completes it.
    pub fn snapshot<K: StateKey>(&self, instance: &mut Instance<K>) -> Vec<KeyedStateHandle> {
        self.snapshot_as(instance, self.configuration.format.kind())
    }

    /// Takes a snapshot and completes it.
    pub fn snapshot_as<K: StateKey>(
        &self,
        instance: &mut Instance<K>,
        kind: SnapshotKind,
    ) -> Vec<KeyedStateHandle> {
        let id = self.next_checkpoint();
        let result = instance.snapshot(id, kind).unwrap().run(&self.streams).unwrap();
        if kind != SnapshotKind::Savepoint {
            instance.notify_checkpoint_complete(id);
        }
        result.handle.into_iter().collect()
    }

    /// Ends the instance after a snapshot and goes on from that.
    pub fn reopen(&self, mut instance: Instance) -> Instance {
        let handles = self.snapshot(&mut instance);
        drop(instance);
        self.restore(&handles)
    }
}

/// A world with one instance.
pub fn start(configuration: &Configuration) -> (World, Instance) {
    let world = World::new(configuration);
    let instance = world.start();
    (world, instance)
}

/// A backend, and the time to live of what is opened in it.
pub struct Instance<K = i64> {
    backend: KeyedStateBackend<K>,
    pub ttl: StateTtlConfig,
}

impl<K> Deref for Instance<K> {
    type Target = KeyedStateBackend<K>;
    fn deref(&self) -> &Self::Target {
        &self.backend
    }
}

impl<K> DerefMut for Instance<K> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.backend
    }
}

impl<K: StateKey> Instance<K> {
    pub fn key(&self, key: K) {
        self.set_current_key(key).unwrap();
    }

    pub fn values<V: StateData + StateType>(&self, name: &str) -> ValueStateDescriptor<Erased> {
        ValueStateDescriptor::with_serializer(name, ErasedSerializer::<V>::shared())
            .enable_time_to_live(self.ttl)
    }
    pub fn lists<T: StateData + StateType>(&self, name: &str) -> ListStateDescriptor<Erased> {
        ListStateDescriptor::with_serializer(name, ErasedSerializer::<T>::shared())
            .enable_time_to_live(self.ttl)
    }
    pub fn maps<UK: MapKey + StateType, UV: StateData + StateType>(
        &self,
        name: &str,
    ) -> MapStateDescriptor<UK, Erased> {
        MapStateDescriptor::with_serializer(name, UK::serializer(), ErasedSerializer::<UV>::shared())
            .enable_time_to_live(self.ttl)
    }
    pub fn try_value<V: StateData + StateType>(&mut self, name: &str) -> Result<Value<V>> {
        self.value_in(name, VoidNamespace)
    }
    pub fn value<V: StateData + StateType>(&mut self, name: &str) -> Value<V> {
        self.try_value(name).unwrap()
    }
    pub fn try_list<T: StateData + StateType>(&mut self, name: &str) -> Result<List<T>> {
        self.list_in(name, VoidNamespace)
    }
    pub fn list<T: StateData + StateType>(&mut self, name: &str) -> List<T> {
        self.try_list(name).unwrap()
    }
    pub fn try_map<UK: MapKey + StateType, UV: StateData + StateType>(
        &mut self,
        name: &str,
    ) -> Result<Map<UK, UV>> {
        self.map_in(name, VoidNamespace)
    }
    pub fn map<UK: MapKey + StateType, UV: StateData + StateType>(&mut self, name: &str) -> Map<UK, UV> {
        self.try_map(name).unwrap()
    }
    pub fn sum(&mut self, name: &str) -> Reducing<i64> {
        self.sum_in(name, VoidNamespace).unwrap()
    }
    pub fn mean(&mut self, name: &str) -> Aggregating<Mean> {
        self.mean_in(name, VoidNamespace).unwrap()
    }

    pub fn value_in<V: StateData + StateType, N: Namespace>(
        &mut self,
        name: &str,
        first: N,
    ) -> Result<Value<V, N>> {
        let descriptor = self.values::<V>(name);
        let state = self.backend.value_state(descriptor, N::serializer(), first);
        state.map(Value::new)
    }
    pub fn list_in<T: StateData + StateType, N: Namespace>(
        &mut self,
        name: &str,
        first: N,
    ) -> Result<List<T, N>> {
        let descriptor = self.lists::<T>(name);
        let state = self.backend.list_state(descriptor, N::serializer(), first);
        state.map(List::new)
    }
    pub fn map_in<UK: MapKey + StateType, UV: StateData + StateType, N: Namespace>(
        &mut self,
        name: &str,
        first: N,
    ) -> Result<Map<UK, UV, N>> {
        let descriptor = self.maps::<UK, UV>(name);
        let state = self.backend.map_state(descriptor, N::serializer(), first);
        state.map(Map::new)
    }
    pub fn sum_in<N: Namespace>(&mut self, name: &str, first: N) -> Result<Reducing<i64, N>> {
        self.reducing_in(name, first, |sum: &mut i64, n| *sum += n)
    }
    pub fn mean_in<N: Namespace>(&mut self, name: &str, first: N) -> Result<Aggregating<Mean, N>> {
        self.aggregating_in(name, first, Mean)
    }
    pub fn reducing_in<T: StateData + StateType, N: Namespace>(
        &mut self,
        name: &str,
        first: N,
        reduce: impl Fn(&mut T, T) + 'static,
    ) -> Result<Reducing<T, N>> {
        let (reduce, serializer) = (ErasedReduce::new(reduce), ErasedSerializer::<T>::shared());
        let descriptor =
            ReducingStateDescriptor::with_serializer(name, reduce, serializer).enable_time_to_live(self.ttl);
        let state = self.backend.reducing_state(descriptor, N::serializer(), first);
        state.map(Reducing::new)
    }
    pub fn aggregating_in<F, N: Namespace>(
        &mut self,
        name: &str,
        first: N,
        function: F,
    ) -> Result<Aggregating<F, N>>
    where
        F: AggregateFunction<In: StateData, Acc: StateType, Out: StateData>,
    {
        let (function, serializer) = (
            ErasedAggregate::new(function),
            ErasedSerializer::<F::Acc>::shared(),
        );
        let descriptor = AggregatingStateDescriptor::with_serializer(name, function, serializer)
            .enable_time_to_live(self.ttl);
        let state = self.backend.aggregating_state(descriptor, N::serializer(), first);
        state.map(Aggregating::new)
    }

    /// A value state with a default.
    pub fn value_with_default(&mut self, name: &str, default: i64) -> Value<i64> {
        let descriptor = self.values::<i64>(name).default_value(erase(default));
        let state = self.value_state(descriptor, VoidNamespace::serializer(), VoidNamespace);
        Value::new(state.unwrap())
    }

    /// The timers of this name, with what was restored of them.
    pub fn try_timers<N: Namespace>(&mut self, name: &str) -> Result<InternalTimerService<K, N>> {
        let timers = InternalTimerService::new(
            name,
            K::serializer(),
            N::serializer(),
            self.key_group_range(),
            MAX_PARALLELISM,
        );
        for domain in timers.key_group_states() {
            self.register_key_group_state(domain)?;
        }
        Ok(timers)
    }
    pub fn timers(&mut self, name: &str) -> InternalTimerService<K, VoidNamespace> {
        self.try_timers(name).unwrap()
    }

    /// The keys that have something in a state without namespaces.
    pub fn sorted_keys(&self, state: &str) -> Vec<K>
    where
        K: Ord,
    {
        let mut keys = self.keys(state, &VoidNamespace).unwrap();
        keys.sort();
        keys
    }
}

impl Instance {
    /// A number that is a key of this instance.
    pub fn own_key(&self) -> i64 {
        self.find_key(true)
    }
    /// A number that is a key of another instance.
    pub fn foreign_key(&self) -> i64 {
        self.find_key(false)
    }
    fn find_key(&self, own: bool) -> i64 {
        let owns = |k: &i64| {
            self.key_group_range()
                .contains(self.key_context().key_group_of(k))
        };
        (0..10_000).find(|k| owns(k) == own).unwrap()
    }
}

/// One state of each kind, and how to tell whether a key has what it should.
pub struct Five {
    pub value: Value<i64>,
    pub list: List<i64>,
    pub map: Map<String, i64>,
    pub sum: Reducing<i64>,
    pub mean: Aggregating<Mean>,
}

impl Five {
    pub fn open(instance: &mut Instance) -> Self {
        Five {
            value: instance.value("value"),
            list: instance.list("list"),
            map: instance.map("map"),
            sum: instance.sum("sum"),
            mean: instance.mean("mean"),
        }
    }

    /// Gives the current key something that depends on `n` in every state, and nothing else.
    pub fn write(&self, n: i64) {
        self.clear();
        self.value.update(n).unwrap();
        self.list.add_all([n, n + 1]).unwrap();
        self.map.put_all([("a".into(), n), (n.to_string(), 1)]).unwrap();
        self.sum.add(n).unwrap();
        self.sum.add(1).unwrap();
        self.mean.add(n).unwrap();
        self.mean.add(n + 2).unwrap();
    }

    pub fn clear(&self) {
        self.value.clear().unwrap();
        self.list.clear().unwrap();
        self.map.clear().unwrap();
        self.sum.clear().unwrap();
        self.mean.clear().unwrap();
    }

    /// The current key has what [`Five::write`] gave it.
    #[track_caller]
    pub fn check(&self, n: i64) {
        assert_eq!(self.value.get().unwrap(), Some(n), "value");
        assert_eq!(self.list.get().unwrap(), [n, n + 1], "list");
        let mut entries = self.map.entries().unwrap();
        entries.sort();
        assert_eq!(entries, [(n.to_string(), 1), ("a".into(), n)], "map");
        assert_eq!(self.sum.get().unwrap(), Some(n + 1), "sum");
        assert_eq!(self.mean.get().unwrap(), Some(n + 1), "mean");
    }

    /// The current key has nothing.
    #[track_caller]
    pub fn check_empty(&self) {
        assert_eq!(self.value.get().unwrap(), None, "value");
        assert!(self.list.is_empty().unwrap(), "list");
        assert!(self.map.is_empty().unwrap(), "map");
        assert_eq!(self.sum.get().unwrap(), None, "sum");
        assert_eq!(self.mean.get().unwrap(), None, "mean");
    }

    /// What each access says while it is refused.
    pub fn errors(&self) -> Vec<Error> {
        vec![
            self.value.get().unwrap_err(),
            self.value.update(1).unwrap_err(),
            self.value.clear().unwrap_err(),
            self.value.modify(|_| ()).unwrap_err(),
            self.list.get().unwrap_err(),
            self.list.add(1).unwrap_err(),
            self.list.update(vec![1]).unwrap_err(),
            self.list.clear().unwrap_err(),
            self.map.get(&"a".into()).unwrap_err(),
            self.map.put("a".into(), 1).unwrap_err(),
            self.map.remove(&"a".into()).unwrap_err(),
            self.map.entries().unwrap_err(),
            self.map.clear().unwrap_err(),
            self.sum.get().unwrap_err(),
            self.sum.add(1).unwrap_err(),
            self.sum.clear().unwrap_err(),
            self.mean.get().unwrap_err(),
            self.mean.add(1).unwrap_err(),
            self.mean.clear().unwrap_err(),
        ]
    }
}
