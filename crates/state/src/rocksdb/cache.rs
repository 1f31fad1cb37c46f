//! The typed write-back cache in front of a column family (decision D6): values that are used often are neither read from
//! the database nor serialized until they leave or a snapshot is taken.
//!
//! It is bounded in bytes. A slot costs its own size and what its key and value take when serialized; values whose size
//! varies are measured at each change. Which slot leaves is decided by a clock hand that passes over slots used since its
//! last round. Changed slots are written in batches.

use super::state::{Buffers, ColumnState};
use crate::descriptor::StateData;
use crate::hashmap::codec::{KeyCodec, ValueCodec};
use crate::keyed::Namespace;
use crate::snapshot::key_layout::is_variable_sized;
use hashbrown::HashTable;
use millpond_core::{Error, Result};
use millpond_types::{DataOutput, SharedSerializer, StateKey};
use rust_rocksdb::WriteBatch;
use std::cell::Cell;
use std::rc::Rc;

/// How much is gathered before it is written to the database.
const BATCH_BYTES: usize = 256 * 1024;
/// How many slots are written together when one has to leave: its neighbours would have to soon.
const WRITE_AHEAD: usize = 64;

/// The memory of all caches of a backend, shared equally among its states.
#[derive(Debug)]
pub(super) struct CacheMemory {
    bytes_max: usize,
    states: Cell<usize>,
}

/// A state's part of it.
#[derive(Clone, Debug)]
pub(super) struct CacheShare(Rc<CacheMemory>);

impl CacheMemory {
    pub(super) fn new(bytes_max: usize) -> Rc<Self> {
        Rc::new(CacheMemory {
            bytes_max,
            states: Cell::new(0),
        })
    }

    /// A share for one more state; none when the cache is off.
    pub(super) fn share(self: &Rc<Self>) -> Option<CacheShare> {
        self.states.set(self.states.get() + 1);
        (self.bytes_max > 0).then(|| CacheShare(Rc::clone(self)))
    }
}

impl CacheShare {
    fn bytes_max(&self) -> usize {
        self.0.bytes_max / self.0.states.get().max(1)
    }
}

struct Slot<K, N, V> {
    hash: u64,
    key_group: u32,
    /// What key and value take.
    bytes: u32,
    dirty: bool,
    used: Cell<bool>,
    key: K,
    namespace: N,
    /// `None`: there is nothing in the database either, or there won't be once this is written.
    value: Option<V>,
}

/// The cache of one state.
pub(super) struct ValueCache<K, N, V> {
    share: CacheShare,
    index: HashTable<u32>,
    slots: Vec<Slot<K, N, V>>,
    hand: usize,
    bytes: usize,
    /// What the serialized value takes, when that is the same for all.
    value_varies: bool,
    key_varies: bool,
    scratch: DataOutput,
    batch: WriteBatch,
}

type State<K, N, V> = ColumnState<K, N, V, ValueCodec<V>>;

