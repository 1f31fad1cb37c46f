//! Opening states: what a backend has of them, and around it what times and measures their accesses, where that is asked for.

use super::{KeyedStateBackend, each};
use crate::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor, ReduceFunction,
    ReducingStateDescriptor, StateData, ValueStateDescriptor,
};
use crate::keyed::{AggregatingState, ListState, MapKey, MapState, Namespace, ReducingState, ValueState};
use crate::metrics::{LatencyTracking, SizeScope, SizeTracking};
use crate::ttl::StateTtlConfig;
use millpond_core::Result;
use millpond_types::serializer::SerializerRegistry;
use millpond_types::{DataOutput, SharedSerializer, StateKey};
use std::rc::Rc;
use std::sync::Arc;

/// What measures, what of a state besides its values, and by which serializers.
type Measures<N, S> = (Arc<SizeTracking>, SizeScope<N>, S);

impl<K: StateKey> KeyedStateBackend<K> {
    /// How accesses are timed, if they are.
    fn latency_tracking(&self) -> Option<Arc<LatencyTracking>> {
        each!(self, b => b.parameters()).latency_tracking.clone()
    }

    /// How keys and values of a state are measured, if they are: with what of it, and with its serializers.
    fn measured<N: Namespace, S>(
        &self,
        state: &str,
        ttl: StateTtlConfig,
        namespace: &SharedSerializer<N>,
        first: &N,
        serializers: impl FnOnce() -> Result<S>,
    ) -> Result<Option<Measures<N, S>>> {
        let parameters = each!(self, b => b.parameters());
        let Some(sizes) = parameters.size_tracking.clone() else {
            return Ok(None);
        };
        let keys = Rc::clone(self.key_context());
        let serializer = Arc::clone(&parameters.key_serializer);
        let scope = SizeScope {
            state: state.to_owned(),
            ttl: ttl.is_enabled(),
            key: Rc::new(move |out: &mut DataOutput| serializer.serialize(&*keys.current_key()?, out)),
            namespace: namespace.clone(),
            first: first.clone(),
        };
        Ok(Some((sizes, scope, serializers()?)))
    }

    fn registry(&self) -> &SerializerRegistry {
        &each!(self, b => b.parameters()).serializers
    }

    /// Opens a value state.
    ///
    /// # Errors
    /// Config when the name is taken by another kind or serializer, or a serializer is not registered; Incompatible or
    /// Corrupt from what was restored under the name. So for the other kinds.
    pub fn value_state<V: StateData, N: Namespace>(
        &mut self,
        descriptor: ValueStateDescriptor<V>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<ValueState<V, N>> {
        let name = descriptor.name.clone();
        let measured = self.measured(&name, descriptor.ttl, &namespace, &first, || {
            descriptor.serializer.resolve(&name, || self.registry().get())
        })?;
        let mut state = each!(self, b => b.value_state(descriptor, namespace, first))?;
        if let Some(latency) = self.latency_tracking() {
            state = latency.value(&name, state);
        }
        if let Some((sizes, scope, serializer)) = measured {
            state = sizes.value(scope, serializer, state);
        }
        Ok(state)
    }

    /// Opens a list state.
    ///
    /// # Errors
    /// As [`KeyedStateBackend::value_state`].
    pub fn list_state<T: StateData, N: Namespace>(
        &mut self,
        descriptor: ListStateDescriptor<T>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<ListState<T, N>> {
        let name = descriptor.name.clone();
        let measured = self.measured(&name, descriptor.ttl, &namespace, &first, || {
            descriptor.element.resolve(&name, || self.registry().get())
        })?;
        let mut state = each!(self, b => b.list_state(descriptor, namespace, first))?;
        if let Some(latency) = self.latency_tracking() {
            state = latency.list(&name, state);
        }
        if let Some((sizes, scope, serializer)) = measured {
            state = sizes.list(scope, serializer, state);
        }
        Ok(state)
    }

    /// Opens a map state.
    ///
    /// # Errors
    /// As [`KeyedStateBackend::value_state`].
    pub fn map_state<UK: MapKey, UV: StateData, N: Namespace>(
        &mut self,
        descriptor: MapStateDescriptor<UK, UV>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<MapState<UK, UV, N>> {
        let name = descriptor.name.clone();
        let measured = self.measured(&name, descriptor.ttl, &namespace, &first, || {
            Ok((
                descriptor.key.resolve(&name, || self.registry().get())?,
                descriptor.value.resolve(&name, || self.registry().get())?,
            ))
        })?;
        let mut state = each!(self, b => b.map_state(descriptor, namespace, first))?;
        if let Some(latency) = self.latency_tracking() {
            state = latency.map(&name, state);
        }
        if let Some((sizes, scope, serializer)) = measured {
            state = sizes.map(scope, serializer, state);
        }
        Ok(state)
    }

    /// Opens a reducing state.
    ///
    /// # Errors
    /// As [`KeyedStateBackend::value_state`].
    pub fn reducing_state<T: StateData, R: ReduceFunction<T>, N: Namespace>(
        &mut self,
        descriptor: ReducingStateDescriptor<T, R>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<ReducingState<T, N>> {
        let name = descriptor.name.clone();
        let measured = self.measured(&name, descriptor.ttl, &namespace, &first, || {
            descriptor.serializer.resolve(&name, || self.registry().get())
        })?;
        let mut state = each!(self, b => b.reducing_state(descriptor, namespace, first))?;
        if let Some(latency) = self.latency_tracking() {
            state = latency.reducing(&name, state);
        }
        if let Some((sizes, scope, serializer)) = measured {
            state = sizes.reducing(scope, serializer, state);
        }
        Ok(state)
    }

    /// Opens an aggregating state.
    ///
    /// # Errors
    /// As [`KeyedStateBackend::value_state`].
    pub fn aggregating_state<F: AggregateFunction, N: Namespace>(
        &mut self,
        descriptor: AggregatingStateDescriptor<F>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<AggregatingState<F, N>> {
        let name = descriptor.name.clone();
        let measured = self.measured(&name, descriptor.ttl, &namespace, &first, || Ok(()))?;
        let mut state = each!(self, b => b.aggregating_state(descriptor, namespace, first))?;
        if let Some(latency) = self.latency_tracking() {
            state = latency.aggregating(&name, state);
        }
        if let Some((sizes, scope, ())) = measured {
            state = sizes.aggregating(scope, state);
        }
        Ok(state)
    }
}
