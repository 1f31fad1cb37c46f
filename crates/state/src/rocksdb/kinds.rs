//! The kinds of state on RocksDB: how each stores its value in a column family.

use super::database::Column;
use super::state::{Buffers, ColumnState};
use super::values::ValueColumn;
use crate::descriptor::{AggregateFunction, ReduceFunction, StateData};
use crate::hashmap::codec::{ListCodec, MapCodec};
use crate::hashmap::small_map::SmallMap;
use crate::keyed::access::{
    AggregatingAccess, KeyedAccess, ListAccess, MapAccess, ReducingAccess, ValueAccess,
};
use crate::keyed::{MapKey, Namespace};
use millpond_core::{Error, Result};
use millpond_types::{DataInput, StateKey};
use rust_rocksdb::WriteBatch;
use std::rc::Rc;

/// A value state: the value under its key.
pub(super) struct RocksValue<K, N, V> {
    pub(super) state: Rc<ValueColumn<K, N, V>>,
    pub(super) default_value: Option<V>,
    pub(super) name: String,
}

/// A reducing state: the reduced value.
pub(super) struct RocksReducing<K, N, T, R> {
    pub(super) state: Rc<ValueColumn<K, N, T>>,
    pub(super) reduce: R,
}

/// An aggregating state: the accumulator.
pub(super) struct RocksAggregating<K, N, F: AggregateFunction> {
    pub(super) state: Rc<ValueColumn<K, N, F::Acc>>,
    pub(super) function: F,
}

/// A list state: the elements with a delimiter between them, appended by merges.
pub(super) struct RocksList<K, N, T> {
    pub(super) state: Rc<ColumnState<K, N, Vec<T>, ListCodec<T>>>,
}

type MapColumn<K, N, UK, UV> = ColumnState<K, N, SmallMap<UK, UV>, MapCodec<UK, UV>>;

/// A map state: each entry under its key and user key.
pub(super) struct RocksMap<K, N, UK, UV> {
    pub(super) state: Rc<MapColumn<K, N, UK, UV>>,
}

impl<K, N, V> RocksValue<K, N, V> {
    /// A state that is read as an Option only.
    pub(super) fn without_default(state: Rc<ValueColumn<K, N, V>>) -> Self {
        RocksValue {
            state,
            default_value: None,
            name: String::new(),
        }
    }
}

impl<K: StateKey, N: Namespace, V: StateData> KeyedAccess<N> for RocksValue<K, N, V> {
    fn set_current_namespace(&self, namespace: N) -> Result<()> {
        self.state.set_namespace(namespace)
    }
    fn clear(&self) -> Result<()> {
        self.state.put(None)
    }
}

