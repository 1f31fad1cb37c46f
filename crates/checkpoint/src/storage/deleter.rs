//! The thread that deletes what nobody needs any more, off the path of whoever decided so.
//!
//! Deletions run in the order in which they were handed in. One that fails is logged and let go: what stays behind is
//! found again by the sweep after the next start ([`crate::recovery`]).

use super::folder::Folder;
use super::layout;
use millpond_core::failpoint::{self, Failpoint};
use millpond_core::host;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};

/// Something to delete.
pub(crate) enum Deletion {
    /// A folder with all in it. `_metadata` goes first: from then on the checkpoint doesn't exist.
    Folder(Folder),
    /// Single files, in this order.
    Files(Folder, Vec<String>),
    /// Files of uploads that were cut off.
    Unfinished(Folder, Vec<String>),
    /// A folder, if nothing is in it.
    IfEmpty(Folder),
}

impl Deletion {
    fn run(&self) {
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

enum Message {
    Delete(Deletion),
    Flush(Sender<()>),
}

/// See the module.
pub(super) struct Deleter {
    worker: Mutex<Option<Worker>>,
}

struct Worker {
    queue: Sender<Message>,
    thread: host::JoinHandle<()>,
}

impl Deleter {
    pub(super) fn start() -> millpond_core::Result<Self> {
        let (queue, messages) = channel();
        let thread = host::spawn("checkpoint-deleter", move || {
            while let Ok(message) = messages.recv() {
                match message {
                    Message::Delete(deletion) => deletion.run(),
                    Message::Flush(done) => {
                        let _ = done.send(());
                    }
                }
            }
        })?;
        Ok(Deleter {
            worker: Mutex::new(Some(Worker { queue, thread })),
        })
    }

    pub(super) fn submit(&self, deletion: Deletion) {
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        let left = match worker.as_ref() {
            Some(w) => w.queue.send(Message::Delete(deletion)).err().map(|e| e.0),
            None => Some(Message::Delete(deletion)),
        };
        drop(worker);
        if let Some(Message::Delete(deletion)) = left {
            deletion.run();
        }
    }

    pub(super) fn flush(&self) {
        let (tx, rx) = channel();
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = worker
            .as_ref()
            .is_some_and(|w| w.queue.send(Message::Flush(tx)).is_ok());
        drop(worker);
        if sent {
            let _ = rx.recv();
        }
    }

    pub(super) fn close(&self) {
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Worker { queue, thread }) = worker {
            drop(queue);
            if thread.join().is_err() {
                tracing::warn!("the thread that deletes old checkpoints had failed");
            }
        }
    }
}

impl Drop for Deleter {
    fn drop(&mut self) {
        self.close();
    }
}
