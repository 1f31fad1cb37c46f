//! The thread that deletes what nobody needs any more, off the path of whoever decided so.
//!
//! Deletions run in the order in which they were handed in. One that fails is logged and let go: what stays behind is
//! found again by the sweep after the next start ([`crate::recovery`]).

use super::fence::Fence;
use super::folder::Folder;
use super::layout;
use super::local::LocalCopies;
use crate::metadata::CheckpointMetadata;
use millpond_core::failpoint::{self, Failpoint};
use millpond_core::host::{self, Background};
use std::collections::VecDeque;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, TryLockError};

/// Something to delete.
pub(crate) enum Deletion {
    /// A folder with all in it. `_metadata` goes first: from then on the checkpoint doesn't exist.
    Folder(Folder),
    /// Single files, in this order.
    Files(Folder, Vec<String>),
    /// Files of uploads that were cut off.
    Unfinished(Folder, Vec<String>),
    /// What an aborted checkpoint has written: all but the mark that its number is taken.
    Aborted(Folder),
    /// Local copies of files that this checkpoint doesn't name; of all, if there is none.
    LocalCopies(Arc<LocalCopies>, Option<Arc<CheckpointMetadata>>),
    /// A folder, if nothing is in it.
    IfEmpty(Folder),
}

impl Deletion {
    fn run(&self, fence: &OnceLock<Arc<Fence>>) {
        if let Some(Err(e)) = fence.get().map(|f| f.settle()) {
            tracing::warn!(error = %e.report(), "what is no longer needed is left for the next start to delete");
            return;
        }
        failpoint::reach(Failpoint::DeletionBegins);
        let result = match self {
            Deletion::Folder(folder) => folder.delete_file(layout::METADATA_FILE).and_then(|()| {
                failpoint::reach(Failpoint::MetadataDeleted);
                folder.remove_all()
            }),
            Deletion::Files(folder, names) => names.iter().try_for_each(|n| {
                folder.delete_file(n)?;
                failpoint::reach(Failpoint::SharedFileDeleted);
                Ok(())
            }),
            Deletion::Unfinished(folder, names) => names.iter().try_for_each(|n| folder.delete_unfinished(n)),
            Deletion::Aborted(folder) => folder.delete_file(layout::METADATA_FILE).and_then(|()| {
                failpoint::reach(Failpoint::MetadataDeleted);
                folder.remove_all_but(layout::CLAIM_FILE)
            }),
            Deletion::LocalCopies(local, latest) => {
                match latest {
                    Some(metadata) => local.retain(metadata.streams()),
                    None => local.clear(),
                }
                Ok(())
            }
            Deletion::IfEmpty(folder) => {
                folder.remove_if_empty();
                Ok(())
            }
        };
        if let Err(e) = result {
            tracing::warn!(error = %e.report(), "could not delete what is no longer needed");
        }
        failpoint::reach(Failpoint::DeletionEnds);
    }
}

/// See the module.
pub(super) struct Deleter {
    worker: Mutex<Option<Worker>>,
    queue: Arc<Queue>,
}

/// Who works the queue off.
enum Worker {
    /// A thread, woken through the channel.
    Thread(Sender<()>, host::JoinHandle<()>),
    /// Somebody else's threads, or none.
    Background(Arc<dyn Background>),
}

/// The right to write to a job's folder, once it is taken.
pub(super) type FenceCell = Arc<OnceLock<Arc<Fence>>>;

/// What is to be deleted.
struct Queue {
    fence: FenceCell,
    waiting: Mutex<VecDeque<Deletion>>,
    /// Held by whoever works the queue off, so that its order is kept.
    turn: Mutex<()>,
}

impl Queue {
    fn new(fence: FenceCell) -> Arc<Self> {
        Arc::new(Queue {
            fence,
            waiting: Mutex::default(),
            turn: Mutex::default(),
        })
    }

    fn next(&self) -> Option<Deletion> {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    /// Works everything off, after whoever is at it.
    fn work_off(&self) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(deletion) = self.next() {
            deletion.run(&self.fence);
        }
    }

    /// Works everything off unless somebody is at it already, who will then. Whether nothing is left or under way.
    fn try_work_off(&self) -> bool {
        let turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        while let Some(deletion) = self.next() {
            deletion.run(&self.fence);
        }
        drop(turn);
        true
    }
}

impl Deleter {
    /// A deleter with a thread of its own. It deletes nothing while `fence` doesn't hold.
    pub(super) fn start(fence: FenceCell) -> millpond_core::Result<Self> {
        let queue = Queue::new(fence);
        let (wake, wakes) = channel();
        let of_thread = Arc::clone(&queue);
        let thread = host::spawn_background("checkpoint-deleter", move || {
            while wakes.recv().is_ok() {
                of_thread.work_off();
            }
        })?;
        Ok(Self::with(Worker::Thread(wake, thread), queue))
    }

    /// A deleter that deletes in `background`.
    pub(super) fn on(background: Arc<dyn Background>, fence: FenceCell) -> Self {
        Self::with(Worker::Background(background), Queue::new(fence))
    }

    fn with(worker: Worker, queue: Arc<Queue>) -> Self {
        Deleter {
            worker: Mutex::new(Some(worker)),
            queue,
        }
    }

    pub(super) fn submit(&self, deletion: Deletion) {
        self.queue
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(deletion);
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        match worker.as_ref() {
            // The thread ends only after the sender is gone.
            Some(Worker::Thread(wake, _)) => drop(wake.send(())),
            Some(Worker::Background(background)) => {
                let queue = Arc::clone(&self.queue);
                background.run(Box::new(move || {
                    let _ = queue.try_work_off();
                }));
            }
            None => {
                drop(worker);
                self.queue.work_off();
            }
        }
    }

    /// Waits until everything that was handed in is deleted.
    pub(super) fn flush(&self) {
        let background = match &*self.worker.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(Worker::Background(background)) => Some(Arc::clone(background)),
            _ => None,
        };
        match background {
            // Whoever is at it may be on this very thread, waiting for its turn to go on: blocking would be for good.
            Some(background) => {
                while !self.queue.try_work_off() {
                    background.pause();
                }
            }
            None => self.queue.work_off(),
        }
    }

    pub(super) fn close(&self) {
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        match worker {
            Some(Worker::Thread(wake, thread)) => {
                drop(wake);
                if thread.join().is_err() {
                    tracing::warn!("the thread that deletes old checkpoints had failed");
                }
            }
            Some(Worker::Background(background)) => {
                while !self.queue.try_work_off() {
                    background.pause();
                }
            }
            None => {}
        }
    }
}

impl Drop for Deleter {
    fn drop(&mut self) {
        self.close();
    }
}