impl<K: StateKey, N: Namespace, V: StateData> ValueCache<K, N, V> {
    pub(super) fn new(share: CacheShare, key: &KeyCodec<K, N>, value: &SharedSerializer<V>) -> Self {
        ValueCache {
            share,
            index: HashTable::new(),
            slots: Vec::new(),
            hand: 0,
            bytes: 0,
            value_varies: is_variable_sized(&value.snapshot()),
            key_varies: key.is_variable_sized(),
            scratch: DataOutput::new(),
            batch: WriteBatch::default(),
        }
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

    #[inline]
    pub(super) fn value(&self, slot: usize) -> Option<&V> {
        let slot = self.slots.get(slot)?;
        slot.used.set(true);
        slot.value.as_ref()
    }

    /// Adds a slot for what the database has, and makes room for it first.
    pub(super) fn insert(
        &mut self,
        state: &State<K, N, V>,
        hash: u64,
        key_group: u32,
        key: &K,
        namespace: &N,
        value: Option<V>,
    ) -> Result<usize> {
        let mut bytes = size_of::<Slot<K, N, V>>() + size_of::<u32>();
        if self.key_varies {
            state.write_key(key_group, key, namespace, &mut self.scratch)?;
            bytes += self.scratch.len();
        }
        if self.value_varies
            && let Some(value) = &value
        {
            bytes += self.measure(state, value)?;
        }
        self.make_room(state, bytes)?;
        let position = self.slots.len();
        let number =
            u32::try_from(position).map_err(|_| Error::illegal_state("cache state", "too many entries"))?;
        self.slots.push(Slot {
            hash,
            key_group,
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            dirty: false,
            used: Cell::new(true),
            key: key.clone(),
            namespace: namespace.clone(),
            value,
        });
        self.bytes += bytes;
        let slots = &self.slots;
        self.index
            .insert_unique(hash, number, |i| slots.get(*i as usize).map_or(0, |s| s.hash));
        Ok(position)
    }

    fn measure(&mut self, state: &State<K, N, V>, value: &V) -> Result<usize> {
        self.scratch.clear();
        state.codec().0.serialize(value, &mut self.scratch)?;
        Ok(self.scratch.len())
    }

    /// Changes a slot's value; `blind` when the slot may not show what the database has.
    #[inline]
    pub(super) fn change(
        &mut self,
        state: &State<K, N, V>,
        slot: usize,
        blind: bool,
        f: impl FnOnce(&mut Option<V>),
    ) -> Result<()> {
        let Some(entry) = self.slots.get_mut(slot) else {
            return Ok(());
        };
        let was_there = entry.value.is_some();
        f(&mut entry.value);
        entry.used.set(true);
        entry.dirty |= blind || was_there || entry.value.is_some();
        if self.value_varies {
            return self.measure_again(state, slot);
        }
        Ok(())
    }

    fn measure_again(&mut self, state: &State<K, N, V>, slot: usize) -> Result<()> {
        let Some(entry) = self.slots.get_mut(slot) else {
            return Ok(());
        };
        let mut bytes = size_of::<Slot<K, N, V>>() + size_of::<u32>();
        if self.key_varies {
            state.write_key(entry.key_group, &entry.key, &entry.namespace, &mut self.scratch)?;
            bytes += self.scratch.len();
        }
        if let Some(value) = &entry.value {
            self.scratch.clear();
            state.codec().0.serialize(value, &mut self.scratch)?;
            bytes += self.scratch.len();
        }
        self.bytes = self.bytes.saturating_sub(entry.bytes as usize) + bytes;
        entry.bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if self.bytes > self.share.bytes_max() {
            return self.make_room(state, 0);
        }
        Ok(())
    }

    /// Lets slots go until `bytes` more fit.
    fn make_room(&mut self, state: &State<K, N, V>, bytes: usize) -> Result<()> {
        let limit = self.share.bytes_max().saturating_sub(bytes);
        // One slot may be larger than the whole cache: it stays alone.
        while self.bytes > limit && !self.slots.is_empty() {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            let Some(slot) = self.slots.get(self.hand) else {
                break;
            };
            if slot.used.replace(false) {
                self.hand += 1;
                continue;
            }
            if slot.dirty {
                self.write_around(state)?;
            }
            self.remove(self.hand);
        }
        Ok(())
    }

    /// Writes the changed slots from the hand on, so that the next ones to leave are clean.
    fn write_around(&mut self, state: &State<K, N, V>) -> Result<()> {
        let end = (self.hand + WRITE_AHEAD).min(self.slots.len());
        self.write(state, self.hand..end)
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
        self.bytes = self.bytes.saturating_sub(gone.bytes as usize);
    }

    /// Writes every changed slot.
    pub(super) fn flush(&mut self, state: &State<K, N, V>) -> Result<()> {
        self.write(state, 0..self.slots.len())
    }

    fn write(&mut self, state: &State<K, N, V>, range: std::ops::Range<usize>) -> Result<()> {
        let column = state.column();
        let mut buffers = state.buffers()?;
        let slots = self.slots.get_mut(range).unwrap_or_default();
        for slot in slots.iter_mut().filter(|s| s.dirty) {
            state.write_key(slot.key_group, &slot.key, &slot.namespace, &mut buffers.key)?;
            match &slot.value {
                None => self.batch.delete_cf(column, buffers.key.as_slice()),
                Some(value) => {
                    buffers.value.clear();
                    state.codec().0.serialize(value, &mut buffers.value)?;
                    let Buffers { key, value } = &*buffers;
                    column.put_in(&mut self.batch, key.as_slice(), value.as_slice())?;
                }
            }
            if self.batch.size_in_bytes() >= BATCH_BYTES {
                column.database().write(&mut self.batch)?;
            }
        }
        if !self.batch.is_empty() {
            column.database().write(&mut self.batch)?;
        }
        // Only now: what could not be written stays changed.
        slots.iter_mut().for_each(|s| s.dirty = false);
        Ok(())
    }
}
