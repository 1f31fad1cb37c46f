//! The bridge between callers that block and `object_store`, which doesn't: one small private runtime.
//!
//! A future is handed to the runtime and its result waited for on a channel, so that any thread may call, even one that
//! belongs to another runtime (REST handlers do).

use millpond_core::host::{Background, give_way};
use millpond_core::{Error, ErrorKind, Result};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, mpsc};
use std::task::{Context, Poll, Waker};
use tokio::runtime::{Builder, Runtime};

/// Threads that drive I/O; the blocking calls of the local file system run on as many again.
const WORKER_THREADS: usize = 2;
/// Threads for blocking file calls.
const BLOCKING_THREADS: usize = 4;

/// A private runtime that stops when the last owner is gone.
pub(crate) struct Io {
    driver: Driver,
}

enum Driver {
    /// Futures run on threads of this runtime; `None` while it stops.
    Threads(Option<Runtime>),
    /// Futures run on the calling thread and are ready at once.
    Inline(Arc<dyn Background>),
}

/// The result of a future that runs beside its caller.
pub(crate) struct Running<T>(mpsc::Receiver<T>);

impl Io {
    /// Starts the runtime.
    pub(crate) fn start() -> Result<Arc<Self>> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKER_THREADS)
            .max_blocking_threads(BLOCKING_THREADS)
            .enable_all()
            .thread_name("checkpoint-io")
            .on_thread_start(give_way)
            .build()
            .map_err(|e| Error::io("start checkpoint i/o", e))?;
        Ok(Arc::new(Io {
            driver: Driver::Threads(Some(runtime)),
        }))
    }

    /// No threads: for a store whose futures never wait, such as a simulated one, so that a run can be repeated.
    pub(crate) fn inline(background: Arc<dyn Background>) -> Arc<Self> {
        Arc::new(Io {
            driver: Driver::Inline(background),
        })
    }

    /// Takes a lock that is held during requests. On [`Io::inline`] whoever holds it may wait on this very thread, so blocking would
    /// be for good.
    pub(crate) fn lock<'m, T>(&self, mutex: &'m Mutex<T>) -> MutexGuard<'m, T> {
        let Driver::Inline(background) = &self.driver else {
            return mutex.lock().unwrap_or_else(PoisonError::into_inner);
        };
        loop {
            match mutex.try_lock() {
                Ok(guard) => return guard,
                Err(TryLockError::Poisoned(guard)) => return guard.into_inner(),
                Err(TryLockError::WouldBlock) => background.pause(),
            }
        }
    }

    /// Whether there are no threads: nothing that differs from run to run may happen then.
    pub(crate) fn is_inline(&self) -> bool {
        matches!(self.driver, Driver::Inline(_))
    }

    /// For clients that start work of their own.
    #[cfg(feature = "hdfs")]
    pub(crate) fn handle(&self) -> Result<tokio::runtime::Handle> {
        match &self.driver {
            Driver::Threads(Some(runtime)) => Ok(runtime.handle().clone()),
            _ => Err(stopped()),
        }
    }

    /// Runs `future` to its end while the calling thread waits.
    pub(crate) fn run<T, F>(&self, future: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.start_running(future)?.wait()
    }

    /// Runs `future` while its caller does something else. On [`Io::inline`] it is done when this returns.
    pub(crate) fn start_running<T, F>(&self, future: F) -> Result<Running<T>>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (sender, receiver) = mpsc::sync_channel(1);
        match &self.driver {
            Driver::Threads(runtime) => {
                let runtime = runtime.as_ref().ok_or_else(stopped)?;
                runtime.handle().spawn(async move {
                    let _ = sender.send(future.await);
                });
            }
            Driver::Inline(_) => match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(result) => drop(sender.send(result)),
                Poll::Pending => {
                    return Err(Error::illegal_state(
                        "checkpoint i/o",
                        "the store waits, and there is no thread to wait on",
                    ));
                }
            },
        }
        Ok(Running(receiver))
    }
}

impl<T> Running<T> {
    /// Waits for the result.
    pub(crate) fn wait(self) -> Result<T> {
        self.0.recv().map_err(|_| stopped())
    }
}

fn stopped() -> Error {
    Error::new(ErrorKind::Io, "checkpoint i/o", "the i/o threads have stopped")
}

impl Drop for Io {
    fn drop(&mut self) {
        // Waiting is forbidden on a thread that drives another runtime, and nothing is under way: every call waits.
        if let Driver::Threads(runtime) = &mut self.driver
            && let Some(runtime) = runtime.take()
        {
            runtime.shutdown_background();
        }
    }
}
