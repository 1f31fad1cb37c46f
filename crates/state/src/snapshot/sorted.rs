//! States beside the backend's tables whose entries may live outside memory, in a backend that has a place for them.

use millpond_core::Result;

/// Sorted byte strings by key group, outside memory. What Flink's `RocksDBCachingPriorityQueueSet` does with a column family.
///
/// # Contract
/// An element is what follows the key group in the key of an entry; the entry has no value. `scan` shows what was put and not
/// deleted before it. Only key groups of the operator instance are asked for (trusted).
pub trait SortedStore {
    /// Adds an element. Adding it twice is adding it once.
    ///
    /// # Errors
    /// Those of the place. So for the other functions.
    fn put(&self, key_group: u32, element: &[u8]) -> Result<()>;
    /// Deletes an element, which may not be there.
    ///
    /// # Errors
    /// As [`SortedStore::put`].
    fn delete(&self, key_group: u32, element: &[u8]) -> Result<()>;
    /// Shows the elements of a key group from `from` on, in the order of their bytes, until `f` says false.
    ///
    /// # Errors
    /// As [`SortedStore::put`], and those of `f`.
    fn scan(&self, key_group: u32, from: &[u8], f: &mut dyn FnMut(&[u8]) -> Result<bool>) -> Result<()>;
}

/// A state that can keep its entries in a [`SortedStore`].
pub trait SortedKeyGroupState {
    /// Makes `store` the place of the entries: those that lie in it already are entries from now on, and those in memory are
    /// moved there. At most `head_size` of each key group's first ones may be held in memory.
    ///
    /// # Errors
    /// Those of the store; Corrupt when something in it is not an entry.
    fn move_to(&self, store: Box<dyn SortedStore>, head_size: usize) -> Result<()>;
    /// Puts what is only in memory into the store.
    ///
    /// # Errors
    /// Those of the store.
    fn hand_over(&self) -> Result<()>;
}
