//! An HTTP server of its own for the job's metrics. Flink's `PrometheusReporter`.

use super::prometheus;
use crate::http::HttpThread;
use crate::server::guard::local_only;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use millpond_core::config::options::{self, PortRange};
use millpond_core::{Configuration, Error, ErrorKind, Result};
use millpond_runtime::master::JobHandle;
use std::net::{IpAddr, SocketAddr, TcpListener};

const START: &str = "start Prometheus reporter";
/// The name that this reporter has in `metrics.reporters`.
const NAME: &str = "prom";
const FACTORY: &str = "org.apache.flink.metrics.prometheus.PrometheusReporterFactory";
/// What the text form is called.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A place to be read at, taken before the job starts: what is wrong with the options is said before anything runs.
pub struct PrometheusListener {
    listener: TcpListener,
    filter_label_values: bool,
}

/// Answers `GET /metrics` until it is dropped.
pub struct PrometheusReporter {
    server: HttpThread,
}

impl PrometheusListener {
    /// Listens if `config` asks for a reporter: `prom` is in `metrics.reporters`, or there is no such list and its factory class is
    /// named.
    ///
    /// # Errors
    /// Config for another reporter, an address that is none, or when every port is taken; Io when there is no socket to be had.
    pub fn bind(config: &Configuration) -> Result<Option<Self>> {
        if !is_asked_for(config)? {
            return Ok(None);
        }
        let address = config.require(&options::PROMETHEUS_BIND_ADDRESS)?;
        let ip: IpAddr = match address.as_str() {
            "localhost" => IpAddr::from([127, 0, 0, 1]),
            text => text.parse().map_err(|_| {
                Error::config(START, "the address is no IP address")
                    .with(options::PROMETHEUS_BIND_ADDRESS.key, text)
            })?,
        };
        Ok(Some(PrometheusListener {
            listener: bind_one(ip, config.require(&options::PROMETHEUS_PORT)?)?,
            filter_label_values: config.require(&options::PROMETHEUS_FILTER_LABEL_VALUES)?,
        }))
    }

    /// Answers for `job` from now on.
    ///
    /// # Errors
    /// Io when there is no thread to be had.
    pub fn serve(self, job: JobHandle) -> Result<PrometheusReporter> {
        let mut router = Router::new()
            .route("/", get(metrics))
            .route("/metrics", get(metrics));
        if self.listener.local_addr().is_ok_and(|a| a.ip().is_loopback()) {
            router = router.layer(middleware::from_fn(local_only));
        }
        let router = router.with_state((job, self.filter_label_values));
        let server = HttpThread::start("prometheus", self.listener, router)?;
        tracing::info!(address = %server.address(), "Prometheus reporter");
        Ok(PrometheusReporter { server })
    }
}

impl PrometheusReporter {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }
}

async fn metrics(State((job, filter)): State<(JobHandle, bool)>) -> Response {
    answer(&job, filter)
}

/// The metrics of `job` as an answer to a request.
pub(crate) fn answer(job: &JobHandle, filter_label_values: bool) -> Response {
    match prometheus::text(&job.metrics(), filter_label_values) {
        Ok(text) => ([(CONTENT_TYPE, TEXT)], text).into_response(),
        Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, e.report()).into_response(),
    }
}

fn is_asked_for(config: &Configuration) -> Result<bool> {
    let class = config.get(&options::PROMETHEUS_FACTORY_CLASS)?;
    if let Some(class) = class.as_deref().filter(|class| *class != FACTORY) {
        return Err(Error::config(START, "there is no such reporter")
            .with(options::PROMETHEUS_FACTORY_CLASS.key, class)
            .hint(format!("the one that is there is {FACTORY}")));
    }
    let Some(list) = config.get(&options::METRICS_REPORTERS)? else {
        return Ok(class.is_some());
    };
    let mut names = list.split([',', ';', ' ']).filter(|name| !name.is_empty());
    match names.find(|name| *name != NAME) {
        Some(other) => Err(Error::config(START, "there is no such reporter")
            .with(options::METRICS_REPORTERS.key, other)
            .hint("the one that is there is prom")),
        None => Ok(list.contains(NAME)),
    }
}

/// Listens at the first port of the range that is free.
fn bind_one(ip: IpAddr, ports: PortRange) -> Result<TcpListener> {
    let mut last = None;
    for port in ports.first..=ports.last {
        match TcpListener::bind((ip, port)) {
            Ok(listener) => return Ok(listener),
            Err(e) => last = Some(e),
        }
    }
    let taken = Error::new(ErrorKind::Config, START, "no port of the range can be had")
        .with(options::PROMETHEUS_BIND_ADDRESS.key, ip)
        .with(options::PROMETHEUS_PORT.key, ports)
        .hint("another process may use it: give a range such as 9249-9259, or 0 for any free port");
    Err(match last {
        Some(e) => taken.source(e),
        None => taken,
    })
}
