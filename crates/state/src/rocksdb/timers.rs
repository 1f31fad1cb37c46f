//! Timers in the database: a column family for each state of timers, whose keys are key group and timer and whose values are
//! empty (Flink's `RocksDBPriorityQueueSetFactory`). So their canonical snapshot is written by copying, like that of any other
//! state, and an incremental one holds their files.

use super::RocksDBKeyedStateBackend;
use super::database::Column;
use super::key::group_prefix;
use crate::snapshot::{SnapshotableKeyGroupState, SortedStore, StateMetaInfoSnapshot};
use millpond_core::{Error, Result};
use millpond_types::StateKey;
use rust_rocksdb::WriteBatch;
use std::cell::RefCell;
use std::rc::Rc;

/// How much is gathered before it is written.
const BATCH_BYTES: usize = 64 * 1024;

/// A state of timers whose place is the database.
pub(super) struct RegisteredTimers {
    pub(super) meta: StateMetaInfoSnapshot,
    pub(super) column: String,
    state: Rc<dyn SnapshotableKeyGroupState>,
}

impl RegisteredTimers {
    /// Writes to the database what is only in memory.
    pub(super) fn flush(&self) -> Result<()> {
        self.state.as_sorted().map_or(Ok(()), |sorted| sorted.flush())
    }
}

/// A column family of keys without values. Changes are written in batches.
struct ColumnSet {
    column: Column,
    prefix_bytes: usize,
    pending: RefCell<Pending>,
}

#[derive(Default)]
struct Pending {
    batch: WriteBatch,
    key: Vec<u8>,
}

impl Pending {
    /// The database's key of an element.
    fn key(&mut self, prefix: &[u8], element: &[u8]) -> &[u8] {
        self.key.clear();
        self.key.extend_from_slice(prefix);
        self.key.extend_from_slice(element);
        &self.key
    }
}

impl ColumnSet {
    fn change(
        &self,
        key_group: u32,
        element: &[u8],
        change: impl FnOnce(&mut WriteBatch, &Column, &[u8]),
    ) -> Result<()> {
        let mut pending = self.pending.borrow_mut();
        let (prefix, length) = group_prefix(key_group, self.prefix_bytes);
        pending.key(prefix.get(..length).unwrap_or_default(), element);
        let Pending { batch, key } = &mut *pending;
        change(batch, &self.column, key);
        if batch.size_in_bytes() >= BATCH_BYTES {
            return self.column.database().write(batch);
        }
        Ok(())
    }
}

impl SortedStore for ColumnSet {
    fn put(&self, key_group: u32, element: &[u8]) -> Result<()> {
        self.change(key_group, element, |batch, column, key| {
            batch.put_cf(column, key, [])
        })
    }

    fn delete(&self, key_group: u32, element: &[u8]) -> Result<()> {
        self.change(key_group, element, |batch, column, key| {
            batch.delete_cf(column, key);
        })
    }

    fn scan(&self, key_group: u32, from: &[u8], f: &mut dyn FnMut(&[u8]) -> Result<bool>) -> Result<()> {
        self.flush()?;
        let (prefix, length) = group_prefix(key_group, self.prefix_bytes);
        let prefix = prefix.get(..length).unwrap_or_default();
        let from = self.pending.borrow_mut().key(prefix, from).to_vec();
        self.column
            .scan_from(prefix, &from, |key, _| f(key.get(length..).unwrap_or_default()))
    }

    fn flush(&self) -> Result<()> {
        let batch = &mut self.pending.borrow_mut().batch;
        if batch.is_empty() {
            return Ok(());
        }
        self.column.database().write(batch)
    }
}

impl<K: StateKey> RocksDBKeyedStateBackend<K> {
    /// Takes a state of timers that may live in the database, with what was restored under its name.
    pub(super) fn register_timers(
        &mut self,
        state: Rc<dyn SnapshotableKeyGroupState>,
        meta: StateMetaInfoSnapshot,
        head_size: usize,
    ) -> Result<()> {
        let restored: Vec<_> = self.restored_under(&meta.name).cloned().collect();
        let mut columns = restored.into_iter().map(|r| r.column);
        let column = columns
            .next()
            .unwrap_or_else(|| self.free_column_name(&meta.name));
        let target = self.database.column(&column)?;
        for other in columns {
            let source = self.database.column(&other)?;
            self.copy(&source, &target)?;
        }
        self.forget_restored(&meta.name, Some(&column));
        let store = ColumnSet {
            column: target,
            prefix_bytes: self.prefix_bytes,
            pending: RefCell::default(),
        };
        match state.as_sorted() {
            Some(sorted) => sorted.move_to(Box::new(store), head_size)?,
            None => {
                return Err(Error::illegal_state("register timers", "they are in memory only")
                    .with("state", meta.name));
            }
        }
        self.timers.push(RegisteredTimers { meta, column, state });
        Ok(())
    }

    /// Adds what `source` holds to `target`.
    fn copy(&self, source: &Column, target: &Column) -> Result<()> {
        let mut batch = WriteBatch::default();
        for key_group in self.parameters.key_group_range.iter() {
            let (prefix, length) = group_prefix(key_group, self.prefix_bytes);
            source.scan(prefix.get(..length).unwrap_or_default(), |key, value| {
                batch.put_cf(target, key, value);
                if batch.size_in_bytes() >= BATCH_BYTES {
                    source.database().write(&mut batch)?;
                }
                Ok(true)
            })?;
        }
        source.database().write(&mut batch)
    }
}
