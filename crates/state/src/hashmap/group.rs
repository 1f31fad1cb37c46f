//! The entries of one key group: small shards that a snapshot can share, addressed by linear hashing.
//!
//! A [`Shard`] is a hash table of some hundreds of entries. Linear hashing (Litwin, 1980) grows the group by one shard at a
//! time: shard `n` takes over half of shard `n - base`, where `base` is the largest power of two up to `n`. So no insert ever
//! rehashes more than one shard, the place of an entry follows from its hash and the number of shards alone, and a lookup
//! needs no directory. Shard numbers never change, which incremental snapshots rely on.
//!
//! A shard is either owned, and then it was changed since the last snapshot, or frozen, and then snapshots may share it.
//! A write takes a frozen shard back: without a copy when the snapshots have let go of it, else as a copy, of each entry only when it
//! is written if that is worth it ([`Shard::of_frozen`]). Neither side ever locks.

use super::expire::{Budget, Cursor, Expiring};
use super::shard::Shard;
use crate::ttl::Expiry;
use std::sync::Arc;

/// Counts snapshots of one backend instance; 0 is before the first.
pub(crate) type Epoch = u64;

/// A hash table that snapshots can share.
#[derive(Debug)]
pub(super) enum Slot<E> {
    /// Changed since the last snapshot.
    Owned(Shard<E>),
    /// As it was at snapshot `since`, and at each one after that.
    Frozen { shard: Arc<Shard<E>>, since: Epoch },
}

/// A shard in a snapshot.
#[derive(Debug)]
pub(super) struct FrozenShard<E> {
    pub(super) shard: Arc<Shard<E>>,
    pub(super) since: Epoch,
}

/// What a write does with an entry that a snapshot still has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Changes a copy of it.
    Copied,
    /// Makes a new one, as nothing of the old one matters: nothing is copied.
    Replaced,
}

/// Where an entry was seen. It may have moved since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) shard: u32,
    pub(super) position: u32,
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
    fn shard(&self) -> &Shard<E> {
        match self {
            Slot::Owned(shard) => shard,
            Slot::Frozen { shard, .. } => shard,
        }
    }
}

impl<E: Clone> Slot<E> {
    #[inline(always)]
    fn shard_mut(&mut self) -> &mut Shard<E> {
        if let Slot::Frozen { .. } = self {
            self.thaw();
        }
        match self {
            Slot::Owned(shard) => {
                shard.settle();
                shard
            }
            // Not reached: thaw has just made it owned. A copy for nobody is still a right answer.
            Slot::Frozen { shard, .. } => Arc::make_mut(shard),
        }
    }

    #[cold]
    #[inline(never)]
    fn thaw(&mut self) {
        let slot = std::mem::replace(self, Slot::Owned(Shard::default()));
        *self = match slot {
            Slot::Frozen { shard, .. } => {
                Slot::Owned(Arc::try_unwrap(shard).unwrap_or_else(Shard::of_frozen))
            }
            owned => owned,
        };
    }

    /// Removes the expired of the values in the entry at the cursor. Answers whether the next position is to be looked at:
    /// not when all of an entry is gone, since another one has taken its place, nor when there is more in it.
    fn sweep_entry<V: Expiring>(
        &mut self,
        cursor: &mut Cursor,
        budget: &mut Budget,
        moment: Expiry,
        value: impl Fn(&E) -> &V,
        value_mut: impl Fn(&mut E) -> &mut V,
        hasher: impl Fn(&E) -> u64,
    ) -> bool {
        let Some(found) = self.shard().entry(cursor.position).map(&value) else {
            return true;
        };
        let (from, max) = (cursor.element, budget.elements);
        if !found.any_over(from, max, moment) {
            let looked = max.min(found.elements().saturating_sub(from)).max(1);
            budget.charge(looked);
            cursor.element += looked;
            return cursor.element >= found.elements();
        }
        let shard = self.shard_mut();
        let Some(found) = shard.entry_mut(cursor.position).map(value_mut) else {
            return true;
        };
        let removed = found.remove_over(from, max, moment);
        budget.charge(removed.cost.max(1));
        if removed.gone {
            shard.remove(cursor.position, hasher);
            cursor.element = 0;
            return false;
        }
        cursor.element = removed.next;
        removed.next >= found.elements()
    }

