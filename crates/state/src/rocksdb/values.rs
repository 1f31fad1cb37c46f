//! States with one value for each key: the value itself, a reduced value, or an accumulator. With a cache of typed values in
//! front of the database, when there is one (decision D6).

use super::cache::{CacheShare, ValueCache};
use super::database::Column;
use super::state::{ColumnState, KeysOf, RegisteredState, lending};
use crate::descriptor::StateData;
use crate::hashmap::codec::ValueCodec;
use crate::keyed::Namespace;
use crate::query::Pairs;
use millpond_core::Result;
use millpond_core::hash::fixed_hash;
use millpond_types::{DataInput, StateKey};
use std::cell::RefCell;

/// A column family of single values.
pub(super) struct ValueColumn<K, N, V> {
    state: ColumnState<K, N, V, ValueCodec<V>>,
    cache: Option<RefCell<ValueCache<K, N, V>>>,
}

impl<K: StateKey, N: Namespace, V: StateData> ValueColumn<K, N, V> {
    pub(super) fn new(state: ColumnState<K, N, V, ValueCodec<V>>, share: Option<CacheShare>) -> Self {
        let cache =
            share.map(|share| RefCell::new(ValueCache::new(share, state.key_codec(), &state.codec().0)));
        ValueColumn { state, cache }
    }

    pub(super) fn column(&self) -> &Column {
        self.state.column()
    }

    pub(super) fn set_namespace(&self, namespace: N) -> Result<()> {
        if let Some(cache) = &self.cache {
            // A lent value of the cache is of the current namespace.
            let _ = cache.try_borrow_mut().map_err(|_| lending())?;
        }
        self.state.set_namespace(namespace)
    }

    fn load(&self) -> Result<Option<V>> {
        self.state.with_key(|buffers| {
            let stored = self.state.column().get(buffers.key.as_slice())?;
            stored
                .map(|bytes| self.state.codec().0.deserialize(&mut DataInput::new(&bytes)))
                .transpose()
        })
    }

    fn store(&self, value: Option<&V>) -> Result<()> {
        self.state.with_key(|buffers| match value {
            None => self.state.column().delete(buffers.key.as_slice()),
            Some(value) => {
                buffers.value.clear();
                self.state.codec().0.serialize(value, &mut buffers.value)?;
                self.state
                    .column()
                    .put(buffers.key.as_slice(), buffers.value.as_slice())
            }
        })
    }

    /// Makes sure that the cache holds what the current key has, and hands it out.
    #[inline]
    fn cached<R>(
        &self,
        cache: &RefCell<ValueCache<K, N, V>>,
        load: bool,
        f: impl FnOnce(&mut ValueCache<K, N, V>, usize) -> Result<R>,
    ) -> Result<R> {
        let (key, group) = self.state.current_group()?;
        let namespace = self.state.namespace()?;
        let hash = entry_hash(self.state.context().current_hash(), &*namespace);
        let mut cache = cache.try_borrow_mut().map_err(|_| lending())?;
        let slot = match cache.find(hash, &key, &namespace) {
            Some(slot) => slot,
            None => {
                let value = if load { self.load()? } else { None };
                cache.insert(&self.state, hash, group, &key, &namespace, value)?
            }
        };
        f(&mut cache, slot)
    }

    /// Shows the current key's value.
    pub(super) fn read<R>(&self, f: impl FnOnce(Option<&V>) -> R) -> Result<R> {
        let Some(cache) = &self.cache else {
            let _key = self.state.context().current_key()?;
            let _gate = self.state.looking()?;
            return Ok(f(self.load()?.as_ref()));
        };
        {
            let (key, _) = self.state.current_group()?;
            let namespace = self.state.namespace()?;
            let hash = entry_hash(self.state.context().current_hash(), &*namespace);
            let cache = cache.try_borrow().map_err(|_| lending())?;
            if let Some(slot) = cache.find(hash, &key, &namespace) {
                return Ok(f(cache.value(slot)));
            }
        }
        let slot = self.cached(cache, true, |_, slot| Ok(slot))?;
        let _key = self.state.context().current_key()?;
        let cache = cache.try_borrow().map_err(|_| lending())?;
        Ok(f(cache.value(slot)))
    }

    /// Puts `value` in the place of the current key's.
    pub(super) fn put(&self, value: Option<V>) -> Result<()> {
        let Some(cache) = &self.cache else {
            let _gate = self.state.changing()?;
            return self.store(value.as_ref());
        };
        self.cached(cache, false, |cache, slot| {
            cache.change(&self.state, slot, true, |old| *old = value)
        })
    }

    /// Lends the current key's value to be changed, removed or set.
    pub(super) fn modify(&self, f: impl FnOnce(&mut Option<V>)) -> Result<()> {
        let Some(cache) = &self.cache else {
            let _key = self.state.context().current_key()?;
            let _gate = self.state.changing()?;
            let mut value = self.load()?;
            let was_there = value.is_some();
            f(&mut value);
            return if was_there || value.is_some() {
                self.store(value.as_ref())
            } else {
                Ok(())
            };
        };
        self.cached(cache, true, |cache, slot| {
            cache.change(&self.state, slot, false, f)
        })
    }
}

#[inline]
fn entry_hash<N: Namespace>(key: u64, namespace: &N) -> u64 {
    if size_of::<N>() == 0 {
        return key;
    }
    (key ^ fixed_hash(namespace).rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl<K: StateKey, N: Namespace, V: StateData> RegisteredState for ValueColumn<K, N, V> {
    fn num_entries(&self) -> Result<usize> {
        self.flush()?;
        self.state.num_entries()
    }

    fn flush(&self) -> Result<()> {
        match &self.cache {
            Some(cache) => cache.try_borrow_mut().map_err(|_| lending())?.flush(&self.state),
            None => self.state.flush(),
        }
    }

    fn pairs_of(&self, prefix: &[u8], pairs: &mut Pairs) -> Result<()> {
        self.flush()?;
        self.state.pairs_of(prefix, pairs)
    }
}

impl<K: StateKey, N: Namespace, V: StateData> KeysOf<K, N> for ValueColumn<K, N, V> {
    fn keys(&self, namespace: &N) -> Result<Vec<K>> {
        self.flush()?;
        self.state.keys(namespace)
    }

    fn keys_and_namespaces(&self) -> Result<Vec<(K, N)>> {
        self.flush()?;
        self.state.keys_and_namespaces()
    }
}
