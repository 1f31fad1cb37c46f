//! States with one value for each key: the value itself, a reduced value, or an accumulator.

use super::raw;
use crate::descriptor::StateData;
use crate::hashmap::codec::ValueCodec;
use crate::keyed::Namespace;
use crate::rocksdb::cache::{CachedEntry, Heat};
use crate::rocksdb::column::CachedColumn;
use crate::rocksdb::in_flight::Writes;
use crate::rocksdb::unwritten::Division;
use crate::snapshot::key_layout::is_variable_sized;
use millpond_core::Result;
use millpond_types::{DataInput, StateKey};

/// A column family of single values.
pub(in crate::rocksdb) type ValueColumn<K, N, V> = CachedColumn<K, N, ValueEntry<V>>;

/// What the cache knows of a value.
#[derive(Clone)]
pub(in crate::rocksdb) struct ValueEntry<V> {
    /// `None`: there is nothing in the database either, or there won't be once this is written.
    value: Option<V>,
    knowledge: Knowledge,
    heat: Heat,
    /// What the value takes when serialized, where that varies.
    bytes: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum Knowledge {
    None,
    /// The database has the same.
    Stored,
    /// The database has nothing yet.
    New,
    /// The database has something else, as far as is known.
    Changed,
}

impl<V> ValueEntry<V> {
    /// Notes that the value may have changed; `was_there` says whether there was one before.
    #[inline]
    fn changed(&mut self, was_there: bool) {
        self.heat.change();
        let is_there = self.value.is_some();
        self.knowledge = match self.knowledge {
            Knowledge::Stored if was_there => Knowledge::Changed,
            Knowledge::Stored | Knowledge::New if is_there => Knowledge::New,
            Knowledge::Stored | Knowledge::New => Knowledge::Stored,
            Knowledge::None | Knowledge::Changed => Knowledge::Changed,
        };
    }
}

impl<V: StateData> CachedEntry for ValueEntry<V> {
    type Whole = V;
    type Codec = ValueCodec<V>;

    fn is_variable_sized(codec: &Self::Codec) -> bool {
        is_variable_sized(&codec.0.snapshot())
    }
    fn unknown() -> Self {
        ValueEntry {
            value: None,
            knowledge: Knowledge::None,
            heat: Heat::default(),
            bytes: 0,
        }
    }
    #[inline]
    fn is_dirty(&self) -> bool {
        matches!(self.knowledge, Knowledge::New | Knowledge::Changed)
    }
    #[inline]
    fn bytes(&self) -> usize {
        self.bytes as usize
    }
    fn write(&self, codec: &ValueCodec<V>, key: &[u8], out: &mut Writes) -> Result<()> {
        match &self.value {
            None => out.delete(&|out| raw(key, out)),
            Some(value) => out.put(&|out| raw(key, out), &|out| codec.0.serialize(value, out)),
        }
    }
    fn written(&mut self) {
        self.knowledge = Knowledge::Stored;
    }
    fn divide(&mut self, codec: &ValueCodec<V>, key: &[u8], division: &mut Division<'_>) -> Result<()> {
        if !division.stays(&mut self.heat) {
            self.write(codec, key, division.writes)?;
            self.written();
            return Ok(());
        }
        match &self.value {
            None => division.unwritten.delete(|out| raw(key, out)),
            Some(value) => division
                .unwritten
                .put(|out| raw(key, out), |out| codec.0.serialize(value, out)),
        }
    }
    fn pass(&mut self) {
        self.heat.pass();
    }
}

impl<K: StateKey, N: Namespace, V: StateData> ValueColumn<K, N, V> {
    fn load(&self) -> Result<Option<V>> {
        let state = &self.state;
        state.with_key(|buffers| {
            let stored = state.column().get(buffers.key.as_slice())?;
            stored
                .map(|bytes| state.codec().0.deserialize(&mut DataInput::new(&bytes)))
                .transpose()
        })
    }

    fn store(&self, value: Option<&V>) -> Result<()> {
        let state = &self.state;
        state.with_key(|buffers| match value {
            None => state.column().delete(buffers.key.as_slice()),
            Some(value) => {
                buffers.value.clear();
                state.codec().0.serialize(value, &mut buffers.value)?;
                state
                    .column()
                    .put(buffers.key.as_slice(), buffers.value.as_slice())
            }
        })
    }

    /// Makes sure that the entry holds what the database has.
    fn learn(&self, entry: &mut ValueEntry<V>) -> Result<()> {
        if entry.knowledge == Knowledge::None {
            entry.value = self.load()?;
            entry.knowledge = Knowledge::Stored;
            self.measure_value(entry)?;
        }
        Ok(())
    }

    #[inline]
    fn measure_value(&self, entry: &mut ValueEntry<V>) -> Result<()> {
        if self.varies {
            entry.bytes = match &entry.value {
                None => 0,
                Some(value) => {
                    let state = &self.state;
                    state.measure(|out| state.codec().0.serialize(value, out))?
                }
            };
        }
        Ok(())
    }

    /// Shows the current key's value.
    pub(in crate::rocksdb) fn read<R>(&self, f: impl FnOnce(Option<&V>) -> R) -> Result<R> {
        let Some(cache) = self.cache() else {
            let _key = self.state.context().current_key()?;
            let _gate = self.state.looking()?;
            return Ok(f(self.load()?.as_ref()));
        };
        cache.show(
            |entry| entry.knowledge != Knowledge::None,
            |entry| self.learn(entry),
            |entry| f(entry.value.as_ref()),
        )
    }

    /// What the cache knows of a key: `None` when it knows nothing.
    pub(in crate::rocksdb) fn known(&self, key: &K, namespace: &N) -> Result<Option<Option<V>>> {
        self.peek(key, namespace, |entry| {
            (entry.knowledge != Knowledge::None).then(|| entry.value.clone())
        })
    }

    /// Whether the current key's value is in the cache.
    pub(in crate::rocksdb) fn is_known(&self) -> Result<bool> {
        self.is_at_hand(|entry| entry.knowledge != Knowledge::None)
    }

    /// Puts `value` in the place of the current key's.
    pub(in crate::rocksdb) fn put(&self, value: Option<V>) -> Result<()> {
        let Some(cache) = self.cache() else {
            let _gate = self.state.changing()?;
            return self.store(value.as_ref());
        };
        cache.change(|entry| {
            let was_there = entry.value.is_some();
            entry.value = value;
            entry.changed(was_there);
            self.measure_value(entry)
        })
    }

    /// Lends the current key's value to be changed, removed or set.
    pub(in crate::rocksdb) fn modify(&self, f: impl FnOnce(&mut Option<V>)) -> Result<()> {
        let Some(cache) = self.cache() else {
            let _key = self.state.context().current_key()?;
            let _gate = self.state.changing()?;
            let mut value = self.load()?;
            let was_there = value.is_some();
            f(&mut value);
            return if was_there || value.is_some() {
                self.store(value.as_ref())
            } else {
                Ok(())
            };
        };
        cache.change(|entry| {
            self.learn(entry)?;
            let was_there = entry.value.is_some();
            f(&mut entry.value);
            entry.changed(was_there);
            self.measure_value(entry)
        })
    }
}
