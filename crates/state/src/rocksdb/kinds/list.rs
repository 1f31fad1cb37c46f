//! List states: the elements with a delimiter between them, appended by merges. What is appended through the cache becomes one
//! merge when it is written, and needs no read before.

use super::raw;
use crate::descriptor::StateData;
use crate::hashmap::codec::ListCodec;
use crate::keyed::Namespace;
use crate::keyed::access::{KeyedAccess, ListAccess};
use crate::rocksdb::cache::{CachedEntry, Heat};
use crate::rocksdb::column::CachedColumn;
use crate::rocksdb::database::Column;
use crate::rocksdb::in_flight::Writes;
use crate::rocksdb::state::Buffers;
use crate::rocksdb::unwritten::Division;
use crate::snapshot::key_layout::is_variable_sized;
use millpond_core::Result;
use millpond_types::{DataInput, StateKey};
use std::rc::Rc;

/// A column family of lists.
pub(in crate::rocksdb) type ListColumn<K, N, T> = CachedColumn<K, N, ListEntry<T>>;

/// A list state.
pub(in crate::rocksdb) struct RocksList<K, N, T: StateData> {
    pub(in crate::rocksdb) state: Rc<ListColumn<K, N, T>>,
}

/// What the cache knows of a list.
#[derive(Clone)]
pub(in crate::rocksdb) struct ListEntry<T> {
    /// The whole list, or what the database lacks of it.
    items: Vec<T>,
    /// Whether `items` is the whole list.
    complete: bool,
    /// Whether the database has another list, instead of the beginning of this one.
    replaced: bool,
    /// Of being replaced. What is appended costs the database little, as it is written once.
    heat: Heat,
    /// How many of `items` the database has.
    stored: usize,
    /// What the elements take when serialized, where that varies.
    bytes: usize,
}

impl<T: StateData> CachedEntry for ListEntry<T> {
    type Whole = Vec<T>;
    type Codec = ListCodec<T>;

    fn is_variable_sized(codec: &Self::Codec) -> bool {
        is_variable_sized(&codec.0.snapshot())
    }
    fn unknown() -> Self {
        ListEntry {
            items: Vec::new(),
            complete: false,
            replaced: false,
            heat: Heat::default(),
            stored: 0,
            bytes: 0,
        }
    }
    #[inline]
    fn is_dirty(&self) -> bool {
        self.replaced || self.stored < self.items.len()
    }
    #[inline]
    fn bytes(&self) -> usize {
        self.items.capacity() * size_of::<T>() + self.bytes
    }
    fn write(&self, codec: &ListCodec<T>, key: &[u8], out: &mut Writes) -> Result<()> {
        if !self.replaced {
            let appended = self.items.get(self.stored..).unwrap_or_default();
            out.merge(&|out| raw(key, out), &|out| codec.write_list(appended, out))
        } else if self.items.is_empty() {
            out.delete(&|out| raw(key, out))
        } else {
            out.put(&|out| raw(key, out), &|out| codec.write_list(&self.items, out))
        }
    }
    fn written(&mut self) {
        self.replaced = false;
        if self.complete {
            self.stored = self.items.len();
        } else {
            self.items = Vec::new();
            self.bytes = 0;
        }
    }
    fn divide(&mut self, codec: &ListCodec<T>, key: &[u8], division: &mut Division<'_>) -> Result<()> {
        let stays = division.stays(&mut self.heat);
        if !(stays && self.replaced) {
            self.write(codec, key, division.writes)?;
            self.written();
            Ok(())
        } else if self.items.is_empty() {
            division.unwritten.delete(|out| raw(key, out))
        } else {
            division
                .unwritten
                .put(|out| raw(key, out), |out| codec.write_list(&self.items, out))
        }
    }
    fn pass(&mut self) {
        self.heat.pass();
    }
}

impl<T> ListEntry<T> {
    /// Puts a list in place of what is there.
    fn replace(&mut self, items: Vec<T>, bytes: usize) {
        // Nothing needs to be written over nothing.
        let was_empty = self.complete && self.stored == 0 && !self.replaced;
        self.heat.change();
        *self = ListEntry {
            replaced: !(was_empty && items.is_empty()),
            heat: self.heat,
            items,
            complete: true,
            stored: 0,
            bytes,
        };
    }
}

