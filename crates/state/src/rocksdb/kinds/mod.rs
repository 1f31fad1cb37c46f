//! The kinds of state on RocksDB: how each stores its value in a column family.

mod list;
mod map;
mod value;

pub(super) use list::{ListColumn, RocksList};
pub(super) use map::{MapColumn, RocksMap};
pub(super) use value::ValueColumn;

use crate::descriptor::{AggregateFunction, ReduceFunction, StateData};
use crate::keyed::Namespace;
use crate::keyed::access::{AggregatingAccess, KeyedAccess, ReducingAccess, ValueAccess};
use millpond_core::{Error, Result};
use millpond_types::{DataOutput, StateKey};
use std::rc::Rc;

/// Writes bytes that are serialized already.
#[inline]
fn raw(bytes: &[u8], out: &mut DataOutput) -> Result<()> {
    out.write_bytes(bytes);
    Ok(())
}

/// A value state: the value under its key.
pub(super) struct RocksValue<K, N, V: StateData> {
    pub(in crate::rocksdb) state: Rc<ValueColumn<K, N, V>>,
    pub(in crate::rocksdb) default_value: Option<V>,
    pub(in crate::rocksdb) name: String,
}

/// A reducing state: the reduced value.
pub(super) struct RocksReducing<K, N, T: StateData, R> {
    pub(in crate::rocksdb) state: Rc<ValueColumn<K, N, T>>,
    pub(in crate::rocksdb) reduce: R,
}

/// An aggregating state: the accumulator.
pub(super) struct RocksAggregating<K, N, F: AggregateFunction> {
    pub(in crate::rocksdb) state: Rc<ValueColumn<K, N, F::Acc>>,
    pub(in crate::rocksdb) function: F,
}

impl<K, N, V: StateData> RocksValue<K, N, V> {
    /// A state that is read as an Option only.
    pub(in crate::rocksdb) fn without_default(state: Rc<ValueColumn<K, N, V>>) -> Self {
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
    fn is_at_hand(&self) -> Result<bool> {
        self.state.is_known()
    }
    fn want(&self) -> Result<()> {
        if self.state.is_known()? {
            return Ok(());
        }
        self.state.want()
    }
    fn load_wanted(&self) -> Result<()> {
        self.state.state.column().load_wanted()
    }
    fn forget_loaded(&self) {
        self.state.state.column().forget_loaded();
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
    fn is_at_hand(&self) -> Result<bool> {
        self.state.is_known()
    }
    fn want(&self) -> Result<()> {
        if self.state.is_known()? {
            return Ok(());
        }
        self.state.want()
    }
    fn load_wanted(&self) -> Result<()> {
        self.state.state.column().load_wanted()
    }
    fn forget_loaded(&self) {
        self.state.state.column().forget_loaded();
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
    fn is_at_hand(&self) -> Result<bool> {
        self.state.is_known()
    }
    fn want(&self) -> Result<()> {
        if self.state.is_known()? {
            return Ok(());
        }
        self.state.want()
    }
    fn load_wanted(&self) -> Result<()> {
        self.state.state.column().load_wanted()
    }
    fn forget_loaded(&self) {
        self.state.state.column().forget_loaded();
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
