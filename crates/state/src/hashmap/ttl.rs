//! Opening states with a time to live: the same tables, filled with timestamped values, behind the wrappers of [`crate::ttl`].

use super::HashMapKeyedStateBackend;
use super::codec::{EntryCodec, ListCodec, MapCodec, ValueCodec};
use super::expire::{Expiring, FilteredSnapshots, IncrementalCleanup};
use super::kinds::{HashMapList, HashMapMap, HashMapValue};
use super::state::TableState;
use crate::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor, ReduceFunction,
    ReducingStateDescriptor, StateData, StateKind, ValueStateDescriptor,
};
use crate::keyed::access::{AggregatingAccess, ListAccess, MapAccess, ReducingAccess, ValueAccess};
use crate::keyed::{
    AggregatingState, KeyContext, ListState, MapKey, MapState, Namespace, ReducingState, ValueState,
};
use crate::ttl::{
    StateTtlConfig, TtlAggregatingState, TtlContext, TtlListState, TtlMapState, TtlReducingState,
    TtlSerializer, TtlValue, TtlValueState,
};
use millpond_core::Result;
use millpond_core::host::Clock;
use millpond_types::{SharedSerializer, StateKey};
use std::rc::Rc;
use std::sync::Arc;

/// What a table needs to become one with a time to live.
struct TtlSetup<K> {
    config: StateTtlConfig,
    clock: Arc<dyn Clock>,
    context: Rc<KeyContext<K>>,
}

impl<K: StateKey> TtlSetup<K> {
    fn serializer<T: StateData>(&self, value: SharedSerializer<T>) -> SharedSerializer<TtlValue<T>> {
        TtlSerializer::shared(value, Arc::clone(&self.clock))
    }

    /// Sets the cleanup of a table up, as configured.
    fn attach<N, V, C>(self, state: &Rc<TableState<K, N, V, C>>) -> TtlContext
    where
        N: Namespace,
        V: Expiring,
        C: EntryCodec<V>,
    {
        let strategies = self.config.cleanup_strategies();
        let time_to_live_ms = self.config.time_to_live_ms();
        if strategies.in_full_snapshot() {
            state.filter_snapshots(FilteredSnapshots {
                filter: V::kept,
                clock: Arc::clone(&self.clock),
                time_to_live_ms,
            });
        }
        TtlContext::with_cleanup(&self.config, self.clock, &self.context, |cleanup_size| {
            Rc::new(IncrementalCleanup::new(Rc::clone(state), cleanup_size))
        })
    }
}

impl<K: StateKey> HashMapKeyedStateBackend<K> {
    fn ttl_setup(&self, config: StateTtlConfig) -> TtlSetup<K> {
        TtlSetup {
            config,
            clock: Arc::clone(&self.parameters.ttl_clock),
            context: Rc::clone(&self.context),
        }
    }

    pub(super) fn ttl_value_state<V: StateData, N: Namespace>(
        &mut self,
        descriptor: ValueStateDescriptor<V>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<ValueState<V, N>> {
        let (name, default_value) = (descriptor.name, descriptor.default_value);
        let ttl = self.ttl_setup(descriptor.ttl);
        let codec = ValueCodec(ttl.serializer(self.serializer(&name, &descriptor.serializer)?));
        let for_errors = name.clone();
        let (kind, config) = (StateKind::Value, descriptor.ttl);
        let access = self.open(kind, config, name, namespace, first, codec, |state| {
            let ttl = ttl.attach(&state);
            let default_value = default_value.map(|value| TtlValue { timestamp: 0, value });
            let inner = HashMapValue {
                state,
                default_value,
                name: for_errors,
            };
            let access: Rc<dyn ValueAccess<V, N>> = Rc::new(TtlValueState::new(inner, ttl));
            access
        })?;
        Ok(ValueState::from_access(access))
    }

    pub(super) fn ttl_list_state<T: StateData, N: Namespace>(
        &mut self,
        descriptor: ListStateDescriptor<T>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<ListState<T, N>> {
        let (name, ttl) = (descriptor.name, self.ttl_setup(descriptor.ttl));
        let codec = ListCodec(ttl.serializer(self.serializer(&name, &descriptor.element)?));
        let (kind, config) = (StateKind::List, descriptor.ttl);
        let access = self.open(kind, config, name, namespace, first, codec, |state| {
            let ttl = ttl.attach(&state);
            let access: Rc<dyn ListAccess<T, N>> = Rc::new(TtlListState::new(HashMapList { state }, ttl));
            access
        })?;
        Ok(ListState::from_access(access))
    }

    pub(super) fn ttl_map_state<UK: MapKey, UV: StateData, N: Namespace>(
        &mut self,
        descriptor: MapStateDescriptor<UK, UV>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<MapState<UK, UV, N>> {
        let (name, ttl) = (descriptor.name, self.ttl_setup(descriptor.ttl));
        let codec = MapCodec {
            key: self.serializer(&name, &descriptor.key)?,
            value: ttl.serializer(self.serializer(&name, &descriptor.value)?),
        };
        let (kind, config) = (StateKind::Map, descriptor.ttl);
        let access = self.open(kind, config, name, namespace, first, codec, |state| {
            let ttl = ttl.attach(&state);
            let access: Rc<dyn MapAccess<UK, UV, N>> = Rc::new(TtlMapState::new(HashMapMap { state }, ttl));
            access
        })?;
        Ok(MapState::from_access(access))
    }

    pub(super) fn ttl_reducing_state<T: StateData, R: ReduceFunction<T>, N: Namespace>(
        &mut self,
        descriptor: ReducingStateDescriptor<T, R>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<ReducingState<T, N>> {
        let (name, reduce) = (descriptor.name, descriptor.reduce);
        let ttl = self.ttl_setup(descriptor.ttl);
        let codec = ValueCodec(ttl.serializer(self.serializer(&name, &descriptor.serializer)?));
        let (kind, config) = (StateKind::Reducing, descriptor.ttl);
        let access = self.open(kind, config, name, namespace, first, codec, |state| {
            let ttl = ttl.attach(&state);
            let inner = HashMapValue::without_default(state);
            let access: Rc<dyn ReducingAccess<T, N>> = Rc::new(TtlReducingState::new(inner, ttl, reduce));
            access
        })?;
        Ok(ReducingState::from_access(access))
    }

    pub(super) fn ttl_aggregating_state<F: AggregateFunction, N: Namespace>(
        &mut self,
        descriptor: AggregatingStateDescriptor<F>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<AggregatingState<F, N>> {
        let (name, function) = (descriptor.name, descriptor.function);
        let ttl = self.ttl_setup(descriptor.ttl);
        let codec = ValueCodec(ttl.serializer(self.serializer(&name, &descriptor.serializer)?));
        let (kind, config) = (StateKind::Aggregating, descriptor.ttl);
        let access = self.open(kind, config, name, namespace, first, codec, |state| {
            let ttl = ttl.attach(&state);
            let inner = HashMapValue::without_default(state);
            let access: Rc<dyn AggregatingAccess<F, N>> =
                Rc::new(TtlAggregatingState::new(inner, ttl, function));
            access
        })?;
        Ok(AggregatingState::from_access(access))
    }
}
