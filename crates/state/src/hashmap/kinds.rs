//! The kinds of state on the HashMap backend: how each stores its value in a table.

use super::codec::{ListCodec, MapCodec, ValueCodec};
use super::small_map::SmallMap;
use super::state::TableState;
use crate::descriptor::{AggregateFunction, ReduceFunction, StateData};
use crate::keyed::access::{
    AggregatingAccess, EntryVisitor, KeyedAccess, ListAccess, MapAccess, ReducingAccess, ValueAccess,
};
use crate::keyed::{MapKey, Namespace};
use millpond_core::{Error, Result};
use millpond_types::StateKey;
use std::rc::Rc;

/// The room of a list with its first element, to which more will most likely be added.
const LIST_CAPACITY_FIRST: usize = 4;

/// A table of values.
type ValueTable<K, N, V> = Rc<TableState<K, N, V, ValueCodec<V>>>;
/// A table of maps.
type MapTable<K, N, UK, UV> = Rc<TableState<K, N, SmallMap<UK, UV>, MapCodec<UK, UV>>>;

/// A value state: the value itself in the table.
pub(super) struct HashMapValue<K, N, V> {
    pub(super) state: ValueTable<K, N, V>,
    pub(super) default_value: Option<V>,
    pub(super) name: String,
}

impl<K, N, V> HashMapValue<K, N, V> {
    /// Values that only go into other kinds of state.
    pub(super) fn without_default(state: ValueTable<K, N, V>) -> Self {
        HashMapValue {
            state,
            default_value: None,
            name: String::new(),
        }
    }
}

/// A list state: a vector, never an empty one.
pub(super) struct HashMapList<K, N, T> {
    pub(super) state: Rc<TableState<K, N, Vec<T>, ListCodec<T>>>,
}

/// A map state: a small map, never an empty one.
pub(super) struct HashMapMap<K, N, UK, UV> {
    pub(super) state: MapTable<K, N, UK, UV>,
}

/// A reducing state: the reduced value.
pub(super) struct HashMapReducing<K, N, T, R> {
    pub(super) state: ValueTable<K, N, T>,
    pub(super) reduce: R,
}

/// An aggregating state: the accumulator.
pub(super) struct HashMapAggregating<K, N, F: AggregateFunction> {
    pub(super) state: ValueTable<K, N, F::Acc>,
    pub(super) function: F,
}

macro_rules! keyed_access {
    ($t:ident<$($p:ident: $b:path),*>) => {
        impl<K: StateKey, N: Namespace, $($p: $b),*> KeyedAccess<N> for $t<K, N, $($p),*> {
            fn set_current_namespace(&self, namespace: N) -> Result<()> {
                self.state.set_namespace(namespace)
            }
            #[inline]
            fn clear(&self) -> Result<()> {
                self.state.clear()
            }
        }
    };
}
keyed_access!(HashMapValue<V: StateData>);
keyed_access!(HashMapList<T: StateData>);
keyed_access!(HashMapMap<UK: MapKey, UV: StateData>);
keyed_access!(HashMapAggregating<F: AggregateFunction>);

impl<K: StateKey, N: Namespace, T: StateData, R: ReduceFunction<T>> KeyedAccess<N>
    for HashMapReducing<K, N, T, R>
{
    fn set_current_namespace(&self, namespace: N) -> Result<()> {
        self.state.set_namespace(namespace)
    }
    #[inline]
    fn clear(&self) -> Result<()> {
        self.state.clear()
    }
}

impl<K: StateKey, N: Namespace, V: StateData> ValueAccess<V, N> for HashMapValue<K, N, V> {
    fn value(&self) -> Result<V> {
        match self.state.read(|v| v.cloned())? {
            Some(value) => Ok(value),
            None => self.default_value.clone().ok_or_else(|| no_value(&self.name)),
        }
    }
    fn get(&self) -> Result<Option<V>> {
        self.state.read(|v| v.cloned())
    }
    fn update(&self, value: V) -> Result<()> {
        self.state.set(value)
    }
    fn with(&self, f: &mut dyn FnMut(Option<&V>)) -> Result<()> {
        self.state.read(f)
    }
    fn modify(&self, f: &mut dyn FnMut(&mut Option<V>)) -> Result<()> {
        self.state.modify(f)
    }
}

#[cold]
fn no_value(name: &str) -> Error {
    Error::illegal_state("read value state", "the current key has no value")
        .with("state", name)
        .hint("call `get` for an Option, or give the descriptor a `default_value`")
}

