//! The threads that snapshots are written on, beside the tasks and giving way to them: records wait for a task, nobody waits for a
//! snapshot.

use crate::task::{SnapshotExecutor, SnapshotJob};
use millpond_core::Result;
use millpond_core::host::{JoinHandle, spawn_background};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

/// A few threads that run what they are given, in its order.
pub(super) struct SnapshotThreads {
    jobs: Mutex<Option<Sender<SnapshotJob>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl SnapshotThreads {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// Io when the operating system has no thread to give.
    pub(super) fn start(count: usize) -> Result<Arc<Self>> {
        let (sender, receiver) = channel::<SnapshotJob>();
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = (0..count)
            .map(|i| {
                let receiver = Arc::clone(&receiver);
                spawn_background(format!("snapshot-{i}"), move || work(&receiver))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(SnapshotThreads {
            jobs: Mutex::new(Some(sender)),
            threads: Mutex::new(threads),
        }))
    }
}

impl SnapshotExecutor for SnapshotThreads {
    fn execute(&self, job: SnapshotJob) {
        if let Some(sender) = &*self.jobs.lock().unwrap_or_else(PoisonError::into_inner) {
            // Cannot fail: the threads end only after the sender is gone.
            let _ = sender.send(job);
        }
    }

    fn close(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        for thread in self
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            let _ = thread.join();
        }
    }
}

fn work(jobs: &Mutex<Receiver<SnapshotJob>>) {
    loop {
        // The lock is held while waiting: whoever has it takes the next job, the others queue behind.
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // A panic in a serializer of the user's must not take the thread along; the job's own guard reports it.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
    }
}
