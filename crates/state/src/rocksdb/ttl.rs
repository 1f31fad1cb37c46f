//! Opening states with a time to live: the same column families, filled with timestamped values, behind the wrappers of
//! [`crate::ttl`], with what removes the expired ones ([`super::expire`]).

use super::RocksDBKeyedStateBackend;
use super::database::Column;
use super::expire::{ColumnExpiry, ColumnSweep, Layout};
use super::kinds::{ListColumn, MapColumn, RocksList, RocksMap, RocksValue};
use super::register::Made;
use crate::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor, ReduceFunction,
    ReducingStateDescriptor, StateData, StateKind, ValueStateDescriptor,
};
use crate::hashmap::codec::{ListCodec, MapCodec, ValueCodec};
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

/// What a column family needs to become one with a time to live.
struct TtlSetup<K> {
    config: StateTtlConfig,
    clock: Arc<dyn Clock>,
    expiry: Arc<ColumnExpiry>,
    context: Rc<KeyContext<K>>,
}

impl<K: StateKey> TtlSetup<K> {
    /// Sets the sweep over a column family up, as configured.
    fn attach(&self, column: &Column) -> TtlContext {
        TtlContext::with_cleanup(
            &self.config,
            Arc::clone(&self.clock),
            &self.context,
            |cleanup_size| {
                column.write_nothing_over(&self.expiry);
                let expiry = Arc::clone(&self.expiry);
                Rc::new(ColumnSweep::new(column.clone(), expiry, cleanup_size))
            },
        )
    }
}

impl<K: StateKey> RocksDBKeyedStateBackend<K> {
    fn ttl_setup(&self, config: StateTtlConfig, layout: Layout) -> TtlSetup<K> {
        let clock = Arc::clone(&self.parameters.ttl_clock);
        TtlSetup {
            expiry: ColumnExpiry::new(layout, Arc::clone(&clock), config.time_to_live_ms()),
            config,
            clock,
            context: Rc::clone(&self.context),
        }
    }

    /// Lets compactions and snapshots know how long the values of a state live that was opened.
    fn expire(&mut self, state: &str, setup: &TtlSetup<K>) -> Result<()> {
        let Some(open) = self.states.iter_mut().find(|s| s.meta.name == state) else {
            return Ok(());
        };
        let strategies = setup.config.cleanup_strategies();
        if strategies.in_full_snapshot() {
            open.left_out = Some(Arc::clone(&setup.expiry));
        }
        let Some(strategy) = strategies.rocksdb_compact_filter_cleanup_strategy() else {
            return Ok(());
        };
        let Some(filter) = self.database.compaction_filter(&open.column) else {
            return Ok(());
        };
        if filter.set(Arc::clone(&setup.expiry), strategy.query_time_after_num_entries) {
            let column = self.database.column(&open.column)?;
            column.compact_after(strategy.periodic_compaction_time)?;
        }
        Ok(())
    }

