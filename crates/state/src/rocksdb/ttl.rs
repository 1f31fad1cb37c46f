//! Opening states with a time to live: the same column families, filled with timestamped values, behind the wrappers of
//! [`crate::ttl`].

use super::RocksDBKeyedStateBackend;
use super::kinds::{RocksList, RocksMap, RocksValue};
use super::register::Made;
use crate::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor, ReduceFunction,
    ReducingStateDescriptor, StateData, StateKind, ValueStateDescriptor,
};
use crate::hashmap::codec::{ListCodec, MapCodec, ValueCodec};
use crate::keyed::access::{AggregatingAccess, ListAccess, MapAccess, ReducingAccess, ValueAccess};
use crate::keyed::{AggregatingState, ListState, MapKey, MapState, Namespace, ReducingState, ValueState};
use crate::ttl::{
    TtlAggregatingState, TtlContext, TtlListState, TtlMapState, TtlReducingState, TtlSerializer, TtlValue,
    TtlValueState,
};
use millpond_core::Result;
use millpond_types::{SharedSerializer, StateKey};
use std::rc::Rc;
use std::sync::Arc;

impl<K: StateKey> RocksDBKeyedStateBackend<K> {
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
        let context = TtlContext::new(&ttl, Arc::clone(clock), None);
        let kind = StateKind::Value;
        let access = self.open_values(kind, ttl, name, namespace, first, codec, |state| {
            let default_value = default_value.map(|value| TtlValue { timestamp: 0, value });
            let inner = RocksValue {
                state,
                default_value,
                name: for_errors,
            };
            let access: Rc<dyn ValueAccess<V, N>> = Rc::new(TtlValueState::new(inner, context));
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
        let name = descriptor.name;
        let (ttl, clock) = (descriptor.ttl, &self.parameters.ttl_clock);
        let codec = ListCodec(TtlSerializer::shared(
            self.serializer(&name, &descriptor.element)?,
            Arc::clone(clock),
        ));
        let context = TtlContext::new(&ttl, Arc::clone(clock), None);
        let kind = StateKind::List;
        let access = self.open(kind, ttl, name, namespace, first, codec, |state, _| {
            let state = Rc::new(state);
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
        let context = TtlContext::new(&ttl, Arc::clone(clock), None);
        let kind = StateKind::Map;
        let access = self.open(kind, ttl, name, namespace, first, codec, |state, _| {
            let state = Rc::new(state);
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
        let context = TtlContext::new(&ttl, Arc::clone(clock), None);
        let kind = StateKind::Reducing;
        let access = self.open_values(kind, ttl, name, namespace, first, codec, |state| {
            let inner = RocksValue::without_default(state);
            let access: Rc<dyn ReducingAccess<T, N>> = Rc::new(TtlReducingState::new(inner, context, reduce));
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
        let (ttl, clock) = (descriptor.ttl, &self.parameters.ttl_clock);
        let codec = ValueCodec(TtlSerializer::shared(
            self.serializer(&name, &descriptor.serializer)?,
            Arc::clone(clock),
        ));
        let context = TtlContext::new(&ttl, Arc::clone(clock), None);
        let kind = StateKind::Aggregating;
        let access = self.open_values(kind, ttl, name, namespace, first, codec, |state| {
            let inner = RocksValue::without_default(state);
            let access: Rc<dyn AggregatingAccess<F, N>> =
                Rc::new(TtlAggregatingState::new(inner, context, function));
            access
        })?;
        Ok(AggregatingState::from_access(access))
    }
}
