//! Which of the records in flight want to be polled.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// The records that were woken since the last look, in the order of their waking. The lock is there because a waker may be used
/// anywhere; nobody waits for it.
#[derive(Clone, Default)]
pub(super) struct ReadyList(Arc<Mutex<Vec<usize>>>);

impl ReadyList {
    pub(super) fn take(&self) -> Vec<usize> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// Wakes the record that has a slot. Made once for the slot, whose records come and go: to be woken without reason is only to be
/// polled once more.
pub(super) struct SlotWaker {
    slot: usize,
    woken: AtomicBool,
    ready: ReadyList,
}

impl SlotWaker {
    /// The wake-ups of `slot`, and what a future is polled with.
    pub(super) fn new(slot: usize, ready: &ReadyList) -> (Arc<SlotWaker>, Waker) {
        let own = Arc::new(SlotWaker {
            slot,
            woken: AtomicBool::new(false),
            ready: ready.clone(),
        });
        let waker = Waker::from(Arc::clone(&own));
        (own, waker)
    }
    /// It is about to be polled: from here on a wake-up counts again.
    pub(super) fn begin_poll(&self) {
        self.woken.store(false, Ordering::Release);
    }
}

impl Wake for SlotWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            let mut ready = self.ready.0.lock().unwrap_or_else(PoisonError::into_inner);
            ready.push(self.slot);
        }
    }
}