impl<K: StateKey, N: Namespace, V: StateData> ValueAccess<V, N> for RocksValue<K, N, V> {
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
        self.state.put(Some(value))
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

impl<K: StateKey, N: Namespace, T: StateData, R: ReduceFunction<T>> KeyedAccess<N>
    for RocksReducing<K, N, T, R>
{
    fn set_current_namespace(&self, namespace: N) -> Result<()> {
        self.state.set_namespace(namespace)
    }
    fn clear(&self) -> Result<()> {
        self.state.put(None)
    }
}

impl<K: StateKey, N: Namespace, T: StateData, R: ReduceFunction<T>> ReducingAccess<T, N>
    for RocksReducing<K, N, T, R>
{
    fn add(&self, value: T) -> Result<()> {
        self.state.modify(|slot| match slot {
            Some(reduced) => self.reduce.reduce(reduced, value),
            None => *slot = Some(value),
        })
    }
    fn get(&self) -> Result<Option<T>> {
        self.state.read(|v| v.cloned())
    }
}

impl<K: StateKey, N: Namespace, F: AggregateFunction> KeyedAccess<N> for RocksAggregating<K, N, F> {
    fn set_current_namespace(&self, namespace: N) -> Result<()> {
        self.state.set_namespace(namespace)
    }
    fn clear(&self) -> Result<()> {
        self.state.put(None)
    }
}

impl<K: StateKey, N: Namespace, F: AggregateFunction> AggregatingAccess<F, N> for RocksAggregating<K, N, F> {
    fn add(&self, value: F::In) -> Result<()> {
        self.state.modify(|slot| {
            let accumulator = slot.get_or_insert_with(|| self.function.create_accumulator());
            self.function.add(value, accumulator);
        })
    }
    fn get(&self) -> Result<Option<F::Out>> {
        self.state
            .read(|acc| acc.map(|acc| self.function.get_result(acc)))
    }
    fn accumulator(&self) -> Result<Option<F::Acc>> {
        self.state.read(|v| v.cloned())
    }
    fn merge(&self, accumulator: F::Acc) -> Result<()> {
        self.state.modify(|slot| match slot {
            Some(own) => self.function.merge(own, accumulator),
            None => *slot = Some(accumulator),
        })
    }
}

impl<K: StateKey, N: Namespace, T: StateData> KeyedAccess<N> for RocksList<K, N, T> {
    fn set_current_namespace(&self, namespace: N) -> Result<()> {
        self.state.set_namespace(namespace)
    }
    fn clear(&self) -> Result<()> {
        let _gate = self.state.changing()?;
        self.state
            .with_key(|buffers| self.state.column().delete(buffers.key.as_slice()))
    }
}

impl<K: StateKey, N: Namespace, T: StateData> RocksList<K, N, T> {
    /// Serializes `values` and hands key and list to the database.
    fn write(&self, values: &[T], write: impl FnOnce(&Column, &Buffers) -> Result<()>) -> Result<()> {
        let _gate = self.state.changing()?;
        self.state.with_key(|buffers| {
            buffers.value.clear();
            self.state.codec().write_list(values, &mut buffers.value)?;
            write(self.state.column(), buffers)
        })
    }

    fn load(&self) -> Result<Vec<T>> {
        self.state
            .with_key(|buffers| match self.state.column().get(buffers.key.as_slice())? {
                Some(bytes) => self.state.codec().read_list(&mut DataInput::new(&bytes)),
                None => Ok(Vec::new()),
            })
    }
}

impl<K: StateKey, N: Namespace, T: StateData> ListAccess<T, N> for RocksList<K, N, T> {
    fn add(&self, value: T) -> Result<()> {
        self.add_all(vec![value])
    }
    fn add_all(&self, values: Vec<T>) -> Result<()> {
        if values.is_empty() {
            return self.state.changing().map(|_| ());
        }
        self.write(&values, |column, b| {
            column.merge(b.key.as_slice(), b.value.as_slice())
        })
    }
    fn update(&self, values: Vec<T>) -> Result<()> {
        if values.is_empty() {
            return self.clear();
        }
        self.write(&values, |column, b| {
            column.put(b.key.as_slice(), b.value.as_slice())
        })
    }
    fn with(&self, f: &mut dyn FnMut(&[T])) -> Result<()> {
        let _key = self.state.context().current_key()?;
        let _gate = self.state.looking()?;
        f(&self.load()?);
        Ok(())
    }
}

impl<K: StateKey, N: Namespace, UK: MapKey, UV: StateData> KeyedAccess<N> for RocksMap<K, N, UK, UV> {
    fn set_current_namespace(&self, namespace: N) -> Result<()> {
        self.state.set_namespace(namespace)
    }
    fn clear(&self) -> Result<()> {
        let _gate = self.state.changing()?;
        self.state.with_key(|buffers| {
            let column = self.state.column();
            let mut batch = WriteBatch::default();
            column.scan(buffers.key.as_slice(), |key, _| {
                batch.delete_cf(column, key);
                if batch.len() >= DELETES_MAX {
                    column.database().write(&mut batch)?;
                }
                Ok(true)
            })?;
            column.database().write(&mut batch)
        })
    }
}

/// How many deletions go into one batch.
const DELETES_MAX: usize = 1_000;

impl<K: StateKey, N: Namespace, UK: MapKey, UV: StateData> RocksMap<K, N, UK, UV> {
    /// Hands out the buffers with the whole key, the user key included.
    fn with_user_key<R>(&self, key: &UK, f: impl FnOnce(&Column, &mut Buffers) -> Result<R>) -> Result<R> {
        self.state.with_key(|buffers| {
            self.state.codec().key.serialize(key, &mut buffers.key)?;
            f(self.state.column(), buffers)
        })
    }

