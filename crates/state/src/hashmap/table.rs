//! A state's entries: for each key group that the backend owns, a [`Group`] of `(namespace, key) -> value`.
//!
//! The namespace of state outside windows takes no space and no time: its type has one value.
//!
//! What a lookup passes through, from the state down to the index of a shard, is `inline(always)`: left alone, the compiler makes
//! functions of it that all operations of a state share, and calling those was 7 % of an access to a map or a list.

use super::expire::{Budget, Cursor, Expiring};
use super::group::{Epoch, FrozenShard, Group, Held, Spot};
use crate::descriptor::StateData;
use crate::keyed::{Namespace, PREFETCH_BATCH, PreparedKey};
use crate::ttl::Expiry;
use millpond_core::hash::fixed_hash;
use millpond_core::memory::prefetch;
use millpond_core::{Error, Result};
use millpond_types::{KeyGroupRange, StateKey};
use std::cell::Cell;

/// An entry of a state.
#[derive(Clone, Debug)]
pub(super) struct Entry<K, N, V> {
    pub(super) key: K,
    pub(super) namespace: N,
    pub(super) value: V,
}

/// Where an access goes: computed once for a key and a namespace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) key_group: u32,
    pub(super) hash: u64,
    /// Which of the announced keys it should be; see [`StateTable::prefetch`].
    pub(super) turn: usize,
}

/// An announced key, by its hash, and where its entry was seen when it was announced.
#[derive(Clone, Copy, Debug, Default)]
struct Sighting {
    hash: u64,
    spot: Spot,
}

/// The entries of one state.
#[derive(Debug)]
pub(super) struct StateTable<K, N, V> {
    groups: Vec<Group<Entry<K, N, V>>>,
    range: KeyGroupRange,
    /// Of the last announced keys, each by its turn.
    sightings: [Cell<Sighting>; PREFETCH_BATCH],
}

/// The shards of a state as a snapshot has them, by key group.
pub(super) type FrozenGroups<K, N, V> = Vec<Vec<FrozenShard<Entry<K, N, V>>>>;

/// The hash of a namespace; nothing to compute for a type with one value.
#[inline]
pub(super) fn namespace_hash<N: Namespace>(namespace: &N) -> u64 {
    if size_of::<N>() == 0 {
        0
    } else {
        fixed_hash(namespace)
    }
}

/// The hash of an entry from those of its key and its namespace.
#[inline]
pub(super) fn entry_hash<N>(key_hash: u64, namespace_hash: u64) -> u64 {
    if size_of::<N>() == 0 {
        return key_hash;
    }
    let product = u128::from(key_hash ^ 0x2d35_8dcc_aa6c_78a5) * u128::from(namespace_hash | 1);
    key_hash ^ (product as u64) ^ ((product >> 64) as u64)
}

#[inline]
fn hash_of<K: StateKey, N: Namespace, V>(entry: &Entry<K, N, V>) -> u64 {
    entry_hash::<N>(fixed_hash(&entry.key), namespace_hash(&entry.namespace))
}

#[inline]
fn is<K: Eq, N: Eq, V>(key: &K, namespace: &N) -> impl Fn(&Entry<K, N, V>) -> bool {
    move |e| e.key == *key && (size_of::<N>() == 0 || e.namespace == *namespace)
}

impl<K: StateKey, N: Namespace, V: StateData> StateTable<K, N, V> {
    /// An empty table. Shards hold `shard_target` entries on average.
    pub(super) fn new(range: KeyGroupRange, shard_target: usize) -> Self {
        StateTable {
            groups: range.iter().map(|_| Group::new(shard_target)).collect(),
            range,
            sightings: Default::default(),
        }
    }

    /// Where the entry of `place` was seen, if its key was announced. Only a guess: who uses it looks at the key there.
    #[inline(always)]
    fn seen(&self, place: Place) -> Option<Spot> {
        let sighting = self.sightings.get(place.turn % PREFETCH_BATCH)?.get();
        // With a namespace, nothing is announced.
        (size_of::<N>() == 0 && sighting.hash == place.hash).then_some(sighting.spot)
    }

    #[inline(always)]
    fn group(&self, key_group: u32) -> Result<&Group<Entry<K, N, V>>> {
        let index = key_group.wrapping_sub(self.range.first()) as usize;
        match self.groups.get(index) {
            Some(group) => Ok(group),
            None => Err(foreign(key_group, self.range)),
        }
    }

    #[inline(always)]
    fn group_mut(&mut self, key_group: u32) -> Result<&mut Group<Entry<K, N, V>>> {
        let index = key_group.wrapping_sub(self.range.first()) as usize;
        match self.groups.get_mut(index) {
            Some(group) => Ok(group),
            None => Err(foreign(key_group, self.range)),
        }
    }

    #[inline(always)]
    pub(super) fn get(&self, place: Place, key: &K, namespace: &N) -> Result<Option<&V>> {
        let group = self.group(place.key_group)?;
        let found = group.find(place.hash, self.seen(place), is(key, namespace));
        Ok(found.map(|e| &e.value))
    }

