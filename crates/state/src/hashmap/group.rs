//! The entries of one key group: small shards that a snapshot can share, addressed by linear hashing.
//!
//! A shard is a hash table of some hundreds of entries. Linear hashing (Litwin, 1980) grows the group by one shard at a
//! time: shard `n` takes over half of shard `n - base`, where `base` is the largest power of two up to `n`. So no insert ever
//! rehashes more than one shard, the place of an entry follows from its hash and the number of shards alone, and a lookup
//! needs no directory. Shard numbers never change, which incremental snapshots rely on.
//!
//! A shard is either owned, and then it was changed since the last snapshot, or frozen, and then snapshots may share it.
//! A write takes a frozen shard back: without a copy when the snapshots have let go of it, else as a copy.
//! Neither side ever locks.

use super::expire::{Budget, Cursor, Expiring};
use crate::ttl::Expiry;
use hashbrown::HashTable;
use std::sync::Arc;

/// Counts snapshots of one backend instance; 0 is before the first.
pub(crate) type Epoch = u64;

/// A hash table that snapshots can share.
#[derive(Debug)]
pub(super) enum Slot<E> {
    /// Changed since the last snapshot.
    Owned(HashTable<E>),
    /// As it was at snapshot `since`, and at each one after that.
    Frozen { shard: Arc<HashTable<E>>, since: Epoch },
}

/// A shard in a snapshot.
#[derive(Debug)]
pub(super) struct FrozenShard<E> {
    pub(super) shard: Arc<HashTable<E>>,
    pub(super) since: Epoch,
}

/// The shards of one key group.
#[derive(Debug)]
pub(super) struct Group<E> {
    slots: Vec<Slot<E>>,
    /// The number of shards rounded up to a power of two, less one.
    mask: u32,
    len: usize,
    /// When `len` passes it, a shard is split.
    len_to_split: usize,
    shard_target: usize,
}

impl<E> Slot<E> {
    #[inline]
    fn shard(&self) -> &HashTable<E> {
        match self {
            Slot::Owned(shard) => shard,
            Slot::Frozen { shard, .. } => shard,
        }
    }
}

impl<E: Clone> Slot<E> {
    #[inline]
    fn shard_mut(&mut self) -> &mut HashTable<E> {
        if let Slot::Frozen { .. } = self {
            self.thaw();
        }
        match self {
            Slot::Owned(shard) => shard,
            // Not reached: thaw has just made it owned. A copy for nobody is still a right answer.
            Slot::Frozen { shard, .. } => Arc::make_mut(shard),
        }
    }

    #[cold]
    #[inline(never)]
    fn thaw(&mut self) {
        let slot = std::mem::replace(self, Slot::Owned(HashTable::new()));
        *self = match slot {
            Slot::Frozen { shard, .. } => Slot::Owned(Arc::unwrap_or_clone(shard)),
            owned => owned,
        };
    }

    /// Removes the expired of the values in the entry that a bucket holds. Answers whether all of them were looked at.
    fn sweep_bucket<V: Expiring>(
        &mut self,
        cursor: &mut Cursor,
        budget: &mut Budget,
        moment: Expiry,
        value: impl Fn(&E) -> &V,
        value_mut: impl Fn(&mut E) -> &mut V,
    ) -> bool {
        let Some(found) = self.shard().get_bucket(cursor.bucket).map(&value) else {
            return true;
        };
        let (from, max) = (cursor.element, budget.elements);
        if !found.any_over(from, max, moment) {
            let looked = max.min(found.elements().saturating_sub(from)).max(1);
            budget.charge(looked);
            cursor.element += looked;
            return cursor.element >= found.elements();
        }
        let Ok(mut found) = self.shard_mut().get_bucket_entry(cursor.bucket) else {
            return true;
        };
        let removed = value_mut(found.get_mut()).remove_over(from, max, moment);
        budget.charge(removed.cost.max(1));
        cursor.element = removed.next;
        let done = removed.gone || removed.next >= value(found.get()).elements();
        if removed.gone {
            found.remove();
        }
        done
    }

    fn freeze(&mut self, epoch: Epoch) -> FrozenShard<E> {
        if let Slot::Owned(shard) = self {
            let shard = Arc::new(std::mem::take(shard));
            *self = Slot::Frozen { shard, since: epoch };
        }
        match self {
            Slot::Frozen { shard, since } => FrozenShard {
                shard: Arc::clone(shard),
                since: *since,
            },
            // Not reached: it has just been frozen.
            Slot::Owned(shard) => FrozenShard {
                shard: Arc::new(shard.clone()),
                since: epoch,
            },
        }
    }
}

