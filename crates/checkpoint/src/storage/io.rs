//! The bridge between callers that block and `object_store`, which doesn't: one small private runtime.
//!
//! A future is handed to the runtime and its result waited for on a channel, so that any thread may call, even one that
//! belongs to another runtime (REST handlers do).

use millpond_core::{Error, ErrorKind, Result};
use std::future::Future;
use std::sync::{Arc, mpsc};
use tokio::runtime::{Builder, Runtime};

/// Threads that drive I/O; the blocking calls of the local file system run on as many again.
const WORKER_THREADS: usize = 2;
/// Threads for blocking file calls.
const BLOCKING_THREADS: usize = 4;

/// A private runtime that stops when the last owner is gone.
pub(crate) struct Io {
    runtime: Option<Runtime>,
}

impl Io {
    /// Starts the runtime.
    pub(crate) fn start() -> Result<Arc<Self>> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKER_THREADS)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("checkpoint-io")
            .build()
            .map_err(|e| Error::io("start checkpoint i/o", e))?;
        Ok(Arc::new(Io {
            runtime: Some(runtime),
        }))
    }

    /// Runs `future` to its end while the calling thread waits.
    pub(crate) fn run<T, F>(&self, future: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let gone = || Error::new(ErrorKind::Io, "checkpoint i/o", "the i/o threads have stopped");
        let runtime = self.runtime.as_ref().ok_or_else(gone)?;
        let (tx, rx) = mpsc::sync_channel(1);
        runtime.handle().spawn(async move {
            let _ = tx.send(future.await);
        });
        rx.recv().map_err(|_| gone())
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        // Waiting is forbidden on a thread that drives another runtime, and nothing is under way: every call waits.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
