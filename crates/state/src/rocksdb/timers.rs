//! Timers in the database: a column family for each state of timers, whose keys are key group and timer and whose values are
//! empty (Flink's `RocksDBPriorityQueueSetFactory`). So their canonical snapshot is written by copying, like that of any other
//! state, and an incremental one holds their files.

use super::RocksDBKeyedStateBackend;
use super::database::Column;
use super::in_flight::{HeldWrites, Writes};
use super::key::{group_prefix, write_group};
use super::unwritten::TakenOut;
use crate::snapshot::{SnapshotableKeyGroupState, SortedStore, StateMetaInfoSnapshot};
use millpond_core::{Error, Result};
use millpond_types::{DataOutput, StateKey};
use rust_rocksdb::WriteBatch;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// How much is gathered before it is written.
const BATCH_BYTES: usize = 64 * 1024;
/// Timers have no value.
const NOTHING: &dyn Fn(&mut DataOutput) -> Result<()> = &|_| Ok(());

/// A state of timers whose place is the database.
pub(super) struct RegisteredTimers {
    pub(super) meta: StateMetaInfoSnapshot,
    pub(super) column: String,
    state: Rc<dyn SnapshotableKeyGroupState>,
    store: Rc<ColumnSet>,
}

impl RegisteredTimers {
    /// Takes out what is only in memory.
    pub(super) fn freeze(&self, out: &mut TakenOut) -> Result<()> {
        self.store.is_freezing.set(true);
        let handed_over = self.state.as_sorted().map_or(Ok(()), |sorted| sorted.hand_over());
        self.store.is_freezing.set(false);
        out.held
            .push(HeldWrites::new(&self.store.column, self.store.pending.take()));
        handed_over
    }
}

/// A column family of keys without values. Changes are written in batches.
struct ColumnSet {
    column: Column,
    prefix_bytes: usize,
    pending: RefCell<Writes>,
    /// Whether what is gathered will be taken out, and is not to be written.
    is_freezing: Cell<bool>,
}

impl ColumnSet {
    fn change(
        &self,
        key_group: u32,
        element: &[u8],
        change: impl FnOnce(&mut Writes, &dyn Fn(&mut DataOutput) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let mut pending = self.pending.borrow_mut();
        change(&mut pending, &|out| {
            write_group(key_group, self.prefix_bytes, out);
            out.write_bytes(element);
            Ok(())
        })?;
        if pending.bytes() >= BATCH_BYTES && !self.is_freezing.get() {
            return self.column.write(&mut pending);
        }
        Ok(())
    }
}

impl SortedStore for Rc<ColumnSet> {
    fn put(&self, key_group: u32, element: &[u8]) -> Result<()> {
        self.change(key_group, element, |writes, key| writes.put(key, NOTHING))
    }

    fn delete(&self, key_group: u32, element: &[u8]) -> Result<()> {
        self.change(key_group, element, |writes, key| writes.delete(key))
    }

    fn scan(&self, key_group: u32, from: &[u8], f: &mut dyn FnMut(&[u8]) -> Result<bool>) -> Result<()> {
        self.column.write(&mut self.pending.borrow_mut())?;
        let (prefix, length) = group_prefix(key_group, self.prefix_bytes);
        let prefix = prefix.get(..length).unwrap_or_default();
        let from = [prefix, from].concat();
        self.column
            .scan_from(prefix, &from, |key, _| f(key.get(length..).unwrap_or_default()))
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
        let store = Rc::new(ColumnSet {
            column: target,
            prefix_bytes: self.prefix_bytes,
            pending: RefCell::default(),
            is_freezing: Cell::new(false),
        });
        match state.as_sorted() {
            Some(sorted) => sorted.move_to(Box::new(Rc::clone(&store)), head_size)?,
            None => {
                return Err(Error::illegal_state("register timers", "they are in memory only")
                    .with("state", meta.name));
            }
        }
        self.timers.push(RegisteredTimers {
            meta,
            column,
            state,
            store,
        });
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
