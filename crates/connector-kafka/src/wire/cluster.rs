//! Which broker to ask: any, all, or a transaction's coordinator. Asks again while brokers are away or change places.

use super::connection::Connection;
use super::security::Security;
use crate::properties::Properties;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{FindCoordinatorRequest, MetadataRequest};
use kafka_protocol::protocol::{Request, StrBytes};
use millpond_core::host::sleep;
use millpond_core::{Error, ErrorKind, Result};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often something is asked again, each time after a longer wait: about five seconds in all.
const TRIES_MAX: u32 = 7;
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// `FindCoordinator` by a coordinator's type: that of a transaction.
const TRANSACTION: i8 = 1;

/// The brokers of one cluster.
pub(super) struct Cluster {
    bootstrap: Vec<String>,
    security: Security,
    timeout: Duration,
    open: BTreeMap<String, Connection>,
}

impl Cluster {
    pub(super) fn new(properties: &Properties) -> Result<Self> {
        Ok(Cluster {
            bootstrap: properties.bootstrap_servers()?,
            security: Security::of(properties)?,
            timeout: properties.request_timeout()?,
            open: BTreeMap::new(),
        })
    }

    /// Asks one broker.
    pub(super) fn call<R: Request>(
        &mut self,
        address: &str,
        request: &R,
        version: i16,
    ) -> Result<R::Response> {
        let mut connection = match self.open.remove(address) {
            Some(connection) => connection,
            None => Connection::open(address, &self.security, self.timeout)?,
        };
        let answer = connection.call(request, version)?;
        self.open.insert(address.to_string(), connection);
        Ok(answer)
    }

    /// Asks whichever broker answers first, in the order of `bootstrap.servers`.
    fn call_any<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response> {
        let mut result = Err(Error::config("ask Kafka", "bootstrap.servers is empty"));
        for address in self.bootstrap.clone() {
            result = self.call(&address, request, version);
            if result.is_ok() {
                break;
            }
        }
        result
    }

    /// The coordinator of a transaction.
    pub(super) fn coordinator(&mut self, transactional_id: &str) -> Result<String> {
        let request = FindCoordinatorRequest::default()
            .with_key(StrBytes::from_string(transactional_id.to_string()))
            .with_key_type(TRANSACTION);
        let answer = self.call_any(&request, 3)?;
        check("find transaction coordinator", answer.error_code)
            .map_err(|e| e.with("transactional_id", transactional_id))?;
        Ok(format!("{}:{}", &*answer.host, answer.port))
    }

    /// All brokers.
    pub(super) fn brokers(&mut self) -> Result<Vec<String>> {
        let request = MetadataRequest::default().with_topics(Some(Vec::new()));
        let answer = self.call_any(&request, 9)?;
        let address = |b: &kafka_protocol::messages::metadata_response::MetadataResponseBroker| {
            format!("{}:{}", &*b.host, b.port)
        };
        Ok(answer.brokers.iter().map(address).collect())
    }
}

/// Does something again while it fails with what may pass by itself.
pub(super) fn persist<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let mut wait = FIRST_WAIT;
    for _ in 1..TRIES_MAX {
        match attempt() {
            Err(e) if e.is_temporary() => tracing::debug!(error = %e.report(), "asking Kafka again"),
            settled => return settled,
        }
        sleep(wait);
        wait = (wait * 2).min(LONGEST_WAIT);
    }
    attempt()
}

/// An error code of an answer: Io for what may pass, otherwise IllegalState with the code's name under `kafka_error`.
pub(super) fn check(operation: &'static str, code: i16) -> Result<()> {
    let Some(error) = ResponseError::try_from_code(code) else {
        return Ok(());
    };
    let (kind, message) = if is_passing(error) {
        (ErrorKind::Io, "the broker can't say for the moment")
    } else {
        (ErrorKind::IllegalState, "the broker refused")
    };
    Err(Error::new(kind, operation, message).with("kafka_error", error))
}

fn is_passing(error: ResponseError) -> bool {
    use ResponseError::*;
    error.is_retriable()
        || matches!(
            error,
            ConcurrentTransactions | CoordinatorLoadInProgress | NotCoordinator
        )
}