impl<K: StateKey, N: Namespace, T: StateData> ListAccess<T, N> for HashMapList<K, N, T> {
    fn add(&self, value: T) -> Result<()> {
        let create = |value| {
            let mut list = Vec::with_capacity(LIST_CAPACITY_FIRST);
            list.push(value);
            list
        };
        self.state.upsert(value, Vec::push, create)
    }
    fn add_all(&self, values: Vec<T>) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        self.state.upsert(values, Vec::extend, |values| values)
    }
    fn update(&self, values: Vec<T>) -> Result<()> {
        if values.is_empty() {
            return self.state.clear();
        }
        self.state.set(values)
    }
    fn with(&self, f: &mut dyn FnMut(&[T])) -> Result<()> {
        self.state.read(|list| f(list.map_or(&[], Vec::as_slice)))
    }
    fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()> {
        self.state
            .merge_namespaces(target, sources, |list| self.add_all(list))
    }
}

impl<K: StateKey, N: Namespace, UK: MapKey, UV: StateData> MapAccess<UK, UV, N> for HashMapMap<K, N, UK, UV> {
    fn get(&self, key: &UK) -> Result<Option<UV>> {
        self.state.read(|map| map.and_then(|m| m.get(key)).cloned())
    }
    fn with(&self, key: &UK, f: &mut dyn FnMut(Option<&UV>)) -> Result<()> {
        self.state.read(|map| f(map.and_then(|m| m.get(key))))
    }
    fn put(&self, key: UK, value: UV) -> Result<()> {
        let create = |(key, value)| {
            let mut map = SmallMap::default();
            map.insert(key, value);
            map
        };
        self.state
            .upsert((key, value), |map, (key, value)| map.insert(key, value), create)
    }
    fn modify(&self, key: UK, f: &mut dyn FnMut(&mut Option<UV>)) -> Result<()> {
        self.state.modify(|slot| {
            let mut value = slot.as_mut().and_then(|map| map.remove(&key));
            f(&mut value);
            match value {
                Some(value) => slot.get_or_insert_default().insert(key, value),
                None if slot.as_ref().is_some_and(|map| map.len() == 0) => *slot = None,
                None => {}
            }
        })
    }
    fn remove(&self, key: &UK) -> Result<Option<UV>> {
        // A key that isn't there costs no copy of a frozen shard.
        if !self.contains(key)? {
            return Ok(None);
        }
        let remove = |map: &mut SmallMap<UK, UV>| {
            let value = map.remove(key);
            (value, map.len() == 0)
        };
        Ok(self.state.change(remove)?.flatten())
    }
    fn contains(&self, key: &UK) -> Result<bool> {
        self.state.read(|map| map.is_some_and(|m| m.get(key).is_some()))
    }
    fn entry_count(&self) -> Result<usize> {
        self.state.read(|map| map.map_or(0, SmallMap::len))
    }
    fn for_each(&self, visitor: &mut dyn EntryVisitor<UK, UV>) -> Result<()> {
        self.state
            .read(|map| visitor.entries(map.map_or(&[], SmallMap::as_slice)))
    }
}

impl<K: StateKey, N: Namespace, T: StateData, R: ReduceFunction<T>> ReducingAccess<T, N>
    for HashMapReducing<K, N, T, R>
{
    fn add(&self, value: T) -> Result<()> {
        self.state.upsert(
            value,
            |slot, value| self.reduce.reduce(slot, value),
            |value| value,
        )
    }
    fn get(&self) -> Result<Option<T>> {
        self.state.read(|v| v.cloned())
    }
    fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()> {
        self.state
            .merge_namespaces(target, sources, |value| self.add(value))
    }
}

impl<K: StateKey, N: Namespace, F: AggregateFunction> AggregatingAccess<F, N>
    for HashMapAggregating<K, N, F>
{
    fn add(&self, value: F::In) -> Result<()> {
        let create = |value| {
            let mut accumulator = self.function.create_accumulator();
            self.function.add(value, &mut accumulator);
            accumulator
        };
        self.state
            .upsert(value, |acc, value| self.function.add(value, acc), create)
    }
    fn get(&self) -> Result<Option<F::Out>> {
        self.state
            .read(|acc| acc.map(|acc| self.function.get_result(acc)))
    }
    fn accumulator(&self) -> Result<Option<F::Acc>> {
        self.state.read(|v| v.cloned())
    }
    fn merge(&self, accumulator: F::Acc) -> Result<()> {
        self.state.upsert(
            accumulator,
            |acc, other| self.function.merge(acc, other),
            |other| other,
        )
    }
    fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()> {
        self.state
            .merge_namespaces(target, sources, |accumulator| self.merge(accumulator))
    }
}