    /// Asks for the memory of the values of `keys`: first of all for where each lookup begins, and only then for what is there, so
    /// that the waits for memory overlap. Hands the values to `then`, if there is anything more to ask for; now and then one is
    /// another key's. Notes where they are: an access whose turn it is looks there first, and needs no lookup then.
    pub(super) fn prefetch(&self, keys: &[PreparedKey<K>], then: Option<impl Fn(&V)>) {
        // A state so small lies in the processor's cache, where asking costs more than waiting.
        let first = keys.first().and_then(|key| self.group(key.key_group).ok());
        if first.is_none_or(|group| group.shards() == 1) {
            return;
        }
        for keys in keys.chunks(PREFETCH_BATCH) {
            let mut shards = [None; PREFETCH_BATCH];
            for (shard, key) in shards.iter_mut().zip(keys) {
                let group = self.group(key.key_group).ok();
                *shard = group.and_then(|group| group.prefetch(key.hash));
            }
            let mut entries = [None; PREFETCH_BATCH];
            for (((entry, sighting), found), key) in
                entries.iter_mut().zip(&self.sightings).zip(shards).zip(keys)
            {
                let Some((index, shard)) = found else {
                    continue;
                };
                // Without a namespace, the hash of an entry is that of its key.
                match shard.likely(key.hash) {
                    Some((position, likely)) => {
                        prefetch(likely);
                        let spot = Spot {
                            shard: index,
                            position,
                        };
                        sighting.set(Sighting { hash: key.hash, spot });
                        *entry = Some(likely);
                    }
                    // Not there: it may be about to come.
                    None => shard.prefetch_end(),
                }
            }
            if let Some(then) = &then {
                entries.iter().flatten().for_each(|entry| then(&entry.value));
            }
        }
    }

    /// Lets `write` change the value, or make one when it gets none. `held` says which of the two it does about a value that a
    /// snapshot still has.
    #[inline(always)]
    pub(super) fn upsert(
        &mut self,
        place: Place,
        key: &K,
        namespace: &N,
        held: Held,
        write: impl FnOnce(Option<&mut V>) -> Option<V>,
    ) -> Result<()> {
        let write = |entry: Option<&mut Entry<K, N, V>>| {
            write(entry.map(|e| &mut e.value)).map(|value| Entry {
                key: key.clone(),
                namespace: namespace.clone(),
                value,
            })
        };
        let seen = self.seen(place);
        let group = self.group_mut(place.key_group)?;
        group.upsert(place.hash, seen, held, is(key, namespace), write, hash_of);
        Ok(())
    }

    /// Lends the value to be changed, removed or set.
    #[inline]
    pub(super) fn modify(
        &mut self,
        place: Place,
        key: &K,
        namespace: &N,
        f: impl FnOnce(&mut Option<V>),
    ) -> Result<()> {
        let change = |entry: Option<Entry<K, N, V>>| match entry {
            Some(Entry {
                key,
                namespace,
                value,
            }) => {
                let mut value = Some(value);
                f(&mut value);
                value.map(|value| Entry {
                    key,
                    namespace,
                    value,
                })
            }
            None => {
                let mut value = None;
                f(&mut value);
                value.map(|value| Entry {
                    key: key.clone(),
                    namespace: namespace.clone(),
                    value,
                })
            }
        };
        let seen = self.seen(place);
        self.group_mut(place.key_group)?
            .replace(place.hash, seen, is(key, namespace), change, hash_of);
        Ok(())
    }

    /// Changes a value that is there; `change` also says whether to remove it then.
    #[inline]
    pub(super) fn change<R>(
        &mut self,
        place: Place,
        key: &K,
        namespace: &N,
        change: impl FnOnce(&mut V) -> (R, bool),
    ) -> Result<Option<R>> {
        let seen = self.seen(place);
        let group = self.group_mut(place.key_group)?;
        Ok(group.change(
            place.hash,
            seen,
            is(key, namespace),
            |e| change(&mut e.value),
            hash_of,
        ))
    }

    pub(super) fn len(&self) -> usize {
        self.groups.iter().map(Group::len).sum()
    }

    pub(super) fn keys(&self, namespace: &N) -> Vec<K> {
        let entries = self.groups.iter().flat_map(Group::iter);
        entries
            .filter(|e| e.namespace == *namespace)
            .map(|e| e.key.clone())
            .collect()
    }

    pub(super) fn keys_and_namespaces(&self) -> Vec<(K, N)> {
        let entries = self.groups.iter().flat_map(Group::iter);
        entries.map(|e| (e.key.clone(), e.namespace.clone())).collect()
    }

    /// Shows what `key` has under each namespace. Without namespaces it is one lookup, else it looks through the key group.
    pub(super) fn for_key(
        &self,
        key: &K,
        key_group: u32,
        mut f: impl FnMut(&N, &V) -> Result<()>,
    ) -> Result<()> {
        let group = self.group(key_group)?;
        if size_of::<N>() == 0 {
            let found = group.find(entry_hash::<N>(fixed_hash(key), 0), None, |e| e.key == *key);
            return found.map_or(Ok(()), |e| f(&e.namespace, &e.value));
        }
        group
            .iter()
            .filter(|e| e.key == *key)
            .try_for_each(|e| f(&e.namespace, &e.value))
    }

    /// Removes expired values from `cursor` on, until the budget is spent or the last key group is done; the next sweep goes
    /// on from there or from the first.
    pub(super) fn sweep(&mut self, cursor: &mut Cursor, budget: &mut Budget, moment: Expiry)
    where
        V: Expiring,
    {
        while let Some(group) = self.groups.get_mut(cursor.group) {
            if !group.sweep(cursor, budget, moment, |e| &e.value, |e| &mut e.value, hash_of) {
                return;
            }
            *cursor = Cursor {
                group: cursor.group + 1,
                ..Cursor::default()
            };
        }
        *cursor = Cursor::default();
    }

    pub(super) fn freeze(&mut self, epoch: Epoch) -> FrozenGroups<K, N, V> {
        self.groups.iter_mut().map(|g| g.freeze(epoch)).collect()
    }
}

#[cold]
#[inline(never)]
fn foreign(key_group: u32, range: KeyGroupRange) -> Error {
    Error::illegal_state(
        "use keyed state",
        "the current key belongs to another operator instance",
    )
    .with("key_group", key_group)
    .with("owned", range)
    .hint("partition the stream by the same key that the state is keyed by, and keep `java_hash` stable")
}
