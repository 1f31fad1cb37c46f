//! The server: one job's REST interface on a thread of its own.
//!
//! It serves one job, that of the process it lives in, and looks at it only through its [`JobHandle`]. It listens on
//! loopback alone, since it asks nobody who they are. Dropping it stops it; while the answer to a savepoint or stop has not been
//! fetched, a job that is over keeps its server for a moment, so that whoever asked learns the path.

mod answer;
pub(crate) mod guard;
mod metrics;
mod operations;
mod routes;
mod triggers;
mod view;

use crate::http::HttpThread;
use crate::registry::{Entry, Registration, Registry};
use millpond_core::host::{self, SystemClock};
use millpond_core::{Error, ErrorKind, Result};
use millpond_runtime::master::JobHandle;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use triggers::Triggers;

/// How long the server of a job that is over waits for answers to be fetched.
const GRACE: Duration = Duration::from_secs(2);
const START: &str = "start REST interface";

/// The REST interface of one running job. Flink's `WebMonitorEndpoint`, for the part of it that `docs/rest-api.md` lists.
///
/// ```no_run
/// use millpond_rest::server::RestServer;
/// # fn f(handle: millpond_runtime::master::JobHandle) -> millpond_core::Result<()> {
/// let rest = RestServer::start(handle.clone(), "127.0.0.1", 0)?;
/// println!("http://{}/jobs/overview", rest.address());
/// handle.wait()?;
/// drop(rest);
/// # Ok(())
/// # }
/// ```
pub struct RestServer {
    shared: Arc<Shared>,
    registration: Option<Registration>,
    http: HttpThread,
}

/// A place to listen at, taken before the job starts: what is wrong with the address is said before anything runs.
pub struct RestListener {
    listener: TcpListener,
    address: SocketAddr,
}

impl RestListener {
    /// Listens at `address` and `port` (0: any free one); nobody is answered yet.
    ///
    /// # Errors
    /// Config when the address isn't one of loopback, or the port is taken; Io when there is no socket to be had.
    pub fn bind(address: &str, port: u16) -> Result<RestListener> {
        let listener = bind(loopback(address)?, port)?;
        let address = listener.local_addr().map_err(|e| Error::io(START, e))?;
        Ok(RestListener { listener, address })
    }

    /// Answers for `handle` from now on, and enters it in the user's [`Registry`].
    ///
    /// # Errors
    /// Io when there is no thread to be had.
    pub fn serve(self, handle: JobHandle) -> Result<RestServer> {
        RestServer::serve_in(&Registry::of_user(), handle, self)
    }
}

/// What the handlers see.
struct Shared {
    job: JobHandle,
    triggers: Triggers,
}

impl RestServer {
    /// Serves the job at `address` and `port` (0: any free one) until dropped, and enters it in the user's [`Registry`]. A
    /// registry that can't be written is a warning: the job still runs and answers.
    ///
    /// # Errors
    /// Config when the address isn't one of loopback, or the port is taken; Io when there is no socket or thread to be had.
    pub fn start(handle: JobHandle, address: &str, port: u16) -> Result<RestServer> {
        RestServer::start_in(&Registry::of_user(), handle, address, port)
    }

    /// As [`RestServer::start`], with a registry of one's own choice.
    ///
    /// # Errors
    /// As [`RestServer::start`].
    pub fn start_in(registry: &Registry, handle: JobHandle, address: &str, port: u16) -> Result<RestServer> {
        RestServer::serve_in(registry, handle, RestListener::bind(address, port)?)
    }

    fn serve_in(registry: &Registry, handle: JobHandle, listener: RestListener) -> Result<RestServer> {
        let RestListener { listener, address } = listener;
        let shared = Arc::new(Shared {
            job: handle,
            triggers: Triggers::default(),
        });
        let http = HttpThread::start("rest", listener, routes::router(shared.clone()))?;
        let details = shared.job.details();
        let entry = Entry {
            job_id: details.job_id.to_string(),
            name: details.name,
            pid: std::process::id(),
            address: address.to_string(),
            start_ms: details.start_ms,
        };
        let registration = registry
            .register(&entry)
            .inspect_err(|e| tracing::warn!("the job can't be found by name: {}", e.report()))
            .ok();
        tracing::info!(address = %address, job = %shared.job.job_id(), "REST interface");
        Ok(RestServer {
            shared,
            registration,
            http,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.http.address()
    }
}

impl Drop for RestServer {
    fn drop(&mut self) {
        // Out of the folder first: nobody should find a job that is about to go.
        self.registration = None;
        let clock = SystemClock::shared();
        let deadline = clock.monotonic_nanos() + u64::try_from(GRACE.as_nanos()).unwrap_or(0);
        while self.shared.job.is_over()
            && self.shared.triggers.waiting_for_a_reader()
            && clock.monotonic_nanos() < deadline
        {
            host::sleep(Duration::from_millis(10));
        }
    }
}

fn loopback(address: &str) -> Result<IpAddr> {
    let refused = |message: &str| {
        Error::config(START, message)
            .with("rest.bind-address", address)
            .hint("use 127.0.0.1, ::1 or localhost; reach it from elsewhere through a tunnel such as ssh -L")
    };
    if address.eq_ignore_ascii_case("localhost") {
        return Ok(IpAddr::from([127, 0, 0, 1]));
    }
    let ip: IpAddr = address
        .parse()
        .map_err(|_| refused("the address is no IP address"))?;
    if ip.is_loopback() {
        Ok(ip)
    } else {
        Err(refused(
            "the REST interface asks nobody who they are and so listens on loopback addresses only",
        ))
    }
}

fn bind(ip: IpAddr, port: u16) -> Result<TcpListener> {
    TcpListener::bind((ip, port)).map_err(|e| {
        let error = if e.kind() == io::ErrorKind::AddrInUse {
            Error::new(ErrorKind::Config, START, "the port is taken")
                .hint("another job may use it; set rest.port=0 for any free port")
        } else {
            Error::io(START, e)
        };
        error.with("rest.bind-address", ip).with("rest.port", port)
    })
}
