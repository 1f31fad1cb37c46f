//! Where a test's timers are.

use super::{MAX_PARALLELISM, Service, in_memory};
use crate::snapshot::SortedStore;
use millpond_core::Result;
use std::cell::RefCell;
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Memory,
    /// A store that is a plain sorted set, with so many timers of a key group in memory.
    Store(usize),
    /// RocksDB, with so many timers of a key group in memory.
    #[cfg(feature = "rocksdb")]
    RocksDB(usize),
}

/// A store that is right by being simple.
#[derive(Default)]
pub(super) struct PlainStore(pub(super) RefCell<BTreeSet<(u32, Vec<u8>)>>);

impl SortedStore for PlainStore {
    fn put(&self, key_group: u32, element: &[u8]) -> Result<()> {
        assert!(key_group < MAX_PARALLELISM);
        self.0.borrow_mut().insert((key_group, element.to_vec()));
        Ok(())
    }
    fn delete(&self, key_group: u32, element: &[u8]) -> Result<()> {
        self.0.borrow_mut().remove(&(key_group, element.to_vec()));
        Ok(())
    }
    fn scan(&self, key_group: u32, from: &[u8], f: &mut dyn FnMut(&[u8]) -> Result<bool>) -> Result<()> {
        let from = (key_group, from.to_vec());
        for (_, element) in self.0.borrow().range(from..(key_group + 1, Vec::new())) {
            if !f(element)? {
                break;
            }
        }
        Ok(())
    }
}

impl Place {
    pub(super) fn all() -> Vec<Place> {
        vec![
            Place::Memory,
            Place::Store(1),
            Place::Store(4),
            Place::Store(128),
            #[cfg(feature = "rocksdb")]
            Place::RocksDB(3),
            #[cfg(feature = "rocksdb")]
            Place::RocksDB(128),
        ]
    }

    /// How many random cases of how many steps it is worth. A rescaling makes up to 16 databases.
    pub(super) fn effort(self) -> (u64, usize) {
        match self {
            Place::Memory | Place::Store(_) => (25, 12_000),
            #[cfg(feature = "rocksdb")]
            Place::RocksDB(_) => (2, 2_500),
        }
    }

    /// The timers of one operator instance.
    pub(super) fn service(self, parallelism: u32, index: u32) -> Service {
        let service = in_memory(parallelism, index);
        match self {
            Place::Memory => {}
            Place::Store(head_size) => {
                for state in service.key_group_states() {
                    let store = Box::new(PlainStore::default());
                    state.as_sorted().unwrap().move_to(store, head_size).unwrap();
                }
            }
            #[cfg(feature = "rocksdb")]
            Place::RocksDB(head_size) => {
                use super::snapshots::create;
                let backend = super::snapshots::Backend::RocksDB(Some(head_size));
                let streams = crate::stream::memory::MemoryStreams::default();
                // The timers keep the database; the backend itself is not needed any longer.
                create(backend, false, parallelism, index, &[], &streams, &service);
            }
        }
        service
    }
}
