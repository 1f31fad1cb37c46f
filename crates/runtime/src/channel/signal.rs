//! What one task sleeps on, and what its channels know of it: whether it was cancelled, whether it may block, its
//! counters.
//!
//! A task has one place to sleep for all that it can wait for: input, control messages, room in its outputs, a moved
//! clock. So a wake-up can't be missed by waiting at the wrong door, and cancelling reaches a task that is blocked
//! while it writes.

use crate::task::TaskMetrics;
use millpond_core::host::{Clock, Wake};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Whether a writer waits for room in a full channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendMode {
    /// It waits: each task has a thread of its own.
    Blocking,
    /// It goes over the bound and the task is not stepped again until there is room: all tasks share a thread.
    Overdraft,
}

/// The sleeping place of one task.
pub struct TaskSignal {
    /// Set by every wake-up and cleared only by going to sleep: while the task is busy, waking costs one atomic swap.
    woken: AtomicBool,
    sleep: Mutex<()>,
    condvar: Condvar,
    cancelled: AtomicBool,
    /// Something came that doesn't wait for the end of a batch.
    urgent: AtomicBool,
    mode: SendMode,
    clock: Arc<dyn Clock>,
    metrics: Arc<TaskMetrics>,
}

impl TaskSignal {
    pub(crate) fn new(mode: SendMode, clock: Arc<dyn Clock>) -> Arc<Self> {
        let signal = Arc::new(TaskSignal {
            woken: AtomicBool::new(false),
            sleep: Mutex::new(()),
            condvar: Condvar::new(),
            cancelled: AtomicBool::new(false),
            urgent: AtomicBool::new(false),
            mode,
            clock,
            metrics: Arc::default(),
        });
        let as_wake: Arc<dyn Wake> = signal.clone();
        signal.clock.subscribe(Arc::downgrade(&as_wake));
        signal
    }

    /// Sleeps until the next wake-up or until `until_ms` on the clock. Returns at once when there was a wake-up since
    /// the last call.
    pub fn wait(&self, until_ms: Option<i64>) {
        let mut guard = self.sleep.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.woken.swap(false, Ordering::AcqRel) {
            let timeout = until_ms.and_then(|deadline| self.clock.block_for(deadline));
            match timeout {
                None => guard = self.condvar.wait(guard).unwrap_or_else(PoisonError::into_inner),
                Some(timeout) => {
                    let (_guard, result) = self
                        .condvar
                        .wait_timeout(guard, timeout)
                        .unwrap_or_else(PoisonError::into_inner);
                    guard = _guard;
                    if result.timed_out() {
                        return;
                    }
                }
            }
        }
    }

    /// Whether there was a wake-up since the last call of [`TaskSignal::take_wake_up`].
    pub(crate) fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Acquire)
    }

    /// Forgets wake-ups so far: whoever calls it is about to look at everything anew.
    pub(crate) fn take_wake_up(&self) {
        self.woken.store(false, Ordering::Release);
    }

    /// Tells the task to give up, also where it is blocked while it writes.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.urge();
    }

    /// Wakes the task, and has it interrupt the batch that it is at.
    pub(crate) fn urge(&self) {
        self.urgent.store(true, Ordering::Release);
        self.wake();
    }

    /// Whether something came that doesn't wait for the end of a batch.
    #[inline]
    pub(crate) fn is_urgent(&self) -> bool {
        self.urgent.load(Ordering::Relaxed)
    }

    /// Forgets what was urgent so far: whoever calls it is about to look at it. Whether there was anything.
    pub(crate) fn take_urgent(&self) -> bool {
        self.urgent.load(Ordering::Relaxed) && self.urgent.swap(false, Ordering::AcqRel)
    }

    /// Whether the task was told to give up.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    pub(super) fn mode(&self) -> SendMode {
        self.mode
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The task's counters.
    pub fn metrics(&self) -> &Arc<TaskMetrics> {
        &self.metrics
    }
}

impl Wake for TaskSignal {
    fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            // Taking the lock orders this wake-up after a sleeper's last look at `woken`.
            drop(self.sleep.lock().unwrap_or_else(PoisonError::into_inner));
            self.condvar.notify_one();
        }
    }
}

impl fmt::Debug for TaskSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSignal")
            .field("cancelled", &self.is_cancelled())
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
