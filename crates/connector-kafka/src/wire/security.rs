//! How a connection proves who it is: librdkafka's options, as far as our own connections know them.

use crate::properties::Properties;
use millpond_core::{Error, ErrorKind, Result};

/// What stands between a socket and Kafka's protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// Nothing.
    Plaintext,
    /// A name and a password in clear.
    SaslPlain { username: String, password: String },
}

impl Security {
    /// Reads `security.protocol` and the `sasl.*` options.
    pub(crate) fn of(properties: &Properties) -> Result<Self> {
        let protocol = properties.get("security.protocol").unwrap_or("plaintext");
        match protocol.to_ascii_lowercase().as_str() {
            "plaintext" => return Ok(Security::Plaintext),
            "sasl_plaintext" => {}
            _ => return Err(unsupported("security.protocol", protocol)),
        }
        let mechanism = properties
            .get("sasl.mechanism")
            .or_else(|| properties.get("sasl.mechanisms"))
            .unwrap_or("GSSAPI");
        if mechanism != "PLAIN" {
            return Err(unsupported("sasl.mechanism", mechanism));
        }
        Ok(Security::SaslPlain {
            username: properties.require("sasl.username")?.to_string(),
            password: properties.require("sasl.password")?.to_string(),
        })
    }
}

fn unsupported(key: &'static str, value: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "connect to Kafka",
        "exactly once knows PLAINTEXT, and SASL_PLAINTEXT with PLAIN, only",
    )
    .with("key", key)
    .with("value", value)
    .hint("use a listener without TLS, reached through a tunnel where it must cross a network")
}
