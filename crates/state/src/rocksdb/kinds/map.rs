//! Map states: each entry under its key and user key. The cache holds those entries of a map that were used, and knows when it
//! has them all ([`entry`]).

mod entry;

use crate::descriptor::StateData;
use crate::keyed::access::{EntryVisitor, KeyedAccess, MapAccess};
use crate::keyed::{MapKey, Namespace};
use crate::rocksdb::cache::CachedEntry;
use crate::rocksdb::column::CachedColumn;
use crate::rocksdb::database::Column;
use crate::rocksdb::state::Buffers;
use entry::CachedMap;
use millpond_core::{Error, Result};
use millpond_types::{DataInput, StateKey};
use rust_rocksdb::WriteBatch;
use std::rc::Rc;

/// How many deletions go into one batch.
const DELETES_MAX: usize = 1_000;

/// A column family of map entries.
pub(in crate::rocksdb) type MapColumn<K, N, UK, UV> = CachedColumn<K, N, CachedMap<UK, UV>>;

/// A map state.
pub(in crate::rocksdb) struct RocksMap<K, N, UK: MapKey, UV: StateData> {
    pub(in crate::rocksdb) state: Rc<MapColumn<K, N, UK, UV>>,
}

impl<K: StateKey, N: Namespace, UK: MapKey, UV: StateData> MapColumn<K, N, UK, UV> {
    /// Hands out the buffers with the whole key, the user key included.
    fn with_user_key<R>(&self, key: &UK, f: impl FnOnce(&Column, &mut Buffers) -> Result<R>) -> Result<R> {
        let state = &self.state;
        state.with_key(|buffers| {
            state.codec().key.serialize(key, &mut buffers.key)?;
            f(state.column(), buffers)
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

    /// Shows each entry that the database has of the current key in bytes, user key and value, until `f` says false.
    fn scan(&self, mut f: impl FnMut(&[u8], &[u8]) -> Result<bool>) -> Result<()> {
        let state = &self.state;
        let prefix = state.with_key(|buffers| Ok(buffers.key.as_slice().to_vec()))?;
        state.column().scan(&prefix, |key, value| {
            f(key.get(prefix.len()..).unwrap_or_default(), value)
        })
    }

    /// Shows each entry that the database has of the current key.
    fn scan_typed(&self, f: &mut dyn FnMut(&UK, &UV)) -> Result<()> {
        self.scan(|key, value| {
            let key = self.state.codec().key.deserialize(&mut DataInput::new(key))?;
            f(&key, &self.read_value(&mut DataInput::new(value))?);
            Ok(true)
        })
    }

    /// Removes what the database has of the current key.
    fn delete_all(&self) -> Result<()> {
        let state = &self.state;
        let column = state.column();
        let mut batch = WriteBatch::default();
        state.with_key(|buffers| {
            column.scan(buffers.key.as_slice(), |key, _| {
                batch.delete_cf(column, key);
                if batch.len() >= DELETES_MAX {
                    column.database().write(&mut batch)?;
                }
                Ok(true)
            })
        })?;
        if batch.is_empty() {
            return Ok(());
        }
        column.database().write(&mut batch)
    }

    fn measure(&self, key: &UK, value: Option<&UV>) -> Result<u32> {
        if !self.varies {
            return Ok(0);
        }
        let state = &self.state;
        state.measure(|out| {
            state.codec().key.serialize(key, out)?;
            value.map_or(Ok(()), |value| state.codec().value.serialize(value, out))
        })
    }

    /// Makes sure that the map's entry for `key` holds what the database has.
    fn learn(&self, map: &mut CachedMap<UK, UV>, key: &UK) -> Result<()> {
        if map.lookup(key).is_none() {
            let value = self.load(key)?;
            let bytes = self.measure(key, value.as_ref())?;
            map.learn(key.clone(), value, bytes);
        }
        Ok(())
    }

    /// Takes over every entry that the database has, unless they take more than `bytes_max`.
    fn learn_all(&self, map: &mut CachedMap<UK, UV>, bytes_max: usize) -> Result<()> {
        let before = map.bytes();
        let mut fits = true;
        self.scan(|key, value| {
            let bytes = key.len() + value.len();
            let key = self.state.codec().key.deserialize(&mut DataInput::new(key))?;
            // What was used before may have been changed since.
            if map.entries.get(&key).is_none() {
                let value = self.read_value(&mut DataInput::new(value))?;
                map.learn(key, Some(value), if self.varies { bytes as u32 } else { 0 });
            }
            fits = map.bytes() <= before.max(bytes_max);
            Ok(fits)
        })?;
        map.complete = fits;
        Ok(())
    }

    /// Shows the map as a whole, when it may be in the cache as a whole.
    fn show_whole<R>(&self, f: impl FnOnce(&CachedMap<UK, UV>) -> R) -> Result<Option<R>> {
        let Some(cache) = self.cache() else {
            return Ok(None);
        };
        let bytes_max = cache.entry_bytes_max();
        let shown = cache.show(
            |map| map.complete,
            |map| self.learn_all(map, bytes_max),
            |map| map.complete.then(|| f(map)),
        )?;
        if shown.is_none() {
            cache.write_current()?;
        }
        Ok(shown)
    }

    /// Shows what `key` has.
    #[inline]
    fn read<R>(&self, key: &UK, f: impl FnOnce(Option<&UV>) -> R) -> Result<R> {
        let Some(cache) = self.cache() else {
            let state = &self.state;
            let _key = state.context().current_key()?;
            let _gate = state.looking()?;
            return Ok(f(self.load(key)?.as_ref()));
        };
        cache.show(
            |map| map.lookup(key).is_some(),
            |map| self.learn(map, key),
            |map| f(map.lookup(key).flatten()),
        )
    }
}

impl<K: StateKey, N: Namespace, UK: MapKey, UV: StateData> KeyedAccess<N> for RocksMap<K, N, UK, UV> {
    fn set_current_namespace(&self, namespace: N) -> Result<()> {
        self.state.set_namespace(namespace)
    }
    fn clear(&self) -> Result<()> {
        let Some(cache) = self.state.cache() else {
            let _gate = self.state.state.changing()?;
            return self.state.delete_all();
        };
        cache.change(|map| {
            if map.complete {
                map.remove_all();
            } else {
                self.state.delete_all()?;
                *map = CachedMap::unknown();
                map.complete = true;
            }
            Ok(())
        })
    }
    fn load_wanted(&self) -> Result<()> {
        self.state.state.column().load_wanted()
    }
    fn forget_loaded(&self) {
        self.state.state.column().forget_loaded();
    }
}

impl<K: StateKey, N: Namespace, UK: MapKey, UV: StateData> MapAccess<UK, UV, N> for RocksMap<K, N, UK, UV> {
    fn get(&self, key: &UK) -> Result<Option<UV>> {
        self.state.read(key, |value| value.cloned())
    }
    fn with(&self, key: &UK, f: &mut dyn FnMut(Option<&UV>)) -> Result<()> {
        self.state.read(key, f)
    }
    fn put(&self, key: UK, value: UV) -> Result<()> {
        let Some(cache) = self.state.cache() else {
            let _gate = self.state.state.changing()?;
            return self.state.store(&key, Some(&value));
        };
        cache.change(|map| {
            let bytes = self.state.measure(&key, Some(&value))?;
            map.set(key, Some(value), bytes);
            Ok(())
        })
    }
    fn modify(&self, key: UK, f: &mut dyn FnMut(&mut Option<UV>)) -> Result<()> {
        let Some(cache) = self.state.cache() else {
            let state = &self.state.state;
            let _key = state.context().current_key()?;
            let _gate = state.changing()?;
            let mut value = self.state.load(&key)?;
            let was_there = value.is_some();
            f(&mut value);
            if was_there || value.is_some() {
                self.state.store(&key, value.as_ref())?;
            }
            return Ok(());
        };
        cache.change(|map| {
            self.state.learn(map, &key)?;
            let mut value = map.entries.get_mut(&key).and_then(|slot| slot.value.take());
            let was_there = value.is_some();
            f(&mut value);
            if was_there || value.is_some() {
                let bytes = self.state.measure(&key, value.as_ref())?;
                map.set(key, value, bytes);
            }
            Ok(())
        })
    }
    fn remove(&self, key: &UK) -> Result<Option<UV>> {
        let Some(cache) = self.state.cache() else {
            let _gate = self.state.state.changing()?;
            let value = self.state.load(key)?;
            if value.is_some() {
                self.state.store(key, None)?;
            }
            return Ok(value);
        };
        cache.change(|map| {
            self.state.learn(map, key)?;
            let value = map.entries.get_mut(key).and_then(|slot| slot.value.take());
            if value.is_some() {
                let bytes = self.state.measure(key, None)?;
                map.set(key.clone(), None, bytes);
            }
            Ok(value)
        })
    }
    fn contains(&self, key: &UK) -> Result<bool> {
        if self.state.cache().is_some() {
            return self.state.read(key, |value| value.is_some());
        }
        let _gate = self.state.state.looking()?;
        self.state.with_user_key(key, |column, buffers| {
            Ok(column.get(buffers.key.as_slice())?.is_some())
        })
    }
    fn entry_count(&self) -> Result<usize> {
        if let Some(count) = self.state.show_whole(|map| map.iter().count())? {
            return Ok(count);
        }
        let _gate = self.state.state.looking()?;
        let mut count = 0;
        self.state.scan(|_, _| {
            count += 1;
            Ok(true)
        })?;
        Ok(count)
    }
    fn for_each(&self, visitor: &mut dyn EntryVisitor<UK, UV>) -> Result<()> {
        let whole = self
            .state
            .show_whole(|map| map.iter().for_each(|(key, value)| visitor.entry(key, value)))?;
        if whole.is_some() {
            return Ok(());
        }
        let state = &self.state.state;
        let _key = state.context().current_key()?;
        let _gate = state.looking()?;
        self.state.scan_typed(&mut |key, value| visitor.entry(key, value))
    }
    fn is_entry_at_hand(&self, key: &UK) -> Result<bool> {
        self.state.is_at_hand(|map| map.lookup(key).is_some())
    }
    fn want_entry(&self, key: &UK) -> Result<()> {
        if self.is_entry_at_hand(key)? {
            return Ok(());
        }
        self.state
            .with_user_key(key, |column, buffers| column.want(buffers.key.as_slice()))
    }
}
