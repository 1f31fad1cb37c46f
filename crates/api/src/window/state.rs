//! State for each window of each key: opened once, then about whatever window is being processed.

use super::Window;
use millpond_core::{Error, Result};
use millpond_state::backend::KeyedStateBackend;
use millpond_state::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor, ReduceFunction,
    ReducingStateDescriptor, StateData, ValueStateDescriptor,
};
use millpond_state::keyed::{AggregatingState, ListState, MapKey, MapState, ReducingState, ValueState};
use millpond_types::StateKey;

/// For engines: the states that were opened through a [`WindowStateStore`], so that all of them can be moved to a window.
pub struct WindowScope<W> {
    states: Vec<Box<dyn Fn(W) -> Result<()>>>,
}

impl<W> Default for WindowScope<W> {
    fn default() -> Self {
        WindowScope { states: Vec::new() }
    }
}

impl<W: Window> WindowScope<W> {
    /// Makes `window` the one that every later access is about.
    ///
    /// # Errors
    /// IllegalState while one of the states lends a value.
    #[inline]
    pub fn enter(&self, window: W) -> Result<()> {
        self.states.iter().try_for_each(|state| state(window))
    }
}

/// Opens states that each window of each key has its own of. Flink's per-window `KeyedStateStore`.
///
/// The handles are always about the key and the window that is being processed. Whoever opens such state has to clear it when
/// the window ends.
pub struct WindowStateStore<'a, K, W> {
    backend: &'a mut KeyedStateBackend<K>,
    scope: &'a mut WindowScope<W>,
    /// Whether state by window makes no sense, since windows merge and nobody would merge the state.
    refused: bool,
}

macro_rules! open {
    ($self:ident, $open:ident, $descriptor:ident) => {{
        $self.check($descriptor.name())?;
        let state = $self.backend.$open($descriptor, W::serializer(), W::default())?;
        let handle = state.clone();
        $self
            .scope
            .states
            .push(Box::new(move |window| handle.set_current_namespace(window)));
        Ok(state)
    }};
}

impl<'a, K: StateKey, W: Window> WindowStateStore<'a, K, W> {
    /// For engines: opens states in `backend` and notes them in `scope`.
    pub fn new(backend: &'a mut KeyedStateBackend<K>, scope: &'a mut WindowScope<W>) -> Self {
        WindowStateStore {
            backend,
            scope,
            refused: false,
        }
    }
    /// For engines: the same, but for a function over merging windows, which may open none.
    #[must_use]
    pub fn refused_if(mut self, merging: bool) -> Self {
        self.refused = merging;
        self
    }
    /// Opens a value state.
    ///
    /// # Errors
    /// As [`crate::function::RuntimeContext::state`]; Config for a function over windows that merge. So for the other kinds.
    pub fn state<V: StateData>(&mut self, descriptor: ValueStateDescriptor<V>) -> Result<ValueState<V, W>> {
        open!(self, value_state, descriptor)
    }
    /// Opens a list state.
    ///
    /// # Errors
    /// As [`WindowStateStore::state`].
    pub fn list_state<T: StateData>(
        &mut self,
        descriptor: ListStateDescriptor<T>,
    ) -> Result<ListState<T, W>> {
        open!(self, list_state, descriptor)
    }
    /// Opens a map state.
    ///
    /// # Errors
    /// As [`WindowStateStore::state`].
    pub fn map_state<UK: MapKey, UV: StateData>(
        &mut self,
        descriptor: MapStateDescriptor<UK, UV>,
    ) -> Result<MapState<UK, UV, W>> {
        open!(self, map_state, descriptor)
    }
    /// Opens a reducing state.
    ///
    /// # Errors
    /// As [`WindowStateStore::state`].
    pub fn reducing_state<T: StateData, R: ReduceFunction<T>>(
        &mut self,
        descriptor: ReducingStateDescriptor<T, R>,
    ) -> Result<ReducingState<T, W>> {
        open!(self, reducing_state, descriptor)
    }
    /// Opens an aggregating state.
    ///
    /// # Errors
    /// As [`WindowStateStore::state`].
    pub fn aggregating_state<F: AggregateFunction>(
        &mut self,
        descriptor: AggregatingStateDescriptor<F>,
    ) -> Result<AggregatingState<F, W>> {
        open!(self, aggregating_state, descriptor)
    }

    fn check(&self, state: &str) -> Result<()> {
        if self.refused {
            return Err(Error::config(
                "open window state",
                "windows that merge can have no state of their own",
            )
            .with("state", state)
            .hint("keep it by key, with the context's own methods, or use windows that don't merge"));
        }
        Ok(())
    }
}
