//! Options of Kafka's clients, by librdkafka's names, which are Kafka's own wherever both have one.

use crate::client::failed;
use millpond_core::{Error, Result};
use rdkafka::ClientConfig;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Flink's `KafkaSinkBuilder.DEFAULT_KAFKA_TRANSACTION_TIMEOUT`.
const TRANSACTION_TIMEOUT_MS: i32 = 3_600_000;
const REQUEST_TIMEOUT_MS: u64 = 10_000;

/// What a builder was told.
#[derive(Clone, Default)]
pub(crate) struct Properties(BTreeMap<String, String>);

impl Properties {
    pub(crate) fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), value.into());
    }

    /// Sets what wasn't set.
    pub(crate) fn set_default(&mut self, key: &str, value: &str) {
        self.0.entry(key.to_string()).or_insert_with(|| value.to_string());
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    pub(crate) fn require(&self, key: &'static str) -> Result<&str> {
        self.get(key)
            .filter(|v| !v.is_empty())
            .ok_or_else(|| Error::config("set up Kafka", "a property is missing").with("key", key))
    }

    /// The addresses of `bootstrap.servers`.
    pub(crate) fn bootstrap_servers(&self) -> Result<Vec<String>> {
        let text = self.require("bootstrap.servers")?;
        let addresses: Vec<String> = text.split(',').map(|a| a.trim().to_string()).collect();
        for address in &addresses {
            let port = address.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
            if !matches!(port, Some(Ok(_))) {
                return Err(Error::config("set up Kafka", "not a list of host:port")
                    .with("key", "bootstrap.servers")
                    .with("value", text));
            }
        }
        Ok(addresses)
    }

    /// How long one answer is waited for.
    pub(crate) fn request_timeout(&self) -> Result<Duration> {
        Ok(Duration::from_millis(
            self.number("socket.timeout.ms", REQUEST_TIMEOUT_MS)?,
        ))
    }

    /// After how long the broker aborts a transaction that nobody ends.
    pub(crate) fn transaction_timeout_ms(&self) -> Result<i32> {
        self.number("transaction.timeout.ms", TRANSACTION_TIMEOUT_MS)
    }

    /// A number, or `default` where none is set.
    pub(crate) fn number<N: std::str::FromStr>(&self, key: &'static str, default: N) -> Result<N> {
        match self.get(key) {
            None => Ok(default),
            Some(text) => text.trim().parse().map_err(|_| {
                Error::config("set up Kafka", "not a number")
                    .with("key", key)
                    .with("value", text)
            }),
        }
    }

    /// Whether something is on.
    pub(crate) fn flag(&self, key: &'static str, default: bool) -> Result<bool> {
        match self.get(key) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(text) => Err(Error::config("set up Kafka", "neither true nor false")
                .with("key", key)
                .with("value", text)),
        }
    }

    /// What librdkafka gets: all but our own options.
    ///
    /// # Errors
    /// Config for an option or value that librdkafka doesn't know.
    pub(crate) fn client_config(&self, ours: &[&str]) -> Result<ClientConfig> {
        self.bootstrap_servers()?;
        let mut config = ClientConfig::new();
        for (key, value) in &self.0 {
            if !ours.contains(&key.as_str()) {
                config.set(key, value);
            }
        }
        config
            .create_native_config()
            .map_err(|e| failed("set up Kafka", e))?;
        Ok(config)
    }
}

/// Keys only: values may be secrets.
impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millpond_core::ErrorKind;

    fn properties(pairs: &[(&str, &str)]) -> Properties {
        let mut properties = Properties::default();
        pairs.iter().for_each(|(k, v)| properties.set(*k, *v));
        properties
    }

    #[test]
    fn wrong_options_are_named() {
        for (pairs, key) in [
            (&[][..], "bootstrap.servers"),
            (&[("bootstrap.servers", "localhost")], "bootstrap.servers"),
            (&[("bootstrap.servers", "a:1,b:x")], "bootstrap.servers"),
            (
                &[("bootstrap.servers", "a:1"), ("key.deserializer", "x")],
                "key.deserializer",
            ),
            (&[("bootstrap.servers", "a:1"), ("acks", "many")], "acks"),
        ] {
            let e = properties(pairs).client_config(&[]).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::Config, "{e}");
            assert!(e.to_string().contains(key), "{e}");
        }
        let e = properties(&[("transaction.timeout.ms", "soon")]).transaction_timeout_ms();
        assert_eq!(e.unwrap_err().context("value"), Some("soon"));
        assert_eq!(Properties::default().transaction_timeout_ms().unwrap(), 3_600_000);
    }

    #[test]
    fn secrets_are_not_shown() {
        let text = format!("{:?}", properties(&[("sasl.password", "hunter2")]));
        assert!(
            text.contains("sasl.password") && !text.contains("hunter2"),
            "{text}"
        );
    }
}