impl<K: StateKey, N: Namespace, T: StateData> ListColumn<K, N, T> {
    /// Serializes `values` and hands key and list to the database.
    fn write(&self, values: &[T], write: impl FnOnce(&Column, &Buffers) -> Result<()>) -> Result<()> {
        let state = &self.state;
        let _gate = state.changing()?;
        state.with_key(|buffers| {
            buffers.value.clear();
            state.codec().write_list(values, &mut buffers.value)?;
            write(state.column(), buffers)
        })
    }

    fn load(&self) -> Result<Vec<T>> {
        let state = &self.state;
        state.with_key(|buffers| match state.column().get(buffers.key.as_slice())? {
            Some(bytes) => state.codec().read_list(&mut DataInput::new(&bytes)),
            None => Ok(Vec::new()),
        })
    }

    /// Whether the current key's whole list is in the cache.
    fn is_complete(&self) -> Result<bool> {
        self.is_at_hand(|entry| entry.complete)
    }

    /// Puts what the database has before what is appended.
    fn learn(&self, entry: &mut ListEntry<T>) -> Result<()> {
        let mut items = self.load()?;
        entry.bytes += self.measure(&items)?;
        entry.stored = items.len();
        items.append(&mut entry.items);
        entry.items = items;
        entry.complete = true;
        Ok(())
    }

    fn measure(&self, items: &[T]) -> Result<usize> {
        if !self.varies || items.is_empty() {
            return Ok(0);
        }
        let state = &self.state;
        let bytes = state.measure(|out| state.codec().write_list(items, out))?;
        Ok(bytes as usize)
    }
}

impl<K: StateKey, N: Namespace, T: StateData> KeyedAccess<N> for RocksList<K, N, T> {
    fn set_current_namespace(&self, namespace: N) -> Result<()> {
        self.state.set_namespace(namespace)
    }
    fn clear(&self) -> Result<()> {
        if let Some(cache) = self.state.cache() {
            return cache.change(|entry| {
                entry.replace(Vec::new(), 0);
                Ok(())
            });
        }
        let state = &self.state.state;
        let _gate = state.changing()?;
        state.with_key(|buffers| state.column().delete(buffers.key.as_slice()))
    }
    fn is_at_hand(&self) -> Result<bool> {
        self.state.is_complete()
    }
    fn want(&self) -> Result<()> {
        if self.state.is_complete()? {
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

impl<K: StateKey, N: Namespace, T: StateData> ListAccess<T, N> for RocksList<K, N, T> {
    fn add(&self, value: T) -> Result<()> {
        let Some(cache) = self.state.cache() else {
            return self.add_all(vec![value]);
        };
        cache.change(|entry| {
            entry.bytes += self.state.measure(std::slice::from_ref(&value))?;
            entry.items.push(value);
            Ok(())
        })
    }
    fn add_all(&self, values: Vec<T>) -> Result<()> {
        if values.is_empty() {
            return self.state.state.changing().map(|_| ());
        }
        let Some(cache) = self.state.cache() else {
            return self.state.write(&values, |column, b| {
                column.merge(b.key.as_slice(), b.value.as_slice())
            });
        };
        cache.change(|entry| {
            entry.bytes += self.state.measure(&values)?;
            entry.items.extend(values);
            Ok(())
        })
    }
    fn update(&self, values: Vec<T>) -> Result<()> {
        if values.is_empty() {
            return self.clear();
        }
        let Some(cache) = self.state.cache() else {
            return self.state.write(&values, |column, b| {
                column.put(b.key.as_slice(), b.value.as_slice())
            });
        };
        cache.change(|entry| {
            let bytes = self.state.measure(&values)?;
            entry.replace(values, bytes);
            Ok(())
        })
    }
    fn with(&self, f: &mut dyn FnMut(&[T])) -> Result<()> {
        let Some(cache) = self.state.cache() else {
            let state = &self.state.state;
            let _key = state.context().current_key()?;
            let _gate = state.looking()?;
            f(&self.state.load()?);
            return Ok(());
        };
        cache.show(
            |entry| entry.complete,
            |entry| self.state.learn(entry),
            |entry| f(&entry.items),
        )
    }
}
