//! The current key, with everything that is computed from it once and then used by every state.

use millpond_core::hash::fixed_hash;
use millpond_core::{Error, Result};
use millpond_types::StateKey;
use millpond_types::key_group::murmur_hash;
use std::cell::{Cell, Ref, RefCell};
use std::fmt;

/// For how many keys it is best to ask ahead: about as many accesses to memory as a processor can have under way, and what
/// they bring still lies in its nearest cache when the last of the keys is used.
pub const PREFETCH_BATCH: usize = 16;

/// A key that will be the current one soon, with everything that is computed from it.
///
/// Made by [`KeyContext::prepare`]; a batch of them goes to `KeyedStateBackend::prefetch`, and then one by one to
/// [`KeyContext::set_prepared_key`].
#[derive(Clone, Debug)]
pub struct PreparedKey<K> {
    pub(crate) key: K,
    pub(crate) hash: u64,
    pub(crate) key_group: u32,
}

/// The current key of a keyed operator instance, its hash and its key group. Flink's `InternalKeyContext`.
///
/// The backend shares it with all its states: setting the key once moves them all.
pub struct KeyContext<K> {
    key: RefCell<Option<K>>,
    hash: Cell<u64>,
    key_group: Cell<u32>,
    /// How many keys were set since keys were announced: the current one should be the announced one with this number.
    turn: Cell<usize>,
    max_parallelism: u32,
    /// `max_parallelism - 1` when that is a mask: it nearly always is, and a division costs more than the lookup's hash.
    mask: Option<u32>,
    /// Whether anyone is told of each new current key.
    has_listeners: Cell<bool>,
    listeners: RefCell<Vec<Box<dyn Fn()>>>,
}

impl<K: StateKey> KeyContext<K> {
    /// A context without a key.
    pub fn new(max_parallelism: u32) -> Self {
        KeyContext {
            key: RefCell::new(None),
            hash: Cell::new(0),
            key_group: Cell::new(0),
            turn: Cell::new(0),
            max_parallelism: max_parallelism.max(1),
            mask: max_parallelism.is_power_of_two().then(|| max_parallelism - 1),
            has_listeners: Cell::new(false),
            listeners: RefCell::default(),
        }
    }

    /// Makes `key` the one that every later state access is about.
    ///
    /// # Errors
    /// IllegalState when called from inside a callback that a state lends a value to.
    #[inline]
    pub fn set_current_key(&self, key: K) -> Result<()> {
        self.set_prepared_key(self.prepare(key))
    }

    /// Computes what an access with this key needs.
    #[inline]
    pub fn prepare(&self, key: K) -> PreparedKey<K> {
        PreparedKey {
            hash: fixed_hash(&key),
            key_group: self.key_group_of(&key),
            key,
        }
    }

    /// Makes a prepared key the one that every later state access is about.
    ///
    /// # Errors
    /// As [`KeyContext::set_current_key`].
    #[inline]
    pub fn set_prepared_key(&self, prepared: PreparedKey<K>) -> Result<()> {
        let Ok(mut slot) = self.key.try_borrow_mut() else {
            return Err(in_use());
        };
        self.hash.set(prepared.hash);
        self.key_group.set(prepared.key_group);
        self.turn.set(self.turn.get().wrapping_add(1));
        *slot = Some(prepared.key);
        drop(slot);
        if self.has_listeners.get() {
            self.tell_listeners();
        }
        Ok(())
    }

    /// Tells `listener` of each key that becomes the current one. Flink's `KeySelectionListener`.
    pub(crate) fn add_listener(&self, listener: impl Fn() + 'static) {
        // Not borrowed: nobody opens a state from inside a listener.
        if let Ok(mut listeners) = self.listeners.try_borrow_mut() {
            listeners.push(Box::new(listener));
            self.has_listeners.set(true);
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_listeners(&self) {
        if let Ok(listeners) = self.listeners.try_borrow() {
            listeners.iter().for_each(|listener| listener());
        }
    }

    /// Makes no key the current one: keyed state is refused until the next [`KeyContext::set_current_key`].
    ///
    /// # Errors
    /// As [`KeyContext::set_current_key`].
    pub fn clear_current_key(&self) -> Result<()> {
        let Ok(mut slot) = self.key.try_borrow_mut() else {
            return Err(in_use());
        };
        *slot = None;
        Ok(())
    }

    /// The key group that `key` belongs to.
    #[inline]
    pub fn key_group_of(&self, key: &K) -> u32 {
        let hash = murmur_hash(key.java_hash());
        match self.mask {
            Some(mask) => hash & mask,
            None => hash % self.max_parallelism,
        }
    }

    /// The current key.
    ///
    /// # Errors
    /// IllegalState when none was set.
    #[inline]
    pub fn current_key(&self) -> Result<Ref<'_, K>> {
        Ref::filter_map(self.key.borrow(), Option::as_ref).map_err(|_| no_key())
    }

    /// The current key group; 0 when no key was set.
    #[inline]
    pub fn current_key_group(&self) -> u32 {
        self.key_group.get()
    }

    /// The hash of the current key by [`millpond_core::hash::FixedState`].
    #[inline]
    pub(crate) fn current_hash(&self) -> u64 {
        self.hash.get()
    }

    /// Counts from here on: the next key is that of turn 0.
    #[inline]
    pub(crate) fn announce(&self) {
        self.turn.set(usize::MAX);
    }

    /// How many keys were set since the last announcement, before the current one.
    #[inline]
    pub(crate) fn turn(&self) -> usize {
        self.turn.get()
    }

    /// The job's max parallelism: the number of all key groups.
    pub fn max_parallelism(&self) -> u32 {
        self.max_parallelism
    }
}

impl<K: fmt::Debug> fmt::Debug for KeyContext<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyContext")
            .field("key", &self.key)
            .field("key_group", &self.key_group)
            .finish_non_exhaustive()
    }
}

#[cold]
fn no_key() -> Error {
    Error::illegal_state("use keyed state", "there is no current key")
        .hint("keyed state can be used only while an element or a timer of a keyed stream is being processed")
}

#[cold]
fn in_use() -> Error {
    Error::illegal_state("set current key", "a state is lending a value of the current key")
        .hint("return from the callback of `with` or `modify` first")
}
