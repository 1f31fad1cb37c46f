//! Managed memory: one block cache and one write-buffer manager for all backends of the process, or of a slot. Sizes follow Flink's
//! `RocksDBMemoryControllerUtils`: write buffers are charged to the cache, and may overshoot by half while they are flushed. Flink trusts
//! in that; here writers are held up where they would overshoot by more.

use super::{MemoryOptions, heaps};
use millpond_core::host;
use rust_rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, LruCacheOptions, Options, WriteBufferManager,
};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// After so many bytes written, memory that is free goes back to the system.
const TRIM_BYTES: u64 = 8 << 20;
/// How often a writer that is held up looks again.
const POLL: Duration = Duration::from_millis(1);
/// How long a writer is held up at most.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// The cache and the write-buffer manager.
pub(in crate::rocksdb) struct SharedMemory {
    options: MemoryOptions,
    /// Whose it is; `None`: everybody's.
    slot: Option<u32>,
    cache: Cache,
    write_buffers: WriteBufferManager,
    /// How many bytes were written to write buffers.
    written: AtomicU64,
}

impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMemory")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// What the backends that live now share.
static SHARED: Mutex<Vec<Weak<SharedMemory>>> = Mutex::new(Vec::new());

/// The share of `bytes` that the cache gets.
pub(super) fn cache_bytes(options: &MemoryOptions) -> usize {
    (options.bytes as f64 * (3.0 - options.write_buffer_ratio) / 3.0) as usize
}

/// The share of `bytes` from which on write buffers are flushed.
pub(super) fn write_buffer_bytes(options: &MemoryOptions) -> usize {
    (2.0 * options.bytes as f64 * options.write_buffer_ratio / 3.0) as usize
}

impl SharedMemory {
    /// The memory that backends with these options share, in the same slot where each has its own, made by the first of them.
    pub(super) fn get(options: MemoryOptions, slot: u32) -> Arc<Self> {
        let slot = options.slot(slot);
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|s| s.strong_count() > 0);
        if let Some(found) = shared
            .iter()
            .filter_map(Weak::upgrade)
            .find(|s| s.options == options && s.slot == slot)
        {
            return found;
        }
        heaps::bound();
        let mut lru = LruCacheOptions::default();
        lru.set_capacity(cache_bytes(&options));
        let cache = Cache::new_lru_cache_opts(&lru);
        let write_buffers = WriteBufferManager::new_write_buffer_manager_with_cache(
            write_buffer_bytes(&options),
            false,
            cache.clone(),
        );
        let new = Arc::new(SharedMemory {
            options,
            slot,
            cache,
            write_buffers,
            written: AtomicU64::new(0),
        });
        shared.push(Arc::downgrade(&new));
        new
    }

    /// Called before so many bytes are written. Holds the writer up while write buffers take more than they may, until RocksDB has written
    /// some, or for [`WAIT_MAX`]: where it can't write, as on a full disk, the writer is to learn that.
    ///
    /// RocksDB could do that itself (`allow_stall`), but would hold writers up for as long as the disk is full.
    #[inline]
    pub(super) fn before_write(&self, bytes: usize) {
        let bytes = bytes as u64;
        let before = self.written.fetch_add(bytes, Ordering::Relaxed);
        if before / TRIM_BYTES != (before + bytes) / TRIM_BYTES {
            heaps::trim();
        }
        let bytes_max = write_buffer_bytes(&self.options) / 2 * 3;
        if self.write_buffers.get_usage() > bytes_max {
            let mut waited = Duration::ZERO;
            while self.write_buffers.get_usage() > bytes_max && waited < WAIT_MAX {
                host::sleep(POLL);
                waited += POLL;
            }
        }
    }

    /// From how many bytes in all write buffers on they are flushed.
    pub(super) fn write_buffer_bytes(&self) -> u64 {
        write_buffer_bytes(&self.options) as u64
    }

    pub(super) fn write_buffers(&self) -> &WriteBufferManager {
        &self.write_buffers
    }

    /// Makes a column family use it.
    pub(super) fn apply(&self, options: &mut Options, table: &mut BlockBasedOptions) {
        table.set_block_cache(&self.cache);
        // Else they would take memory beside the cache.
        table.set_cache_index_and_filter_blocks(true);
        table.set_cache_index_and_filter_blocks_with_high_priority(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        if self.options.partitioned_index_filters {
            table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
            table.set_partition_filters(true);
            table.set_pin_top_level_index_and_filter(true);
        }
        // A memtable takes memory in whole arena blocks: with many column families, large ones would fill the manager's
        // budget while they are nearly empty (Flink bounds them in the same way).
        let arena = write_buffer_bytes(&self.options) / 64;
        options.set_arena_block_size(arena.clamp(64 << 10, 8 << 20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rocksdb::cache::CacheMemory;
    use crate::rocksdb::options::MemoryScope;

    fn options(scope: MemoryScope) -> MemoryOptions {
        MemoryOptions {
            // A size that no other test has.
            bytes: (5 << 20) + 7,
            scope,
            write_buffer_ratio: 0.5,
            high_prio_pool_ratio: 0.1,
            partitioned_index_filters: false,
        }
    }

    /// Goal: backends of one slot share memory and typed cache, those of others have their own; without slots all share.
    #[test]
    fn memory_of_slots_is_apart() {
        for (scope, apart) in [(MemoryScope::Slot, true), (MemoryScope::Process, false)] {
            let options = options(scope);
            let memory = |slot| SharedMemory::get(options, slot);
            let (first, same, other) = (memory(0), memory(0), memory(1));
            assert!(Arc::ptr_eq(&first, &same));
            assert_eq!(!Arc::ptr_eq(&first, &other), apart, "{scope:?}");
            let cache = |slot| CacheMemory::shared(12_345, 678, options.slot(slot));
            let (first, same, other) = (cache(0), cache(0), cache(1));
            assert!(Arc::ptr_eq(&first, &same));
            assert_eq!(!Arc::ptr_eq(&first, &other), apart, "{scope:?}");
        }
    }
}