    pub(super) fn ttl_value_state<V: StateData, N: Namespace>(
        &mut self,
        descriptor: ValueStateDescriptor<V>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<ValueState<V, N>> {
        let (name, default_value) = (descriptor.name, descriptor.default_value);
        let (ttl, clock) = (descriptor.ttl, &self.parameters.ttl_clock);
        let codec = ValueCodec(TtlSerializer::shared(
            self.serializer(&name, &descriptor.serializer)?,
            Arc::clone(clock),
        ));
        let for_errors = name.clone();
        let setup = self.ttl_setup(ttl, Layout::Value);
        let opened = name.clone();
        let kind = StateKind::Value;
        let access = self.open_values(kind, ttl, name, namespace, first, codec, |state| {
            let context = setup.attach(state.column());
            let default_value = default_value.map(|value| TtlValue { timestamp: 0, value });
            let inner = RocksValue {
                state,
                default_value,
                name: for_errors,
            };
            let access: Rc<dyn ValueAccess<V, N>> = Rc::new(TtlValueState::new(inner, context));
            access
        })?;
        self.expire(&opened, &setup)?;
        Ok(ValueState::from_access(access))
    }

    pub(super) fn ttl_list_state<T: StateData, N: Namespace>(
        &mut self,
        descriptor: ListStateDescriptor<T>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<ListState<T, N>> {
        let name = descriptor.name;
        let (ttl, clock) = (descriptor.ttl, &self.parameters.ttl_clock);
        let codec = ListCodec(TtlSerializer::shared(
            self.serializer(&name, &descriptor.element)?,
            Arc::clone(clock),
        ));
        let setup = self.ttl_setup(ttl, Layout::List(Box::new(codec.0.clone())));
        let opened = name.clone();
        let kind = StateKind::List;
        let access = self.open(kind, ttl, name, namespace, first, codec, |state, backend| {
            let context = setup.attach(state.column());
            let state = Rc::new(ListColumn::new(state, backend.cache.share()));
            let access: Rc<dyn ListAccess<T, N>> = Rc::new(TtlListState::new(
                RocksList {
                    state: Rc::clone(&state),
                },
                context,
            ));
            Made {
                access,
                keys: state.clone(),
                state,
            }
        })?;
        self.expire(&opened, &setup)?;
        Ok(ListState::from_access(access))
    }

    pub(super) fn ttl_map_state<UK: MapKey, UV: StateData, N: Namespace>(
        &mut self,
        descriptor: MapStateDescriptor<UK, UV>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<MapState<UK, UV, N>> {
        let name = descriptor.name;
        let (ttl, clock) = (descriptor.ttl, &self.parameters.ttl_clock);
        let codec = MapCodec {
            key: self.serializer(&name, &descriptor.key)?,
            value: TtlSerializer::shared(self.serializer(&name, &descriptor.value)?, Arc::clone(clock)),
        };
        let setup = self.ttl_setup(ttl, Layout::MapValue);
        let opened = name.clone();
        let kind = StateKind::Map;
        let access = self.open(kind, ttl, name, namespace, first, codec, |state, backend| {
            let context = setup.attach(state.column());
            let state = Rc::new(MapColumn::new(state, backend.cache.share()));
            let access: Rc<dyn MapAccess<UK, UV, N>> = Rc::new(TtlMapState::new(
                RocksMap {
                    state: Rc::clone(&state),
                },
                context,
            ));
            Made {
                access,
                keys: state.clone(),
                state,
            }
        })?;
        self.expire(&opened, &setup)?;
        Ok(MapState::from_access(access))
    }

    pub(super) fn ttl_reducing_state<T: StateData, R: ReduceFunction<T>, N: Namespace>(
        &mut self,
        descriptor: ReducingStateDescriptor<T, R>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<ReducingState<T, N>> {
        let (name, reduce) = (descriptor.name, descriptor.reduce);
        let (ttl, clock) = (descriptor.ttl, &self.parameters.ttl_clock);
        let codec = ValueCodec(TtlSerializer::shared(
            self.serializer(&name, &descriptor.serializer)?,
            Arc::clone(clock),
        ));
        let setup = self.ttl_setup(ttl, Layout::Value);
        let opened = name.clone();
        let kind = StateKind::Reducing;
        let access = self.open_values(kind, ttl, name, namespace, first, codec, |state| {
            let context = setup.attach(state.column());
            let inner = RocksValue::without_default(state);
            let access: Rc<dyn ReducingAccess<T, N>> = Rc::new(TtlReducingState::new(inner, context, reduce));
            access
        })?;
        self.expire(&opened, &setup)?;
        Ok(ReducingState::from_access(access))
    }

    pub(super) fn ttl_aggregating_state<F: AggregateFunction, N: Namespace>(
        &mut self,
        descriptor: AggregatingStateDescriptor<F>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<AggregatingState<F, N>> {
        let (name, function) = (descriptor.name, descriptor.function);
        let (ttl, clock) = (descriptor.ttl, &self.parameters.ttl_clock);
        let codec = ValueCodec(TtlSerializer::shared(
            self.serializer(&name, &descriptor.serializer)?,
            Arc::clone(clock),
        ));
        let setup = self.ttl_setup(ttl, Layout::Value);
        let opened = name.clone();
        let kind = StateKind::Aggregating;
        let access = self.open_values(kind, ttl, name, namespace, first, codec, |state| {
            let context = setup.attach(state.column());
            let inner = RocksValue::without_default(state);
            let access: Rc<dyn AggregatingAccess<F, N>> =
                Rc::new(TtlAggregatingState::new(inner, context, function));
            access
        })?;
        self.expire(&opened, &setup)?;
        Ok(AggregatingState::from_access(access))
    }
}
