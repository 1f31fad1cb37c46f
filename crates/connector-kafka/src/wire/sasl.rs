//! The login of a connection: `SaslHandshake`, then the mechanism's messages in `SaslAuthenticate`. The mechanisms are the crate
//! `rsasl`'s; it also checks that a broker knows the password (SCRAM's server signature).

use super::connection::Connection;
use super::security::unsupported;
use crate::properties::Properties;
use bytes::Bytes;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use millpond_core::{Error, Result};
use rsasl::prelude::{Mechname, SASLClient, SASLConfig};
use std::fmt;

/// SCRAM takes three messages of ours at most; who asks for more doesn't speak it.
const STEPS_MAX: usize = 4;

/// A name, its password, and how the broker gets to know that we have it.
#[derive(Clone)]
pub(crate) struct Sasl {
    mechanism: &'static str,
    username: String,
    password: String,
}

impl Sasl {
    /// Reads the `sasl.*` options.
    pub(super) fn of(properties: &Properties) -> Result<Self> {
        let mechanism = properties
            .get("sasl.mechanism")
            .or_else(|| properties.get("sasl.mechanisms"))
            .unwrap_or("GSSAPI");
        let known = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];
        let Some(mechanism) = known.into_iter().find(|m| *m == mechanism) else {
            return Err(unsupported(
                "sasl.mechanism",
                mechanism,
                "take PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
            ));
        };
        Ok(Sasl {
            mechanism,
            username: properties.require("sasl.username")?.to_string(),
            password: properties.require("sasl.password")?.to_string(),
        })
    }

    /// Logs in.
    pub(super) fn authenticate(&self, connection: &mut Connection) -> Result<()> {
        let handshake =
            SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(self.mechanism));
        let answer = connection.call(&handshake, 1)?;
        if answer.error_code != 0 {
            let offered: Vec<&str> = answer.mechanisms.iter().map(|m| &**m).collect();
            return Err(self
                .refused(connection, "the broker doesn't take this mechanism here")
                .with("offered", offered.join(", "))
                .hint("see sasl.mechanism"));
        }
        let odd = |e: &dyn fmt::Display| self.refused(connection, "the login failed").source(e.to_string());
        let config = SASLConfig::with_credentials(None, self.username.clone(), self.password.clone())
            .map_err(|e| odd(&e))?;
        let name = Mechname::parse(self.mechanism.as_bytes()).map_err(|e| odd(&e))?;
        let mut session = SASLClient::new(config)
            .start_suggested(&[name])
            .map_err(|e| odd(&e))?;
        let mut challenge: Option<Bytes> = None;
        for _ in 0..STEPS_MAX {
            let mut message = Vec::new();
            let state = session.step(challenge.as_deref(), &mut message).map_err(|e| {
                self.refused(connection, "the broker's part of the login is wrong")
                    .source(e.to_string())
            })?;
            if state.has_sent_message() {
                challenge = Some(self.send(connection, message)?);
            }
            if state.is_finished() {
                return Ok(());
            }
        }
        Err(self.refused(connection, "the login doesn't end"))
    }

    fn send(&self, connection: &mut Connection, message: Vec<u8>) -> Result<Bytes> {
        let authenticate = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(message));
        let answer = connection.call(&authenticate, 1)?;
        if answer.error_code != 0 {
            return Err(self
                .refused(connection, "name or password is wrong")
                .hint("see sasl.username and sasl.password"));
        }
        Ok(answer.auth_bytes)
    }

    fn refused(&self, connection: &Connection, message: &'static str) -> Error {
        Error::config("connect to Kafka", message)
            .with("broker", connection.address())
            .with("mechanism", self.mechanism)
            .with("username", &self.username)
    }
}

/// Without the password.
impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {}", self.mechanism, self.username)
    }
}
