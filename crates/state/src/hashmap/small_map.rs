//! The map inside an entry of a map state: a vector of entries, with an index once it is large.
//!
//! Most user maps are small; a scan over a few entries beats hashing, and one vector iterates and clones fast. From
//! [`INDEX_FROM`] entries on, a hash table of positions makes lookups constant. A map takes no more room than its vector: with a
//! key of eight bytes, two of them share a line of memory and none lies across two.

use hashbrown::HashTable;
use millpond_core::hash::fixed_hash;
use millpond_core::memory::{prefetch, prefetch_slice};
use std::hash::Hash;

/// From how many entries on there is an index.
const INDEX_FROM: usize = 17;

/// How much of a map is asked for ahead: what a scan for one of a few entries reads.
const PREFETCHED_LINES: usize = 3;

/// A map that keeps its entries in the order in which they came (a removal moves the last one into the gap).
#[derive(Clone, Debug)]
pub(crate) struct SmallMap<K, V>(Layout<K, V>);

#[derive(Clone, Debug)]
enum Layout<K, V> {
    Few(Vec<(K, V)>),
    Many(Box<Indexed<K, V>>),
}

#[derive(Clone, Debug)]
struct Indexed<K, V> {
    entries: Vec<(K, V)>,
    /// Positions in `entries`.
    index: HashTable<u32>,
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        SmallMap(Layout::Few(Vec::new()))
    }
}

impl<K, V> SmallMap<K, V> {
    #[inline]
    fn entries(&self) -> &Vec<(K, V)> {
        match &self.0 {
            Layout::Few(entries) => entries,
            Layout::Many(map) => &map.entries,
        }
    }

    #[cfg(feature = "rocksdb")]
    #[inline]
    fn entries_mut(&mut self) -> &mut Vec<(K, V)> {
        match &mut self.0 {
            Layout::Few(entries) => entries,
            Layout::Many(map) => &mut map.entries,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.entries().len()
    }

    /// The entries, side by side.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[(K, V)] {
        self.entries()
    }

    /// Asks for the memory that an access begins with.
    #[inline]
    pub(super) fn prefetch(&self) {
        match &self.0 {
            Layout::Few(entries) => prefetch_slice::<PREFETCHED_LINES, _>(entries),
            Layout::Many(map) => prefetch(&**map),
        }
    }

    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries().iter().map(|(k, v)| (k, v))
    }

    /// The entries from a position on.
    pub(super) fn iter_from(&self, position: usize) -> impl Iterator<Item = (&K, &V)> {
        self.entries().iter().skip(position).map(|(k, v)| (k, v))
    }

    /// What it takes beside its own size and what its entries own.
    #[cfg(feature = "rocksdb")]
    #[inline]
    pub(crate) fn heap_bytes(&self) -> usize {
        let index = match &self.0 {
            Layout::Few(_) => 0,
            Layout::Many(map) => size_of::<Indexed<K, V>>() + map.index.capacity() * size_of::<u64>(),
        };
        self.entries().capacity() * size_of::<(K, V)>() + index
    }
}

impl<K: Hash + Eq, V> SmallMap<K, V> {
    #[inline]
    fn position(&self, key: &K) -> Option<usize> {
        match &self.0 {
            Layout::Few(entries) => entries.iter().position(|(k, _)| k == key),
            Layout::Many(map) => map.position(key),
        }
    }

    #[inline]
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        match &self.0 {
            Layout::Few(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            Layout::Many(map) => map.entries.get(map.position(key)?).map(|(_, v)| v),
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match &mut self.0 {
            Layout::Few(entries) => entries.iter_mut().find(|(k, _)| k == key).map(|(_, v)| v),
            Layout::Many(map) => {
                let position = map.position(key)?;
                map.entries.get_mut(position).map(|(_, v)| v)
            }
        }
    }

    /// Removes the entries of which `keep` says false.
    #[cfg(feature = "rocksdb")]
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        let mut position = 0;
        while let Some((key, value)) = self.entries_mut().get_mut(position) {
            if keep(key, value) {
                position += 1;
            } else {
                self.remove_at(position);
            }
        }
    }

    #[inline]
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.get_mut(&key) {
            Some(slot) => *slot = value,
            None => self.push(key, value),
        }
    }

    #[inline(never)]
    fn push(&mut self, key: K, value: V) {
        match &mut self.0 {
            Layout::Few(entries) => {
                entries.push((key, value));
                if entries.len() >= INDEX_FROM {
                    self.0 = Layout::Many(Box::new(Indexed::new(std::mem::take(entries))));
                }
            }
            Layout::Many(map) => map.push(key, value),
        }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let position = self.position(key)?;
        self.remove_at(position)
    }

    /// Removes the entry at a position; the last one moves there.
    pub(super) fn remove_at(&mut self, position: usize) -> Option<V> {
        match &mut self.0 {
            Layout::Few(entries) => (position < entries.len()).then(|| entries.swap_remove(position).1),
            Layout::Many(map) => {
                let removed = map.remove_at(position);
                if map.entries.len() * 2 < INDEX_FROM {
                    self.0 = Layout::Few(std::mem::take(&mut map.entries));
                }
                removed
            }
        }
    }
}

impl<K: Hash + Eq, V> Indexed<K, V> {
    fn new(entries: Vec<(K, V)>) -> Self {
        let mut index = HashTable::with_capacity(entries.len() * 2);
        for (i, (key, _)) in entries.iter().enumerate() {
            index.insert_unique(fixed_hash(key), i as u32, |i| hash_at(&entries, *i));
        }
        Indexed { entries, index }
    }

    #[inline]
    fn position(&self, key: &K) -> Option<usize> {
        let is = |i: &u32| self.entries.get(*i as usize).is_some_and(|(k, _)| k == key);
        self.index.find(fixed_hash(key), is).map(|i| *i as usize)
    }

    fn push(&mut self, key: K, value: V) {
        let (hash, position) = (fixed_hash(&key), self.entries.len() as u32);
        self.entries.push((key, value));
        self.index
            .insert_unique(hash, position, |i| hash_at(&self.entries, *i));
    }

    fn remove_at(&mut self, position: usize) -> Option<V> {
        let last = self.entries.len().checked_sub(1)?;
        if position > last {
            return None;
        }
        let hash_removed = hash_at(&self.entries, position as u32);
        let hash_last = hash_at(&self.entries, last as u32);
        if let Ok(found) = self.index.find_entry(hash_removed, |i| *i as usize == position) {
            found.remove();
        }
        if let Some(i) = self.index.find_mut(hash_last, |i| *i as usize == last) {
            *i = position as u32;
        }
        Some(self.entries.swap_remove(position).1)
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
