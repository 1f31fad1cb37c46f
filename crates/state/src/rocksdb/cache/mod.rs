//! The typed write-back cache in front of a column family (decision D6): what is used often is neither read from the database
//! nor serialized until it leaves or a snapshot is taken.
//!
//! A slot is for a key and namespace and holds what is known of them: a value, a list, or the entries of a map that were
//! used. It costs its own size, what its key takes when serialized, and what its entry says. Which slot leaves is decided by a
//! clock hand that passes over slots used since its last round; which key gets one for being read, by whether it was read
//! before ([`newcomers`]). What the database lacks is written in batches, and never grows
//! past a bound; for a snapshot it is serialized and handed over as a whole. Of a checkpoint, what changes all the time stays
//! ([`heat`]).

mod entry;
mod heat;
mod memory;
mod newcomers;

pub(super) use entry::CachedEntry;
pub(super) use heat::Heat;
pub(super) use memory::{CacheMemory, CacheShare};

use super::in_flight::Writes;
use super::state::ColumnState;
use super::unwritten::Division;
use crate::hashmap::codec::KeyCodec;
use crate::keyed::Namespace;
use hashbrown::HashTable;
use millpond_core::{Error, Result};
use millpond_types::{DataOutput, StateKey};
use newcomers::Newcomers;
use std::cell::Cell;

/// How much is gathered, and then sorted, before it is written to the database; and how much room is made at once: whatever record
/// needs it waits, some milliseconds for that much.
const WRITE_BYTES: usize = 1 << 20;
/// How many slots leave together at most, and which part of the cache.
const LEAVE_MAX: usize = 4096;
const LEAVE_PART: usize = 16;
/// How many slots are looked at together when too much is held back.
const WRITE_EARLY: usize = 4096;

struct Slot<K, N, E> {
    hash: u64,
    /// What the key takes, where that varies.
    key_bytes: u32,
    key_group: u16,
    used: Cell<bool>,
    key: K,
    namespace: N,
    entry: E,
}

/// The cache of one state.
pub(super) struct TypedCache<K, N, E> {
    share: CacheShare,
    index: HashTable<u32>,
    slots: Vec<Slot<K, N, E>>,
    /// Where the next slot to leave is looked for.
    hand: usize,
    /// Where the next slot to be written early is looked for.
    write_hand: usize,
    bytes: usize,
    dirty_bytes: usize,
    /// The most that a snapshot took out. The buffers for it are kept, and count as a part of the cache.
    frozen_bytes: usize,
    key_varies: bool,
    key: DataOutput,
    writes: Writes,
    newcomers: Newcomers,
    /// The slots that are to leave.
    leaving: Vec<usize>,
    /// The slots that `writes` is of.
    writing: Vec<usize>,
}

type State<K, N, E> = ColumnState<K, N, <E as CachedEntry>::Whole, <E as CachedEntry>::Codec>;

impl<K, N, E: CachedEntry> Slot<K, N, E> {
    #[inline]
    fn bytes(&self) -> usize {
        let owned = self.key_bytes as usize + self.entry.bytes();
        // A position in the index takes its own size and half as much again. So does memory that is allocated: where slots come and go
        // in no order, an allocator uses two thirds of its pages (`rocksdb_memory` of the bench).
        size_of::<Self>() + size_of::<u64>() + owned + owned / 2
    }
}

impl<K: StateKey, N: Namespace, E: CachedEntry> Slot<K, N, E> {
    /// Adds what the database lacks. `key` is memory for it.
    #[inline]
    fn write(&self, state: &State<K, N, E>, key: &mut DataOutput, out: &mut Writes) -> Result<()> {
        state.write_key(u32::from(self.key_group), &self.key, &self.namespace, key)?;
        self.entry.write(state.codec(), key.as_slice(), out)
    }
}

