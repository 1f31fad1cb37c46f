//! An HTTP server on a thread of its own.

use axum::Router;
use millpond_core::host::{self, JoinHandle};
use millpond_core::{Error, Result};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long requests under way may take to finish when the server stops.
const DRAIN: Duration = Duration::from_secs(1);
const START: &str = "start HTTP server";

/// Serves until it is dropped.
pub(crate) struct HttpThread {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HttpThread {
    /// Serves `router` at `listener`.
    ///
    /// # Errors
    /// Io when there is no thread to be had.
    pub(crate) fn start(name: &'static str, listener: TcpListener, router: Router) -> Result<Self> {
        let address = listener.local_addr().map_err(|e| Error::io(START, e))?;
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|e| Error::io(START, e))?;
        let thread = host::spawn(name, move || {
            if let Err(e) = runtime.block_on(serve(listener, router, stopped)) {
                tracing::warn!(server = name, address = %address, "the HTTP server ended: {e}");
            }
        })?;
        Ok(HttpThread {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was printed there; there is nothing more to do about it here.
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, router: Router, stopped: oneshot::Receiver<()>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (draining, drain) = oneshot::channel::<()>();
    let server = axum::serve(listener, router).with_graceful_shutdown(async {
        // The sender is dropped to stop: that is the signal, not an error.
        let _ = stopped.await;
        drop(draining);
    });
    let too_long = async {
        let _ = drain.await;
        // Nobody is asked for the time here: the limit only cuts off peers that never finish their request.
        let _ = tokio::time::timeout(DRAIN, std::future::pending::<()>()).await;
    };
    tokio::select! {
        ended = server => ended,
        () = too_long => Ok(()),
    }
}