impl<E> Group<E> {
    /// A group without entries. Its shards hold `shard_target` entries on average when it is large.
    pub(super) fn new(shard_target: usize) -> Self {
        Group {
            slots: vec![Slot::Owned(HashTable::new())],
            mask: 0,
            len: 0,
            len_to_split: shard_target,
            shard_target,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The shard that holds the entries with this hash. Bits 32 and up choose it: the table inside a shard uses the
    /// lowest bits and the highest seven.
    #[inline]
    fn index(&self, hash: u64) -> usize {
        let bits = (hash >> 32) as u32;
        // Without a branch: which of the two it is depends on the key, so no processor could predict it, and each wrong
        // guess would throw away the memory accesses that it has begun for the next records.
        let past_end = u32::from((bits & self.mask) as usize >= self.slots.len());
        (bits & (self.mask >> past_end)) as usize
    }

    /// The entry with this hash that `eq` accepts.
    #[inline]
    pub(super) fn find(&self, hash: u64, eq: impl FnMut(&E) -> bool) -> Option<&E> {
        self.slots.get(self.index(hash))?.shard().find(hash, eq)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &E> {
        self.slots.iter().flat_map(|slot| slot.shard().iter())
    }
}

impl<E: Clone> Group<E> {
    /// Changes the entry that `eq` accepts by `change`, or inserts what `create` makes; `arg` goes to the one that is
    /// called.
    #[inline]
    pub(super) fn upsert<A>(
        &mut self,
        hash: u64,
        arg: A,
        eq: impl FnMut(&E) -> bool,
        change: impl FnOnce(&mut E, A),
        create: impl FnOnce(A) -> E,
        hasher: impl Fn(&E) -> u64,
    ) {
        let index = self.index(hash);
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let shard = slot.shard_mut();
        if let Some(entry) = shard.find_mut(hash, eq) {
            change(entry, arg);
        } else {
            shard.insert_unique(hash, create(arg), &hasher);
            self.grew(hasher);
        }
    }

    /// Takes the entry that `eq` accepts out, lets `change` turn it into another or none, and puts that in its place.
    #[inline]
    pub(super) fn replace(
        &mut self,
        hash: u64,
        mut eq: impl FnMut(&E) -> bool,
        change: impl FnOnce(Option<E>) -> Option<E>,
        hasher: impl Fn(&E) -> u64,
    ) {
        let index = self.index(hash);
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        match slot.shard_mut().find_entry(hash, &mut eq) {
            Ok(found) => {
                let (entry, vacant) = found.remove();
                match change(Some(entry)) {
                    Some(entry) => {
                        vacant.insert(entry);
                    }
                    None => self.len -= 1,
                }
            }
            Err(absent) => {
                if let Some(entry) = change(None) {
                    absent.into_table().insert_unique(hash, entry, &hasher);
                    self.grew(hasher);
                }
            }
        }
    }

    /// Changes the entry that `eq` accepts and removes it when `change` says so. An absent one costs no thaw.
    #[inline]
    pub(super) fn change<R>(
        &mut self,
        hash: u64,
        mut eq: impl FnMut(&E) -> bool,
        change: impl FnOnce(&mut E) -> (R, bool),
    ) -> Option<R> {
        let index = self.index(hash);
        let slot = self.slots.get_mut(index)?;
        if let Slot::Frozen { shard, .. } = slot {
            shard.find(hash, &mut eq)?;
        }
        let mut found = slot.shard_mut().find_entry(hash, &mut eq).ok()?;
        let (out, remove) = change(found.get_mut());
        if remove {
            found.remove();
            self.len -= 1;
        }
        Some(out)
    }

    #[inline]
    fn grew(&mut self, hasher: impl Fn(&E) -> u64) {
        self.len += 1;
        if self.len > self.len_to_split {
            self.split(hasher);
        }
    }

    /// Adds a shard, which takes over its half of an older one.
    #[cold]
    #[inline(never)]
    fn split(&mut self, hasher: impl Fn(&E) -> u64) {
        let new_index = self.slots.len();
        let count = new_index as u32 + 1;
        self.slots.push(Slot::Owned(HashTable::new()));
        self.mask = count.next_power_of_two() - 1;
        self.len_to_split = self.shard_target.saturating_mul(new_index + 1);
        let source = new_index & (self.mask >> 1) as usize;
        let Some(source) = self.slots.get_mut(source) else {
            return;
        };
        let source = source.shard_mut();
        let mask = self.mask;
        let moves = |e: &mut E| (hasher(e) >> 32) as u32 & mask == new_index as u32;
        let mut target = HashTable::with_capacity(source.len() / 2 + 8);
        for entry in source.extract_if(moves) {
            target.insert_unique(hasher(&entry), entry, &hasher);
        }
        if let Some(slot) = self.slots.last_mut() {
            *slot = Slot::Owned(target);
        }
    }

    /// Removes the expired of the values in the entries from `cursor` on. Answers whether it came to the end of the group
    /// before the end of the budget.
    pub(super) fn sweep<V: Expiring>(
        &mut self,
        cursor: &mut Cursor,
        budget: &mut Budget,
        moment: Expiry,
        value: impl Fn(&E) -> &V,
        value_mut: impl Fn(&mut E) -> &mut V,
    ) -> bool {
        while let Some(slot) = self.slots.get_mut(cursor.slot) {
            let shard = slot.shard();
            let end = if shard.is_empty() { 0 } else { shard.num_buckets() };
            // A shard costs a bucket, else a sweep over nothing would have no end.
            budget.buckets = budget.buckets.saturating_sub(1);
            while cursor.bucket < end {
                if budget.spent() {
                    return false;
                }
                budget.buckets -= 1;
                let before = slot.shard().len();
                let done = slot.sweep_bucket(cursor, budget, moment, &value, &value_mut);
                self.len -= before - slot.shard().len();
                if !done {
                    return false;
                }
                cursor.bucket += 1;
                cursor.element = 0;
            }
            cursor.slot += 1;
            cursor.bucket = 0;
            cursor.element = 0;
            if budget.spent() {
                return false;
            }
        }
        true
    }

    /// Freezes every shard and returns them all.
    pub(super) fn freeze(&mut self, epoch: Epoch) -> Vec<FrozenShard<E>> {
        self.slots.iter_mut().map(|slot| slot.freeze(epoch)).collect()
    }
}

#[cfg(test)]
mod tests;
