//! Broadcast state: a map that every instance of an operator holds alike.
//!
//! It stays alike only if every instance makes the same changes in the same order, so only the handling of a broadcast element may
//! change it: every write asks for a [`BroadcastWritePermit`], which the engine lends out for just that long.

use super::frozen::{ElementWriter, FrozenState};
use super::list::unopened;
use super::meta::{KEY_SERIALIZER, VALUE_SERIALIZER, broadcast_meta};
use super::restored::RestoredState;
use crate::descriptor::StateData;
use crate::handle::OperatorStateMode;
use crate::snapshot::StateMetaInfoSnapshot;
use millpond_core::hash::HashMap;
use millpond_core::{Error, Result};
use millpond_types::{DataInput, SharedSerializer};
use std::cell::{Ref, RefCell};
use std::fmt;
use std::hash::Hash;
use std::rc::Rc;
use std::sync::Arc;

/// The permission to change broadcast state. The engine makes one for each broadcast element and lends it to the function that handles
/// the element; it can be neither copied nor kept.
#[derive(Debug)]
pub struct BroadcastWritePermit(());

impl BroadcastWritePermit {
    /// For engines: the permission for one broadcast element. A function that makes one elsewhere breaks the promise that
    /// all instances hold the same.
    pub fn for_broadcast_element() -> Self {
        BroadcastWritePermit(())
    }
}

/// A map that every instance of an operator holds alike. Flink's `BroadcastState`, and without a
/// [`BroadcastWritePermit`] its `ReadOnlyBroadcastState`.
///
/// Made by `Default` it is unopened, and every use of it is an error.
pub struct BroadcastState<K, V>(Option<Rc<BroadcastCell<K, V>>>);

/// The map. A snapshot shares it; the first write after a snapshot copies it.
pub(super) struct BroadcastCell<K, V> {
    pub(super) name: String,
    key: SharedSerializer<K>,
    value: SharedSerializer<V>,
    entries: RefCell<Arc<HashMap<K, V>>>,
}

impl<K: StateData + Hash + Eq, V: StateData> BroadcastState<K, V> {
    pub(super) fn opened(cell: Rc<BroadcastCell<K, V>>) -> Self {
        BroadcastState(Some(cell))
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// IllegalState when the state was never opened, as for every other method.
    pub fn get(&self, key: &K) -> Result<Option<V>> {
        Ok(self.borrow()?.get(key).cloned())
    }

    /// Shows the value of `key` without copying it.
    ///
    /// # Errors
    /// IllegalState when the state was never opened.
    pub fn with<R>(&self, key: &K, f: impl FnOnce(Option<&V>) -> R) -> Result<R> {
        let entries = self.entries()?;
        Ok(f(entries.get(key)))
    }

    /// Whether `key` has a value.
    ///
    /// # Errors
    /// IllegalState when the state was never opened.
    pub fn contains(&self, key: &K) -> Result<bool> {
        Ok(self.borrow()?.contains_key(key))
    }

    /// How many entries there are.
    ///
    /// # Errors
    /// IllegalState when the state was never opened.
    pub fn len(&self) -> Result<usize> {
        Ok(self.borrow()?.len())
    }

    /// Whether there is no entry.
    ///
    /// # Errors
    /// IllegalState when the state was never opened.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.borrow()?.is_empty())
    }

    /// Shows every entry, in no particular order.
    ///
    /// # Errors
    /// IllegalState when the state was never opened.
    pub fn for_each(&self, mut f: impl FnMut(&K, &V)) -> Result<()> {
        self.entries()?.iter().for_each(|(k, v)| f(k, v));
        Ok(())
    }

    /// Sets the value of `key`.
    ///
    /// # Errors
    /// IllegalState when the state was never opened.
    pub fn put(&self, permit: &BroadcastWritePermit, key: K, value: V) -> Result<()> {
        self.change(permit, |entries| drop(Arc::make_mut(entries).insert(key, value)))
    }

    /// Sets the values of several keys.
    ///
    /// # Errors
    /// IllegalState when the state was never opened.
    pub fn put_all(
        &self,
        permit: &BroadcastWritePermit,
        new: impl IntoIterator<Item = (K, V)>,
    ) -> Result<()> {
        let new: Vec<_> = new.into_iter().collect();
        self.change(permit, |entries| Arc::make_mut(entries).extend(new))
    }

    /// Forgets `key` and returns its value.
    ///
    /// # Errors
    /// IllegalState when the state was never opened.
    pub fn remove(&self, permit: &BroadcastWritePermit, key: &K) -> Result<Option<V>> {
        if !self.contains(key)? {
            return Ok(None);
        }
        self.change(permit, |entries| Arc::make_mut(entries).remove(key))
    }

    /// Forgets all entries.
    ///
    /// # Errors
    /// IllegalState when the state was never opened.
    pub fn clear(&self, permit: &BroadcastWritePermit) -> Result<()> {
        self.change(permit, |entries| *entries = Arc::default())
    }

    fn cell(&self) -> Result<&BroadcastCell<K, V>> {
        self.0.as_deref().ok_or_else(unopened)
    }