    fn load(&self, key: &UK) -> Result<Option<UV>> {
        self.with_user_key(key, |column, buffers| {
            let stored = column.get(buffers.key.as_slice())?;
            stored
                .map(|bytes| self.read_value(&mut DataInput::new(&bytes)))
                .transpose()
        })
    }

    fn read_value(&self, input: &mut DataInput<'_>) -> Result<UV> {
        if input.read_bool()? {
            return Err(Error::corrupt("read map state", "a stored value is null"));
        }
        self.state.codec().value.deserialize(input)
    }

    fn store(&self, key: &UK, value: Option<&UV>) -> Result<()> {
        self.with_user_key(key, |column, buffers| {
            let Some(value) = value else {
                return column.delete(buffers.key.as_slice());
            };
            buffers.value.clear();
            buffers.value.write_bool(false);
            self.state.codec().value.serialize(value, &mut buffers.value)?;
            column.put(buffers.key.as_slice(), buffers.value.as_slice())
        })
    }

    /// Shows each entry of the current key in bytes: the user key and the value.
    fn scan(&self, mut f: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        let prefix = self
            .state
            .with_key(|buffers| Ok(buffers.key.as_slice().to_vec()))?;
        self.state.column().scan(&prefix, |key, value| {
            f(key.get(prefix.len()..).unwrap_or_default(), value)?;
            Ok(true)
        })
    }
}

impl<K: StateKey, N: Namespace, UK: MapKey, UV: StateData> MapAccess<UK, UV, N> for RocksMap<K, N, UK, UV> {
    fn get(&self, key: &UK) -> Result<Option<UV>> {
        let _gate = self.state.looking()?;
        self.load(key)
    }
    fn with(&self, key: &UK, f: &mut dyn FnMut(Option<&UV>)) -> Result<()> {
        let _key = self.state.context().current_key()?;
        let _gate = self.state.looking()?;
        f(self.load(key)?.as_ref());
        Ok(())
    }
    fn put(&self, key: UK, value: UV) -> Result<()> {
        let _gate = self.state.changing()?;
        self.store(&key, Some(&value))
    }
    fn modify(&self, key: UK, f: &mut dyn FnMut(&mut Option<UV>)) -> Result<()> {
        let _key = self.state.context().current_key()?;
        let _gate = self.state.changing()?;
        let mut value = self.load(&key)?;
        let was_there = value.is_some();
        f(&mut value);
        if was_there || value.is_some() {
            self.store(&key, value.as_ref())?;
        }
        Ok(())
    }
    fn remove(&self, key: &UK) -> Result<Option<UV>> {
        let _gate = self.state.changing()?;
        let value = self.load(key)?;
        if value.is_some() {
            self.store(key, None)?;
        }
        Ok(value)
    }
    fn contains(&self, key: &UK) -> Result<bool> {
        let _gate = self.state.looking()?;
        self.with_user_key(key, |column, buffers| {
            Ok(column.get(buffers.key.as_slice())?.is_some())
        })
    }
    fn entry_count(&self) -> Result<usize> {
        let _gate = self.state.looking()?;
        let mut count = 0;
        self.scan(|_, _| {
            count += 1;
            Ok(())
        })?;
        Ok(count)
    }
    fn for_each(&self, f: &mut dyn FnMut(&UK, &UV)) -> Result<()> {
        let _key = self.state.context().current_key()?;
        let _gate = self.state.looking()?;
        self.scan(|key, value| {
            let key = self.state.codec().key.deserialize(&mut DataInput::new(key))?;
            f(&key, &self.read_value(&mut DataInput::new(value))?);
            Ok(())
        })
    }
}
