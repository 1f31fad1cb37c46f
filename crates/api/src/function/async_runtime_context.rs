//! Opening states whose accesses are futures.

use super::runtime_context::RuntimeContext;
use millpond_core::{Error, Result};
use millpond_state::async_state::{
    AsyncAggregatingState, AsyncListState, AsyncMapState, AsyncReducingState, AsyncValueState,
    StateRequestBuffer,
};
use millpond_state::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor, ReduceFunction,
    ReducingStateDescriptor, StateData, ValueStateDescriptor,
};
use millpond_state::keyed::MapKey;
use millpond_types::StateKey;
use std::rc::Rc;

/// States of an [`super::AsyncKeyedProcessFunction`]. They are stored as those of any other function: a job may change from one
/// kind of function to the other and keep its state.
impl<K: StateKey> RuntimeContext<'_, K> {
    /// Opens a value state.
    ///
    /// # Errors
    /// As [`RuntimeContext::state`]; IllegalState when the function is not asynchronous. So for the other kinds.
    pub fn async_state<V: StateData>(
        &mut self,
        descriptor: ValueStateDescriptor<V>,
    ) -> Result<AsyncValueState<V>> {
        let buffer = self.request_buffer()?;
        Ok(AsyncValueState::new(self.state(descriptor)?, buffer))
    }
    /// Opens a list state.
    ///
    /// # Errors
    /// As [`RuntimeContext::async_state`].
    pub fn async_list_state<T: StateData>(
        &mut self,
        descriptor: ListStateDescriptor<T>,
    ) -> Result<AsyncListState<T>> {
        let buffer = self.request_buffer()?;
        Ok(AsyncListState::new(self.list_state(descriptor)?, buffer))
    }
    /// Opens a map state.
    ///
    /// # Errors
    /// As [`RuntimeContext::async_state`].
    pub fn async_map_state<UK: MapKey, UV: StateData>(
        &mut self,
        descriptor: MapStateDescriptor<UK, UV>,
    ) -> Result<AsyncMapState<UK, UV>> {
        let buffer = self.request_buffer()?;
        Ok(AsyncMapState::new(self.map_state(descriptor)?, buffer))
    }
    /// Opens a reducing state.
    ///
    /// # Errors
    /// As [`RuntimeContext::async_state`].
    pub fn async_reducing_state<T: StateData, R: ReduceFunction<T>>(
        &mut self,
        descriptor: ReducingStateDescriptor<T, R>,
    ) -> Result<AsyncReducingState<T>> {
        let buffer = self.request_buffer()?;
        Ok(AsyncReducingState::new(self.reducing_state(descriptor)?, buffer))
    }
    /// Opens an aggregating state.
    ///
    /// # Errors
    /// As [`RuntimeContext::async_state`].
    pub fn async_aggregating_state<F: AggregateFunction>(
        &mut self,
        descriptor: AggregatingStateDescriptor<F>,
    ) -> Result<AsyncAggregatingState<F>> {
        let buffer = self.request_buffer()?;
        Ok(AsyncAggregatingState::new(
            self.aggregating_state(descriptor)?,
            buffer,
        ))
    }

    fn request_buffer(&self) -> Result<Rc<StateRequestBuffer>> {
        self.requests.map(Rc::clone).ok_or_else(|| {
            Error::illegal_state("open asynchronous state", "the function is not asynchronous")
                .hint("implement AsyncKeyedProcessFunction and call enable_async_state before process")
        })
    }
}