    fn freeze(&mut self, epoch: Epoch) -> FrozenShard<E> {
        if let Slot::Owned(shard) = self {
            // Or a shard that is only ever written while there is a snapshot would keep all that it ever was.
            shard.settle();
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
            slots: vec![Slot::Owned(Shard::default())],
            mask: 0,
            len: 0,
            len_to_split: shard_target,
            shard_target,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The shard that holds the entries with this hash. Bits 32 and up choose it: the shard itself uses those below.
    #[inline]
    fn index(&self, hash: u64) -> usize {
        let bits = (hash >> 32) as u32;
        // Without a branch: which of the two it is depends on the key, so no processor could predict it, and each wrong
        // guess would throw away the memory accesses that it has begun for the next records.
        let past_end = u32::from((bits & self.mask) as usize >= self.slots.len());
        (bits & (self.mask >> past_end)) as usize
    }

    /// The entry at a spot, whichever it is.
    #[inline(always)]
    fn at(&self, spot: Spot) -> Option<&E> {
        let slot = self.slots.get(spot.shard as usize)?;
        slot.shard().entry(spot.position as usize)
    }

    /// The shard where the entry with this hash that `eq` accepts is or belongs, and its position if it is there. Looks first where
    /// it was `seen`.
    #[inline(always)]
    fn seek(&self, hash: u64, seen: Option<Spot>, mut eq: impl FnMut(&E) -> bool) -> (usize, Option<usize>) {
        if let Some(spot) = seen
            && self.at(spot).is_some_and(&mut eq)
        {
            return (spot.shard as usize, Some(spot.position as usize));
        }
        let index = self.index(hash);
        let slot = self.slots.get(index);
        (index, slot.and_then(|slot| slot.shard().seek(hash, eq)))
    }

    /// The entry with this hash that `eq` accepts. Looks first where it was `seen`.
    #[inline(always)]
    pub(super) fn find(&self, hash: u64, seen: Option<Spot>, mut eq: impl FnMut(&E) -> bool) -> Option<&E> {
        if let Some(entry) = seen.and_then(|spot| self.at(spot))
            && eq(entry)
        {
            return Some(entry);
        }
        let shard = self.slots.get(self.index(hash))?.shard();
        shard.entry(shard.seek(hash, eq)?)
    }

    /// How many shards it has.
    #[inline]
    pub(super) fn shards(&self) -> usize {
        self.slots.len()
    }

    /// Asks for the memory in which a lookup of this hash begins, and returns the shard in which it goes on.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) -> Option<(u32, &Shard<E>)> {
        let index = self.index(hash);
        let shard = self.slots.get(index)?.shard();
        shard.prefetch_index(hash);
        Some((index as u32, shard))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &E> {
        self.slots.iter().flat_map(|slot| slot.shard().entries())
    }
}

impl<E: Clone> Group<E> {
    /// Lets `write` change the entry that `eq` accepts, or make one when it gets none. `held` says which of the two it does about
    /// an entry that a snapshot still has.
    #[inline(always)]
    pub(super) fn upsert(
        &mut self,
        hash: u64,
        seen: Option<Spot>,
        held: Held,
        eq: impl FnMut(&E) -> bool,
        write: impl FnOnce(Option<&mut E>) -> Option<E>,
        hasher: impl Fn(&E) -> u64,
    ) {
        let (index, position) = self.seek(hash, seen, eq);
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let shard = slot.shard_mut();
        let old = match position {
            Some(position) if held == Held::Replaced && shard.is_lent(position) => None,
            Some(position) => shard.entry_mut(position),
            None => None,
        };
        match (write(old), position) {
            (Some(entry), Some(position)) => shard.put_lent(position, entry),
            (Some(entry), None) => {
                shard.insert_unique(hash, entry, &hasher);
                self.grew(hasher);
            }
            (None, _) => {}
        }
    }

    /// Takes the entry that `eq` accepts out, lets `change` turn it into another or none, and puts that in its place.
    #[inline]
    pub(super) fn replace(
        &mut self,
        hash: u64,
        seen: Option<Spot>,
        eq: impl FnMut(&E) -> bool,
        change: impl FnOnce(Option<E>) -> Option<E>,
        hasher: impl Fn(&E) -> u64,
    ) {
        let (index, position) = self.seek(hash, seen, eq);
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let shard = slot.shard_mut();
        match position {
            Some(position) => {
                if !shard.replace(hash, position, hasher, |entry| change(Some(entry))) {
                    self.len -= 1;
                }
            }
            None => {
                if let Some(entry) = change(None) {
                    shard.insert_unique(hash, entry, &hasher);
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
        seen: Option<Spot>,
        eq: impl FnMut(&E) -> bool,
        change: impl FnOnce(&mut E) -> (R, bool),
        hasher: impl Fn(&E) -> u64,
    ) -> Option<R> {
        let (index, position) = self.seek(hash, seen, eq);
        let position = position?;
        let shard = self.slots.get_mut(index)?.shard_mut();
        let (out, remove) = change(shard.entry_mut(position)?);
        if remove && shard.remove(position, hasher).is_some() {
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
        self.slots.push(Slot::Owned(Shard::default()));
        self.mask = count.next_power_of_two() - 1;
        self.len_to_split = self.shard_target.saturating_mul(new_index + 1);
        let source = new_index & (self.mask >> 1) as usize;
        let Some(source) = self.slots.get_mut(source) else {
            return;
        };
        let mask = self.mask;
        let target = source
            .shard_mut()
            .split(hasher, |hash| (hash >> 32) as u32 & mask == new_index as u32);
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
        hasher: impl Fn(&E) -> u64,
    ) -> bool {
        while let Some(slot) = self.slots.get_mut(cursor.slot) {
            // A shard costs a look, else a sweep over nothing would have no end.
            budget.shards = budget.shards.saturating_sub(1);
            while cursor.position < slot.shard().len() {
                if budget.spent() {
                    return false;
                }
                let before = slot.shard().len();
                let done = slot.sweep_entry(cursor, budget, moment, &value, &value_mut, &hasher);
                self.len -= before - slot.shard().len();
                if done {
                    cursor.position += 1;
                    cursor.element = 0;
                }
            }
            cursor.slot += 1;
            cursor.position = 0;
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
