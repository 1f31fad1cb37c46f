//! How much memory the caches may take: all states that draw on the same budget have equal shares of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Which part of a share the database may lack. Of a small share it may be half: few keys at a time lie far apart in the database.
const DIRTY_PART: usize = 4;
const DIRTY_SMALL: usize = 4 << 20;

/// A budget of bytes for caches. Backends that share managed memory share one, like the rest of that memory.
#[derive(Debug)]
pub(in crate::rocksdb) struct CacheMemory {
    bytes_max: usize,
    /// Whose it is; `None`: everybody's, or one backend's.
    slot: Option<u32>,
    /// The most that a state holds back from the database. A snapshot's synchronous part serializes it: this bounds its time.
    unwritten_max: usize,
    states: AtomicUsize,
}

/// The budgets that the backends with managed memory live on now.
static SHARED: Mutex<Vec<Weak<CacheMemory>>> = Mutex::new(Vec::new());

/// A state's part of a budget; given back when it is dropped.
#[derive(Debug)]
pub(in crate::rocksdb) struct CacheShare(Arc<CacheMemory>);

impl CacheMemory {
    /// A budget that is nobody else's.
    pub(in crate::rocksdb) fn new(bytes_max: usize, unwritten_max: usize) -> Arc<Self> {
        Self::of_slot(bytes_max, unwritten_max, None)
    }

    fn of_slot(bytes_max: usize, unwritten_max: usize, slot: Option<u32>) -> Arc<Self> {
        Arc::new(CacheMemory {
            bytes_max,
            slot,
            unwritten_max,
            states: AtomicUsize::new(0),
        })
    }

    /// The budget of these sizes that all backends of a slot share, or of the process, made by the first of them.
    pub(in crate::rocksdb) fn shared(bytes_max: usize, unwritten_max: usize, slot: Option<u32>) -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|s| s.strong_count() > 0);
        let found = shared
            .iter()
            .filter_map(Weak::upgrade)
            .find(|s| (s.bytes_max, s.unwritten_max, s.slot) == (bytes_max, unwritten_max, slot));
        found.unwrap_or_else(|| {
            let new = Self::of_slot(bytes_max, unwritten_max, slot);
            shared.push(Arc::downgrade(&new));
            new
        })
    }

    /// A share for one more state; none when the cache is off.
    pub(in crate::rocksdb) fn share(self: &Arc<Self>) -> Option<CacheShare> {
        if self.bytes_max == 0 {
            return None;
        }
        self.states.fetch_add(1, Ordering::Relaxed);
        Some(CacheShare(Arc::clone(self)))
    }
}

impl CacheShare {
    /// What the state may hold.
    #[inline]
    pub(super) fn bytes_max(&self) -> usize {
        self.0.bytes_max / self.0.states.load(Ordering::Relaxed).max(1)
    }

    /// What of it the database may lack. A snapshot serializes that, and keeps as much again for its buffers.
    #[inline]
    pub(super) fn dirty_bytes_max(&self) -> usize {
        let share = self.bytes_max();
        let part = (share / DIRTY_PART).max((share / 2).min(DIRTY_SMALL));
        part.min(self.0.unwritten_max)
    }
}

impl Drop for CacheShare {
    fn drop(&mut self) {
        self.0.states.fetch_sub(1, Ordering::Relaxed);
    }
}
