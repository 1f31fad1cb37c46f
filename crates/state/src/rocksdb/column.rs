//! A state's column family with the cache of typed entries in front of it, where there is one (decision D6).

use super::cache::{CacheShare, CachedEntry, TypedCache};
use super::database::Column;
use super::in_flight::{HeldWrites, Spare, Writes};
use super::options::LeaveUnwritten;
use super::state::{ColumnState, KeysOf, RegisteredState, lending};
use super::unwritten::{ColumnUnwritten, Division, TakenOut, Unwritten};
use crate::keyed::Namespace;
use crate::query::Pairs;
use millpond_core::Result;
use millpond_core::hash::fixed_hash;
use millpond_types::StateKey;
use std::any::Any;
use std::cell::RefCell;

/// A column family and its cache.
pub(super) struct CachedColumn<K, N, E: CachedEntry> {
    pub(super) state: ColumnState<K, N, E::Whole, E::Codec>,
    /// Whether what the cache measures takes differently many bytes.
    pub(super) varies: bool,
    cache: Option<RefCell<TypedCache<K, N, E>>>,
    spare: Spare<Writes>,
    spare_unwritten: Spare<Unwritten>,
}

impl<K: StateKey, N: Namespace, E: CachedEntry> CachedColumn<K, N, E> {
    pub(super) fn new(state: ColumnState<K, N, E::Whole, E::Codec>, share: Option<CacheShare>) -> Self {
        let cache = share.map(|share| RefCell::new(TypedCache::new(share, state.key_codec())));
        CachedColumn {
            varies: E::is_variable_sized(state.codec()),
            state,
            cache,
            spare: Spare::default(),
            spare_unwritten: Spare::default(),
        }
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

    /// The cache, where it is on.
    #[inline]
    pub(super) fn cache(&self) -> Option<Cached<'_, K, N, E>> {
        let cache = self.cache.as_ref()?;
        Some(Cached {
            state: &self.state,
            cache,
        })
    }

    /// What the cache knows of a key that needs not be the current one.
    pub(super) fn peek<R>(
        &self,
        key: &K,
        namespace: &N,
        f: impl FnOnce(&E) -> Option<R>,
    ) -> Result<Option<R>> {
        let Some(cache) = &self.cache else {
            return Ok(None);
        };
        let cache = cache.try_borrow().map_err(|_| lending())?;
        let found = cache.find(entry_hash(fixed_hash(key), namespace), key, namespace);
        Ok(found.and_then(|slot| cache.entry(slot)).and_then(f))
    }

    /// Whether the cache knows enough of the current key that nothing has to be read.
    pub(super) fn is_at_hand(&self, enough: impl FnOnce(&E) -> bool) -> Result<bool> {
        let Some(cache) = &self.cache else {
            return Ok(false);
        };
        let (key, _) = self.state.current_group()?;
        let namespace = self.state.namespace()?;
        let hash = entry_hash(self.state.context().current_hash(), &*namespace);
        let cache = cache.try_borrow().map_err(|_| lending())?;
        let found = cache.find(hash, &key, &namespace);
        Ok(found.and_then(|slot| cache.entry(slot)).is_some_and(enough))
    }

    /// Notes that what the database has under the current key will be read.
    pub(super) fn want(&self) -> Result<()> {
        self.state
            .with_key(|buffers| self.state.column().want(buffers.key.as_slice()))
    }

    fn write_back(&self) -> Result<()> {
        match &self.cache {
            Some(cache) => cache.try_borrow_mut().map_err(|_| lending())?.flush(&self.state),
            None => self.state.changing().map(|_| ()),
        }
    }
}

/// A cache that is on, with its column family.
pub(super) struct Cached<'a, K, N, E: CachedEntry> {
    state: &'a ColumnState<K, N, E::Whole, E::Codec>,
    cache: &'a RefCell<TypedCache<K, N, E>>,
}

