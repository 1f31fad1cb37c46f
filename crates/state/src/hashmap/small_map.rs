//! The map inside an entry of a map state: a vector of entries, with an index once it is large.
//!
//! Most user maps are small; a scan over a few entries beats hashing, and one vector iterates and clones fast. From
//! [`INDEX_FROM`] entries on, a hash table of positions makes lookups constant.

use hashbrown::HashTable;
use millpond_core::hash::fixed_hash;
use millpond_core::memory::prefetch_slice;
use std::hash::Hash;

/// From how many entries on there is an index.
const INDEX_FROM: usize = 17;

/// How much of a map is asked for ahead: what a scan for one of a few entries reads.
const PREFETCHED_LINES: usize = 2;

/// A map that keeps its entries in the order in which they came (a removal moves the last one into the gap).
#[derive(Clone, Debug)]
pub(crate) struct SmallMap<K, V> {
    entries: Vec<(K, V)>,
    /// Positions in `entries`; `None` while there are few.
    index: Option<Box<HashTable<u32>>>,
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        SmallMap {
            entries: Vec::new(),
            index: None,
        }
    }
}

impl<K: Hash + Eq, V> SmallMap<K, V> {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Asks for the memory that an access begins with.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_slice(&self.entries, PREFETCHED_LINES);
    }

    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(k, v)| (k, v))
    }

    /// The entries from a position on.
    pub(super) fn iter_from(&self, position: usize) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().skip(position).map(|(k, v)| (k, v))
    }

    #[inline]
    fn position(&self, key: &K) -> Option<usize> {
        match &self.index {
            None => self.entries.iter().position(|(k, _)| k == key),
            Some(index) => index
                .find(fixed_hash(key), |i| self.key_at(*i) == Some(key))
                .map(|i| *i as usize),
        }
    }

    fn key_at(&self, position: u32) -> Option<&K> {
        self.entries.get(position as usize).map(|(k, _)| k)
    }

    #[inline]
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let position = self.position(key)?;
        self.entries.get(position).map(|(_, v)| v)
    }

    #[cfg(feature = "rocksdb")]
    #[inline]
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let position = self.position(key)?;
        self.entries.get_mut(position).map(|(_, v)| v)
    }

    /// Removes the entries of which `keep` says false.
    #[cfg(feature = "rocksdb")]
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        let mut position = 0;
        while let Some((key, value)) = self.entries.get_mut(position) {
            if keep(key, value) {
                position += 1;
            } else {
                self.remove_at(position);
            }
        }
    }

    /// What it takes beside its own size and what its entries own.
    #[cfg(feature = "rocksdb")]
    #[inline]
    pub(crate) fn heap_bytes(&self) -> usize {
        let index = self
            .index
            .as_ref()
            .map_or(0, |index| index.capacity() * size_of::<u64>());
        self.entries.capacity() * size_of::<(K, V)>() + index
    }

    #[inline]
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.position(&key).and_then(|p| self.entries.get_mut(p)) {
            Some((_, v)) => *v = value,
            None => self.push(key, value),
        }
    }

    fn push(&mut self, key: K, value: V) {
        let position = self.entries.len() as u32;
        let hash = self.index.is_some().then(|| fixed_hash(&key));
        self.entries.push((key, value));
        let entries = &self.entries;
        if let (Some(index), Some(hash)) = (&mut self.index, hash) {
            index.insert_unique(hash, position, |i| hash_at(entries, *i));
        } else if self.entries.len() >= INDEX_FROM {
            let mut index = HashTable::with_capacity(self.entries.len() * 2);
            for (i, (k, _)) in entries.iter().enumerate() {
                index.insert_unique(fixed_hash(k), i as u32, |i| hash_at(entries, *i));
            }
            self.index = Some(Box::new(index));
        }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let position = self.position(key)?;
        self.remove_at(position)
    }

    /// Removes the entry at a position; the last one moves there.
    pub(super) fn remove_at(&mut self, position: usize) -> Option<V> {
        let last = self.entries.len().checked_sub(1)?;
        if position > last {
            return None;
        }
        if self.index.is_some() {
            let hash_removed = hash_at(&self.entries, position as u32);
            let hash_last = hash_at(&self.entries, last as u32);
            if let Some(index) = &mut self.index {
                if let Ok(found) = index.find_entry(hash_removed, |i| *i as usize == position) {
                    found.remove();
                }
                if let Some(i) = index.find_mut(hash_last, |i| *i as usize == last) {
                    *i = position as u32;
                }
            }
        }
        let (_, value) = self.entries.swap_remove(position);
        if self.entries.len() * 2 < INDEX_FROM {
            self.index = None;
        }
        Some(value)
    }
}

fn hash_at<K: Hash, V>(entries: &[(K, V)], position: u32) -> u64 {
    entries.get(position as usize).map_or(0, |(k, _)| fixed_hash(k))
}

#[cfg(test)]
mod tests {
    use super::*;
    use millpond_core::host::SeededRandom;
    use std::collections::BTreeMap;

    /// Random inserts, removals and lookups around the size at which the index comes and goes, against a `BTreeMap`.
    #[test]
    fn behaves_as_a_map_with_and_without_its_index() {
        let mut random = SeededRandom::new(11);
        let (mut map, mut model) = (SmallMap::default(), BTreeMap::new());
        let mut largest = 0;
        for step in 0..50_000u64 {
            let key = random.below(if step / 5_000 % 2 == 0 { 12 } else { 60 });
            match random.below(5) {
                0 | 1 => {
                    map.insert(key, step);
                    model.insert(key, step);
                }
                2 => assert_eq!(map.remove(&key), model.remove(&key)),
                _ => assert_eq!(map.get(&key), model.get(&key)),
            }
            largest = largest.max(map.len());
            let seen: BTreeMap<u64, u64> = map.iter().map(|(k, v)| (*k, *v)).collect();
            assert_eq!(seen.len(), map.len());
            assert_eq!(seen, model);
        }
        assert!(largest > 2 * INDEX_FROM, "the index was never used");
    }
}
