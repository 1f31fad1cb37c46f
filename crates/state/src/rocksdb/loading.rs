//! Values that were read ahead, many with one call, for the accesses of a batch ([`crate::async_state`]).
//!
//! They lie beside the column family until they are read, written, or the batch is over: [`Column::get`] looks here first. A batch
//! notes no key that one of its accesses may have written before the noted read (its contract); what the cache writes meanwhile, as
//! when a list that was only appended to has to leave it, makes what was loaded of that key forgotten.

use super::database::Column;
use super::multi_get::Keys;
use millpond_core::Result;
use millpond_core::hash::HashMap;
use rust_rocksdb::DBPinnableSlice;
use std::cell::{Cell, RefCell};
use std::ops::Deref;

/// What was noted for a column family, and what was loaded.
#[derive(Default)]
pub(super) struct Loaded {
    wanted: RefCell<Keys>,
    values: RefCell<HashMap<Vec<u8>, Option<Vec<u8>>>>,
    /// Whether there are `values`: all that a read outside of a batch asks.
    any: Cell<bool>,
}

impl Loaded {
    /// Hands out what was loaded for `key`: it is read once.
    #[inline]
    pub(super) fn take(&self, key: &[u8]) -> Option<Option<Vec<u8>>> {
        if !self.any.get() {
            return None;
        }
        self.values.borrow_mut().remove(key)
    }

    /// `key` is about to be written.
    #[inline]
    pub(super) fn forget(&self, key: &[u8]) {
        drop(self.take(key));
    }
}

/// A value as it is stored, read just now or ahead.
pub(super) enum Stored<'a> {
    Read(DBPinnableSlice<'a>),
    Ahead(Vec<u8>),
}

impl Deref for Stored<'_> {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Stored::Read(value) => value,
            Stored::Ahead(value) => value,
        }
    }
}

impl Column {
    /// Notes that `key` will be read.
    pub(super) fn want(&self, key: &[u8]) -> Result<()> {
        self.loaded().wanted.borrow_mut().add(|out| {
            out.write_bytes(key);
            Ok(())
        })
    }

    /// Reads what was noted, with one call. A single key is left for when it is needed.
    pub(super) fn load_wanted(&self) -> Result<()> {
        let loaded = self.loaded();
        let wanted = loaded.wanted.take();
        if wanted.len() < 2 {
            return Ok(());
        }
        let mut values = loaded.values.borrow_mut();
        self.multi_get(&wanted, |position, value| {
            if let Some(key) = wanted.key(position) {
                values.insert(key.to_vec(), value.map(<[u8]>::to_vec));
            }
            Ok(())
        })?;
        loaded.any.set(true);
        Ok(())
    }

    /// Lets go of what was not read.
    pub(super) fn forget_loaded(&self) {
        let loaded = self.loaded();
        if loaded.any.replace(false) {
            loaded.values.borrow_mut().clear();
        }
    }
}