    fn borrow(&self) -> Result<Ref<'_, Arc<HashMap<K, V>>>> {
        self.cell()?.entries.try_borrow().map_err(|e| {
            Error::illegal_state(
                "read broadcast state",
                "an entry's clone reads the map that is being changed",
            )
            .source(e)
        })
    }

    /// The map as it is now, for callbacks: they may change the state.
    fn entries(&self) -> Result<Arc<HashMap<K, V>>> {
        Ok(Arc::clone(&*self.borrow()?))
    }

    fn change<R>(
        &self,
        _permit: &BroadcastWritePermit,
        f: impl FnOnce(&mut Arc<HashMap<K, V>>) -> R,
    ) -> Result<R> {
        let mut entries = self.cell()?.entries.try_borrow_mut().map_err(|e| {
            Error::illegal_state(
                "change broadcast state",
                "an entry's clone changes the map it is in",
            )
            .source(e)
        })?;
        Ok(f(&mut entries))
    }
}

impl<K: StateData + Hash + Eq, V: StateData> BroadcastCell<K, V> {
    /// An empty map, or what a snapshot holds for it.
    pub(super) fn open(
        name: &str,
        key: SharedSerializer<K>,
        value: SharedSerializer<V>,
        restored: Option<&RestoredState>,
    ) -> Result<Self> {
        let meta = broadcast_meta(name, key.snapshot(), value.snapshot());
        let mut entries = HashMap::default();
        if let Some(restored) = restored {
            restored.check(&meta)?;
            for part in restored.parts() {
                let keys = part.reader(KEY_SERIALIZER, &key)?;
                let values = part.reader(VALUE_SERIALIZER, &value)?;
                for mut input in part.elements() {
                    for _ in 0..read_count(&mut input).map_err(|e| e.with("state", name))? {
                        entries.insert(keys.read(&mut input)?, values.read(&mut input)?);
                    }
                }
            }
        }
        Ok(BroadcastCell {
            name: name.to_string(),
            key,
            value,
            entries: RefCell::new(Arc::new(entries)),
        })
    }
}

/// The number of entries. Each takes a byte at least, unless all are one and the same.
fn read_count(input: &mut DataInput<'_>) -> Result<usize> {
    let count = input.read_i32()?;
    usize::try_from(count)
        .ok()
        .filter(|c| *c <= input.remaining().max(1))
        .ok_or_else(|| {
            Error::corrupt(
                "restore broadcast state",
                "more entries are announced than can follow",
            )
            .with("entries", count)
            .with("bytes", input.remaining())
        })
}

impl<K: StateData + Hash + Eq, V: StateData> super::OpenState for BroadcastCell<K, V> {
    fn mode(&self) -> OperatorStateMode {
        OperatorStateMode::Broadcast
    }
    fn freeze(&self) -> Box<dyn FrozenState> {
        Box::new(FrozenBroadcast {
            meta: broadcast_meta(&self.name, self.key.snapshot(), self.value.snapshot()),
            key: self.key.clone(),
            value: self.value.clone(),
            entries: Arc::clone(&*self.entries.borrow()),
        })
    }
    fn as_any(self: Rc<Self>) -> Rc<dyn std::any::Any> {
        self
    }
    fn type_name(&self) -> &'static str {
        std::any::type_name::<(K, V)>()
    }
}

struct FrozenBroadcast<K, V> {
    meta: StateMetaInfoSnapshot,
    key: SharedSerializer<K>,
    value: SharedSerializer<V>,
    entries: Arc<HashMap<K, V>>,
}

impl<K: StateData, V: StateData> FrozenState for FrozenBroadcast<K, V> {
    fn meta(&self) -> &StateMetaInfoSnapshot {
        &self.meta
    }
    fn mode(&self) -> OperatorStateMode {
        OperatorStateMode::Broadcast
    }
    /// One element: the number of entries, then key and value of each (`HeapBroadcastState#write`).
    fn write(&self, out: &mut ElementWriter) -> Result<Vec<u64>> {
        let count = i32::try_from(self.entries.len()).map_err(|e| {
            Error::incompatible("snapshot broadcast state", "more entries than the format counts")
                .with("state", &self.meta.name)
                .source(e)
        })?;
        let offset = out.element(|buffer| {
            buffer.write_i32(count);
            Ok(())
        })?;
        for (key, value) in self.entries.iter() {
            out.element(|buffer| {
                self.key.serialize(key, buffer)?;
                self.value.serialize(value, buffer)
            })?;
        }
        Ok(vec![offset])
    }
}

impl<K, V> Default for BroadcastState<K, V> {
    /// An unopened handle.
    fn default() -> Self {
        BroadcastState(None)
    }
}

impl<K, V> Clone for BroadcastState<K, V> {
    /// Another handle onto the same map.
    fn clone(&self) -> Self {
        BroadcastState(self.0.clone())
    }
}

impl<K, V> fmt::Debug for BroadcastState<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(cell) => write!(f, "BroadcastState({:?})", cell.name),
            None => f.write_str("BroadcastState(unopened)"),
        }
    }
}
