//! Every key of a state, one after the other. Flink's `KeyedStateBackend#applyToAllKeys`.

use super::KeyedStateBackend;
use crate::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor, ReduceFunction,
    ReducingStateDescriptor, StateData, ValueStateDescriptor,
};
use crate::keyed::{AggregatingState, ListState, MapKey, MapState, Namespace, ReducingState, ValueState};
use millpond_core::Result;
use millpond_types::{SharedSerializer, StateKey};

/// A descriptor of keyed state, whatever its kind: what Flink's `StateDescriptor<S, T>` says by its type parameters.
pub trait KeyedStateDescriptor<N>: Clone {
    /// The handle of the state.
    type State;
    /// The state's name.
    fn name(&self) -> &str;
    /// Opens the state in a backend.
    ///
    /// # Errors
    /// As [`KeyedStateBackend::value_state`].
    fn open<K: StateKey>(
        self,
        backend: &mut KeyedStateBackend<K>,
        namespace: SharedSerializer<N>,
        first: N,
    ) -> Result<Self::State>;
    /// Makes `namespace` the one that every later access through `state` is about.
    ///
    /// # Errors
    /// IllegalState while the state lends a value.
    fn set_current_namespace(state: &Self::State, namespace: N) -> Result<()>;
}

macro_rules! descriptors {
    ($($descriptor:ty, $state:ty, $open:ident, [$($bounds:tt)*];)*) => {$(
        impl<$($bounds)*, N: Namespace> KeyedStateDescriptor<N> for $descriptor {
            type State = $state;
            fn name(&self) -> &str {
                &self.name
            }
            fn open<Key: StateKey>(
                self,
                backend: &mut KeyedStateBackend<Key>,
                namespace: SharedSerializer<N>,
                first: N,
            ) -> Result<$state> {
                backend.$open(self, namespace, first)
            }
            fn set_current_namespace(state: &$state, namespace: N) -> Result<()> {
                state.set_current_namespace(namespace)
            }
        }
    )*};
}
descriptors! {
    ValueStateDescriptor<V>, ValueState<V, N>, value_state, [V: StateData];
    ListStateDescriptor<T>, ListState<T, N>, list_state, [T: StateData];
    MapStateDescriptor<UK, UV>, MapState<UK, UV, N>, map_state, [UK: MapKey, UV: StateData];
    ReducingStateDescriptor<T, R>, ReducingState<T, N>, reducing_state, [T: StateData, R: ReduceFunction<T> + Clone];
    AggregatingStateDescriptor<F>, AggregatingState<F, N>, aggregating_state, [F: AggregateFunction + Clone];
}

impl<K: StateKey> KeyedStateBackend<K> {
    /// Lets `f` look at and change what each key has under `namespace` in the state of `descriptor`. The keys are those
    /// that have something there when it begins: `f` may change and clear the state, of the key at hand or of others.
    /// While `f` runs, the key at hand is the current one of every state; afterwards it is again the one that was before.
    ///
    /// # Errors
    /// As [`KeyedStateBackend::value_state`]; the first error of `f`, after which no other key is shown.
    pub fn apply_to_all_keys<N: Namespace, D: KeyedStateDescriptor<N>>(
        &mut self,
        namespace: &N,
        serializer: SharedSerializer<N>,
        descriptor: &D,
        mut f: impl FnMut(&K, &D::State) -> Result<()>,
    ) -> Result<()> {
        let state = descriptor.clone().open(self, serializer, namespace.clone())?;
        let keys = self.keys(descriptor.name(), namespace)?;
        let before = self.current_key().ok();
        let mut apply = |key: K| {
            self.set_current_key(key.clone())?;
            // Another namespace may have become the current one meanwhile.
            D::set_current_namespace(&state, namespace.clone())?;
            f(&key, &state)
        };
        let outcome = keys.into_iter().try_for_each(&mut apply);
        match before {
            Some(key) => self.set_current_key(key)?,
            None => self.key_context().clear_current_key()?,
        }
        outcome
    }
}