impl<K: StateKey, N: Namespace, E: CachedEntry> Cached<'_, K, N, E> {
    /// Shows the current key's entry. Where it is not `enough`, `learn` completes it from the database first.
    #[inline]
    pub(super) fn show<R>(
        &self,
        enough: impl Fn(&E) -> bool,
        learn: impl FnOnce(&mut E) -> Result<()>,
        f: impl FnOnce(&E) -> R,
    ) -> Result<R> {
        let (key, group) = self.state.current_group()?;
        let namespace = self.state.namespace()?;
        let hash = entry_hash(self.state.context().current_hash(), &*namespace);
        let looked = self.cache.try_borrow().map_err(|_| lending())?;
        let found = looked.find(hash, &key, &namespace);
        if let Some(entry) = found.and_then(|slot| looked.entry(slot))
            && enough(entry)
        {
            return Ok(f(entry));
        }
        drop(looked);
        let Ok(mut cache) = self.cache.try_borrow_mut() else {
            // From inside a callback that looks at another part of the cache, which must not move.
            let cache = self.cache.try_borrow().map_err(|_| lending())?;
            let known = found.and_then(|slot| cache.entry(slot).cloned());
            let mut entry = known.unwrap_or_else(E::unknown);
            learn(&mut entry)?;
            return Ok(f(&entry));
        };
        let slot = match found {
            Some(slot) => slot,
            None if !cache.admits(hash) => {
                drop(cache);
                let _lent = self.cache.try_borrow().map_err(|_| lending())?;
                let mut entry = E::unknown();
                learn(&mut entry)?;
                return Ok(f(&entry));
            }
            None => cache.insert(self.state, hash, group, &key, &namespace)?,
        };
        cache.change(slot, learn)?;
        drop(cache);
        let shown = {
            let cache = self.cache.try_borrow().map_err(|_| lending())?;
            cache.entry(slot).map(f)
        };
        // Lent no longer, the entry may have to leave at once.
        self.cache
            .try_borrow_mut()
            .map_err(|_| lending())?
            .settle(self.state)?;
        shown.ok_or_else(lending)
    }

    /// Changes the current key's entry, of which nothing may be known yet.
    #[inline]
    pub(super) fn change<R>(&self, f: impl FnOnce(&mut E) -> Result<R>) -> Result<R> {
        let (key, group) = self.state.current_group()?;
        let namespace = self.state.namespace()?;
        let hash = entry_hash(self.state.context().current_hash(), &*namespace);
        let mut cache = self.cache.try_borrow_mut().map_err(|_| lending())?;
        let slot = match cache.find(hash, &key, &namespace) {
            Some(slot) => slot,
            None => cache.insert(self.state, hash, group, &key, &namespace)?,
        };
        let result = cache.change(slot, f)?;
        cache.settle(self.state)?;
        Ok(result)
    }

    /// Writes what the database lacks of the current key.
    pub(super) fn write_current(&self) -> Result<()> {
        let (key, _) = self.state.current_group()?;
        let namespace = self.state.namespace()?;
        let hash = entry_hash(self.state.context().current_hash(), &*namespace);
        let mut cache = self.cache.try_borrow_mut().map_err(|_| lending())?;
        match cache.find(hash, &key, &namespace) {
            Some(slot) => cache.write_slot(self.state, slot),
            None => Ok(()),
        }
    }

    /// What one entry may take.
    pub(super) fn entry_bytes_max(&self) -> usize {
        /// The part of the cache that one key may have to itself.
        const PART: usize = 4;
        // While it is borrowed an entry is being lent, and none is completed.
        self.cache
            .try_borrow()
            .map_or(0, |cache| cache.bytes_max() / PART)
    }
}

#[inline]
fn entry_hash<N: Namespace>(key: u64, namespace: &N) -> u64 {
    if size_of::<N>() == 0 {
        return key;
    }
    (key ^ fixed_hash(namespace).rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl<K: StateKey, N: Namespace, E: CachedEntry + 'static> RegisteredState for CachedColumn<K, N, E> {
    fn num_entries(&self) -> Result<usize> {
        self.write_back()?;
        self.state.num_entries()
    }

    fn prefetch(&self, key_hashes: &mut dyn Iterator<Item = u64>) {
        if let Some(cache) = &self.cache
            && let Ok(cache) = cache.try_borrow()
            && let Ok(namespace) = self.state.namespace()
        {
            key_hashes.for_each(|hash| cache.prefetch(entry_hash(hash, &*namespace)));
        }
    }

    fn freeze(&self, out: &mut TakenOut) -> Result<()> {
        let Some(cache) = &self.cache else {
            return self.state.changing().map(|_| ());
        };
        let mut cache = cache.try_borrow_mut().map_err(|_| lending())?;
        // About what it takes; memory that is not used in the end costs nothing.
        let dirty = cache.dirty_bytes();
        let spare = self.spare.take();
        let mut writes = spare.unwrap_or_else(|| Writes::with_capacity(dirty));
        let column = self.state.column();
        let frozen = match out.leave {
            LeaveUnwritten::Nothing => cache.freeze(&self.state, &mut writes),
            leave => {
                let spare = self.spare_unwritten.take();
                let mut unwritten = spare.unwrap_or_else(|| Unwritten::with_capacity(dirty));
                let mut division = Division {
                    writes: &mut writes,
                    unwritten: &mut unwritten,
                    leave,
                };
                let frozen = cache.divide(&self.state, &mut division);
                let kept = ColumnUnwritten::new(column.name(), unwritten, &self.spare_unwritten);
                out.unwritten.push(kept);
                frozen
            }
        };
        // What was loaded of these keys may be something else by now.
        column.forget_loaded();
        out.held
            .push(HeldWrites::new(column, writes).with_spare(&self.spare));
        frozen
    }

    fn pairs_of(&self, prefix: &[u8], pairs: &mut Pairs) -> Result<()> {
        self.write_back()?;
        self.state.pairs_of(prefix, pairs)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl<K: StateKey, N: Namespace, E: CachedEntry> KeysOf<K, N> for CachedColumn<K, N, E> {
    fn keys(&self, namespace: &N) -> Result<Vec<K>> {
        self.write_back()?;
        self.state.keys(namespace)
    }

    fn keys_and_namespaces(&self) -> Result<Vec<(K, N)>> {
        self.write_back()?;
        self.state.keys_and_namespaces()
    }
}
