//! HTTP to one address: requests with time limits, answers bounded in size, refusals as errors.

use crate::wire::Errors;
use millpond_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body};

/// No answer of a job is longer: the statistics are bounded.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
const ASK: &str = "ask job";

#[derive(Clone, Debug)]
pub(super) struct Connection {
    agent: Agent,
    address: SocketAddr,
}

impl Connection {
    /// Nothing is sent yet. `within` limits each request as a whole.
    pub(super) fn new(address: SocketAddr, within: Duration) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_global(Some(within))
            // Jobs are on this machine, whatever the environment says about proxies.
            .proxy(None)
            .max_redirects(0)
            // A job's process may go at any moment: a kept connection would only be found dead.
            .max_idle_connections(0)
            .build();
        Connection {
            agent: config.into(),
            address,
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.answer(path, self.agent.get(self.url(path)).call())
    }

    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        self.answer(path, self.agent.post(self.url(path)).send_json(body))
    }

    pub(super) fn patch<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.answer(path, self.agent.patch(self.url(path)).send_empty())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn answer<T: DeserializeOwned>(
        &self,
        path: &str,
        outcome: Result<Response<Body>, ureq::Error>,
    ) -> Result<T> {
        let named = |e: Error| e.with("address", self.address).with("path", path);
        let mut response = outcome.map_err(|e| named(unreachable(e)))?;
        let status = response.status();
        let bytes = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_vec()
            .map_err(|e| named(unreachable(e)))?;
        if !status.is_success() {
            return Err(named(refusal(status.as_u16(), &bytes)));
        }
        serde_json::from_slice(&bytes).map_err(|e| {
            let odd = Error::new(ErrorKind::Io, ASK, "the answer is not what a job says").source(e);
            named(odd.hint("another program may listen there, or another version of this one"))
        })
    }
}

fn unreachable(e: ureq::Error) -> Error {
    let message = match &e {
        ureq::Error::Timeout(_) => "the job did not answer in time",
        _ => "the job can't be reached",
    };
    Error::new(ErrorKind::Io, ASK, message)
        .hint("its process may have ended; `millpond list` shows what runs")
        .source(e)
}

fn refusal(status: u16, body: &[u8]) -> Error {
    let kind = match status {
        404 => ErrorKind::NotFound,
        409 => ErrorKind::IllegalState,
        400..500 => ErrorKind::Config,
        _ => ErrorKind::Io,
    };
    let said = serde_json::from_slice(body).map(|e: Errors| e.errors.join("; "));
    Error::new(
        kind,
        ASK,
        said.unwrap_or_else(|_| format!("refused with HTTP status {status}")),
    )
}