impl<K, N, E> TypedCache<K, N, E>
where
    K: StateKey,
    N: Namespace,
    E: CachedEntry,
{
    pub(super) fn new(share: CacheShare, key: &KeyCodec<K, N>) -> Self {
        TypedCache {
            share,
            index: HashTable::new(),
            slots: Vec::new(),
            hand: 0,
            write_hand: 0,
            bytes: 0,
            dirty_bytes: 0,
            frozen_bytes: 0,
            key_varies: key.is_variable_sized(),
            key: DataOutput::new(),
            writes: Writes::default(),
            newcomers: Newcomers::default(),
            leaving: Vec::new(),
            writing: Vec::new(),
        }
    }

    /// What the cache may hold.
    pub(super) fn bytes_max(&self) -> usize {
        self.share.bytes_max()
    }

    #[inline]
    pub(super) fn find(&self, hash: u64, key: &K, namespace: &N) -> Option<usize> {
        let found = self.index.find(hash, |i| {
            self.slots
                .get(*i as usize)
                .is_some_and(|s| s.hash == hash && s.key == *key && s.namespace == *namespace)
        })?;
        Some(*found as usize)
    }

    /// Asks the memory for the slot of a hash. Lookups of many hashes in a row wait for memory at the same time, those of
    /// accesses one after the other.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        let found = self.index.find(hash, |i| {
            self.slots.get(*i as usize).is_some_and(|s| s.hash == hash)
        });
        std::hint::black_box(found);
    }

    #[inline]
    pub(super) fn entry(&self, slot: usize) -> Option<&E> {
        let slot = self.slots.get(slot)?;
        slot.used.set(true);
        Some(&slot.entry)
    }

    /// Whether a key without a slot gets one for being read.
    pub(super) fn admits(&mut self, hash: u64) -> bool {
        let is_full = self.bytes + self.frozen_bytes > self.share.bytes_max() / 8 * 7;
        !is_full || self.newcomers.seen(hash, self.slots.len())
    }

    /// Adds a slot of which nothing is known, and makes room for it first.
    pub(super) fn insert(
        &mut self,
        state: &State<K, N, E>,
        hash: u64,
        key_group: u32,
        key: &K,
        namespace: &N,
    ) -> Result<usize> {
        let mut key_bytes = 0;
        if self.key_varies {
            state.write_key(key_group, key, namespace, &mut self.key)?;
            key_bytes = u32::try_from(self.key.len()).unwrap_or(u32::MAX);
        }
        let slot = Slot {
            hash,
            key_bytes,
            // A max parallelism is at most 32,768.
            key_group: key_group as u16,
            used: Cell::new(true),
            key: key.clone(),
            namespace: namespace.clone(),
            entry: E::unknown(),
        };
        let bytes = slot.bytes();
        self.make_room(state, bytes)?;
        let position = self.slots.len();
        let number =
            u32::try_from(position).map_err(|_| Error::illegal_state("cache state", "too many entries"))?;
        if position == self.slots.capacity() {
            // Doubling would take more than what is counted.
            self.slots.reserve_exact(position / 4 + 16);
        }
        self.slots.push(slot);
        self.bytes += bytes;
        let slots = &self.slots;
        self.index
            .insert_unique(hash, number, |i| slots.get(*i as usize).map_or(0, |s| s.hash));
        Ok(position)
    }

    /// Changes a slot's entry. It stays where it is, also when the cache holds too much afterwards.
    #[inline]
    pub(super) fn change<R>(&mut self, slot: usize, f: impl FnOnce(&mut E) -> Result<R>) -> Result<R> {
        let Some(slot) = self.slots.get_mut(slot) else {
            return Err(Error::illegal_state("cache state", "a slot is not there"));
        };
        let before = slot.bytes();
        let dirty_before = if slot.entry.is_dirty() { before } else { 0 };
        let result = f(&mut slot.entry);
        slot.used.set(true);
        let after = slot.bytes();
        let dirty_after = if slot.entry.is_dirty() { after } else { 0 };
        self.bytes = self.bytes + after - before;
        self.dirty_bytes = self.dirty_bytes + dirty_after - dirty_before;
        result
    }

    /// Brings the cache back into its bounds. Positions are others afterwards.
    #[inline]
    pub(super) fn settle(&mut self, state: &State<K, N, E>) -> Result<()> {
        if self.dirty_bytes > self.share.dirty_bytes_max() {
            self.write_early(state)?;
        }
        if self.bytes + self.frozen_bytes > self.share.bytes_max() {
            self.make_room(state, 0)?;
        }
        Ok(())
    }

    /// Lets slots go until `bytes` more fit, many at once: what they hold is then written together. While something is in
    /// flight, which writes would wait for, slots that were not changed go first, and not more than a few at a time.
    fn make_room(&mut self, state: &State<K, N, E>, bytes: usize) -> Result<()> {
        let in_flight = state.column().database().is_in_flight();
        let limit = self.share.bytes_max().saturating_sub(bytes + self.frozen_bytes);
        // One slot may be larger than the whole cache: it stays alone.
        while self.bytes > limit && !self.slots.is_empty() {
            let wanted = (self.bytes - limit).max((limit / LEAVE_PART).min(WRITE_BYTES));
            let mut leaving = std::mem::take(&mut self.leaving);
            self.choose(wanted, in_flight, &mut leaving);
            if leaving.is_empty() && in_flight {
                self.choose(wanted, false, &mut leaving);
            }
            let written = self.write(state, leaving.iter().copied());
            if written.is_ok() {
                // From the back, since the last slot takes the place of one that leaves.
                leaving.sort_unstable();
                leaving.iter().rev().for_each(|position| self.remove(*position));
            }
            self.leaving = leaving;
            written?;
            if in_flight {
                break;
            }
        }
        Ok(())
    }

    /// Chooses slots to leave, with `wanted` bytes; `unchanged` ones only, or any.
    fn choose(&mut self, wanted: usize, unchanged: bool, leaving: &mut Vec<usize>) {
        leaving.clear();
        let mut found = 0;
        for _ in 0..self.slots.len() {
            if found >= wanted || leaving.len() >= LEAVE_MAX {
                break;
            }
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            if let Some(slot) = self.slots.get(self.hand)
                && !(unchanged && slot.entry.is_dirty())
                && !slot.used.replace(false)
            {
                found += slot.bytes();
                leaving.push(self.hand);
            }
            self.hand += 1;
        }
    }

    /// Writes changed slots one after the other until some of what may be held back is free again: a quarter, of much less.
    fn write_early(&mut self, state: &State<K, N, E>) -> Result<()> {
        let most = self.share.dirty_bytes_max();
        let limit = most - (most / 4).min(WRITE_BYTES);
        let mut seen = 0;
        while self.dirty_bytes > limit && seen < self.slots.len() {
            if self.write_hand >= self.slots.len() {
                self.write_hand = 0;
            }
            let mut writing = 0;
            let ahead = self.slots.iter().skip(self.write_hand).take(WRITE_EARLY);
            let looked_at = ahead
                .take_while(|slot| {
                    let more = writing < WRITE_BYTES;
                    writing += if slot.entry.is_dirty() { slot.bytes() } else { 0 };
                    more
                })
                .count();
            let end = self.write_hand + looked_at;
            self.write(state, self.write_hand..end)?;
            seen += end - self.write_hand;
            self.write_hand = end;
        }
        Ok(())
    }

    fn remove(&mut self, position: usize) {
        let Some(hash) = self.slots.get(position).map(|s| s.hash) else {
            return;
        };
        if let Ok(entry) = self.index.find_entry(hash, |i| *i as usize == position) {
            entry.remove();
        }
        let last = self.slots.len() - 1;
        if last != position
            && let Some(moved) = self.slots.get(last)
            && let Some(number) = self.index.find_mut(moved.hash, |i| *i as usize == last)
        {
            *number = position as u32;
        }
        let gone = self.slots.swap_remove(position);
        self.bytes = self.bytes.saturating_sub(gone.bytes());
    }

    /// Writes every changed slot.
    pub(super) fn flush(&mut self, state: &State<K, N, E>) -> Result<()> {
        self.write(state, 0..self.slots.len())
    }

    /// Takes out what every changed slot would write. After an error some of it is in `writes`, and the rest still here.
    pub(super) fn freeze(&mut self, state: &State<K, N, E>, writes: &mut Writes) -> Result<()> {
        let mut frozen = Ok(());
        for slot in self.slots.iter_mut().filter(|slot| slot.entry.is_dirty()) {
            frozen = slot.write(state, &mut self.key, writes);
            if frozen.is_err() {
                break;
            }
            let before = slot.bytes();
            slot.entry.written();
            self.bytes = self.bytes + slot.bytes() - before;
            self.dirty_bytes = self.dirty_bytes.saturating_sub(before);
        }
        self.frozen_bytes = self.frozen_bytes.max(writes.bytes());
        frozen
    }

    /// The same for a checkpoint that leaves some of it here. What it leaves means nothing after an error.
    pub(super) fn divide(&mut self, state: &State<K, N, E>, division: &mut Division<'_>) -> Result<()> {
        let mut divided = Ok(());
        for slot in &mut self.slots {
            if !slot.entry.is_dirty() {
                slot.entry.pass();
                continue;
            }
            let before = slot.bytes();
            divided = state
                .write_key(
                    u32::from(slot.key_group),
                    &slot.key,
                    &slot.namespace,
                    &mut self.key,
                )
                .and_then(|()| {
                    let key = self.key.as_slice();
                    slot.entry.divide(state.codec(), key, division)
                });
            let after = slot.bytes();
            let dirty_after = if slot.entry.is_dirty() { after } else { 0 };
            self.bytes = self.bytes + after - before;
            self.dirty_bytes = (self.dirty_bytes + dirty_after).saturating_sub(before);
            if divided.is_err() {
                break;
            }
        }
        let taken_out = division.writes.bytes() + division.unwritten.bytes();
        self.frozen_bytes = self.frozen_bytes.max(taken_out);
        divided
    }

    /// What the slots take that the database lacks something of.
    pub(super) fn dirty_bytes(&self) -> usize {
        self.dirty_bytes
    }

    /// Writes a slot, if it was changed.
    pub(super) fn write_slot(&mut self, state: &State<K, N, E>, slot: usize) -> Result<()> {
        self.write(state, slot..slot + 1)
    }

    /// Writes the changed ones of some slots.
    fn write(&mut self, state: &State<K, N, E>, positions: impl Iterator<Item = usize>) -> Result<()> {
        // What failed to be written before is still in its slot.
        self.writes.clear();
        self.writing.clear();
        for position in positions {
            let Some(slot) = self.slots.get(position) else {
                break;
            };
            if !slot.entry.is_dirty() {
                continue;
            }
            slot.write(state, &mut self.key, &mut self.writes)?;
            self.writing.push(position);
            if self.writes.bytes() >= WRITE_BYTES {
                self.commit(state)?;
            }
        }
        self.commit(state)
    }

    fn commit(&mut self, state: &State<K, N, E>) -> Result<()> {
        if self.writes.is_empty() {
            return Ok(());
        }
        state.column().write(&mut self.writes)?;
        // Only now: what could not be written stays changed.
        for position in self.writing.drain(..) {
            if let Some(slot) = self.slots.get_mut(position) {
                let before = slot.bytes();
                slot.entry.written();
                self.bytes = self.bytes + slot.bytes() - before;
                self.dirty_bytes = self.dirty_bytes.saturating_sub(before);
            }
        }
        Ok(())
    }
}
