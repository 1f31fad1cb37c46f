//! Reading what many keys have in one state at once: RocksDB sorts such keys by its files, and fetches blocks once.

use super::RocksDBKeyedStateBackend;
use super::database::Column;
use super::kinds::ValueColumn;
use crate::descriptor::StateData;
use crate::keyed::Namespace;
use millpond_core::{Error, ErrorKind, Result};
use millpond_types::{DataInput, DataOutput, StateKey};
use std::ops::Range;

/// Keys as they stand in the database, one behind the other.
#[derive(Default)]
pub(super) struct Keys {
    data: DataOutput,
    ranges: Vec<Range<usize>>,
}

impl Keys {
    /// Adds the key that `write` writes.
    pub(super) fn add(&mut self, write: impl FnOnce(&mut DataOutput) -> Result<()>) -> Result<()> {
        let start = self.data.len();
        write(&mut self.data)?;
        self.ranges.push(start..self.data.len());
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// The key at a position.
    pub(super) fn key(&self, position: usize) -> Option<&[u8]> {
        self.data.as_slice().get(self.ranges.get(position)?.clone())
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let data = self.data.as_slice();
        self.ranges
            .iter()
            .map(|r| data.get(r.clone()).unwrap_or_default())
    }
}

impl Column {
    /// Shows what each of `keys` has, with its position, in one read.
    pub(super) fn multi_get(
        &self,
        keys: &Keys,
        mut f: impl FnMut(usize, Option<&[u8]>) -> Result<()>,
    ) -> Result<()> {
        if self.database().is_in_flight() {
            for (position, key) in keys.iter().enumerate() {
                f(position, self.get(key)?.as_deref())?;
            }
            return Ok(());
        }
        let failed = |e| super::database::db_error("read state")(e);
        let found = self
            .database()
            .db()
            .batched_multi_get_pinned_batch_cf(self, keys.iter(), false)
            .map_err(failed)?;
        for (position, value) in found.iter().enumerate() {
            f(position, value.map_err(failed)?)?;
        }
        Ok(())
    }
}

impl<K: StateKey> RocksDBKeyedStateBackend<K> {
    /// What `keys` have under `namespace` in the open value, reducing or aggregating state `state` of stored values `V`, in
    /// the order of the keys. What the cache doesn't know is read from the database with one call. The current key stays.
    ///
    /// # Errors
    /// NotFound when no such state is open; IllegalState when its values or namespaces are of another type, a key belongs to
    /// another operator instance, or the state lends a value; those of the database.
    pub fn values_of<V: StateData, N: Namespace>(
        &self,
        state: &str,
        namespace: &N,
        keys: &[K],
    ) -> Result<Vec<Option<V>>> {
        let open = self.states.iter().find(|s| s.meta.name == state).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "read many keys",
                "no such state is open on this operator",
            )
            .with("state", state)
        })?;
        let column = open
            .state
            .as_any()
            .downcast_ref::<ValueColumn<K, N, V>>()
            .ok_or_else(|| {
                Error::illegal_state("read many keys", "the state has other values or namespaces")
                    .with("state", state)
                    .with("wanted", std::any::type_name::<V>())
            })?;
        column.values_of(namespace, keys)
    }
}

impl<K: StateKey, N: Namespace, V: StateData> ValueColumn<K, N, V> {
    fn values_of(&self, namespace: &N, keys: &[K]) -> Result<Vec<Option<V>>> {
        let mut values = vec![None; keys.len()];
        let mut unknown = Vec::new();
        let mut wanted = Keys::default();
        for (position, key) in keys.iter().enumerate() {
            let group = self.state.group_of(key)?;
            if let Some(known) = self.known(key, namespace)? {
                if let Some(value) = values.get_mut(position) {
                    *value = known;
                }
                continue;
            }
            unknown.push(position);
            wanted.add(|out| self.state.append_key(group, key, namespace, out))?;
        }
        if unknown.is_empty() {
            return Ok(values);
        }
        self.state.column().multi_get(&wanted, |i, bytes| {
            let slot = unknown.get(i).and_then(|position| values.get_mut(*position));
            if let (Some(bytes), Some(slot)) = (bytes, slot) {
                *slot = Some(self.state.codec().0.deserialize(&mut DataInput::new(bytes))?);
            }
            Ok(())
        })?;
        Ok(values)
    }
}
