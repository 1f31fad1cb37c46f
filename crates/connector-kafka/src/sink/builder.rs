//! How a sink is set up. Flink's `KafkaSinkBuilder`.

use super::serializer::KafkaRecordSerializer;
use super::{DeliveryGuarantee, KafkaSink};
use crate::properties::Properties;
use crate::wire::Security;
use millpond_core::{Error, Result};
use std::sync::Arc;

/// The longest prefix: with subtask and number behind it an id stays below the 249 bytes that tools expect.
const PREFIX_BYTES_MAX: usize = 200;

/// Sets up a [`KafkaSink`].
pub struct KafkaSinkBuilder<T = ()> {
    properties: Properties,
    serializer: Option<KafkaRecordSerializer<T>>,
    guarantee: DeliveryGuarantee,
    transactional_id_prefix: String,
    ignore_failures_after_transaction_timeout: bool,
}

impl KafkaSink<()> {
    /// A sink to be set up: brokers and a serializer are needed, for exactly once a prefix, too.
    pub fn builder() -> KafkaSinkBuilder<()> {
        KafkaSinkBuilder {
            properties: Properties::default(),
            serializer: None,
            guarantee: DeliveryGuarantee::default(),
            transactional_id_prefix: String::new(),
            ignore_failures_after_transaction_timeout: false,
        }
    }
}

impl KafkaSinkBuilder<()> {
    /// What a record becomes in Kafka.
    pub fn serializer<T>(self, serializer: KafkaRecordSerializer<T>) -> KafkaSinkBuilder<T> {
        KafkaSinkBuilder {
            properties: self.properties,
            serializer: Some(serializer),
            guarantee: self.guarantee,
            transactional_id_prefix: self.transactional_id_prefix,
            ignore_failures_after_transaction_timeout: self.ignore_failures_after_transaction_timeout,
        }
    }
}

impl<T> KafkaSinkBuilder<T> {
    /// Brokers to begin with, as `host:port`, with commas between them.
    #[must_use]
    pub fn bootstrap_servers(self, servers: impl Into<String>) -> Self {
        self.property("bootstrap.servers", servers)
    }

    /// An option of the producer by its name in librdkafka, which is Kafka's wherever both have it. `partitioner` is
    /// `murmur2_random` unless set: keys go where Java's clients send them. `transaction.timeout.ms` is an hour, as Flink's.
    #[must_use]
    pub fn property(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.set(key, value);
        self
    }

    /// How often a record gets to Kafka. Default [`DeliveryGuarantee::None`], as Flink's.
    #[must_use]
    pub fn delivery_guarantee(mut self, guarantee: DeliveryGuarantee) -> Self {
        self.guarantee = guarantee;
        self
    }

    /// What the sink's transactional ids begin with. It must be this sink's alone among all that write to the brokers, and
    /// stay the same for as long as the job's checkpoints are used: what a crash left open is found by it.
    #[must_use]
    pub fn transactional_id_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.transactional_id_prefix = prefix.into();
        self
    }

    /// When a transaction of a completed checkpoint can't be committed because Kafka ended it (it was open for longer than
    /// `transaction.timeout.ms`), goes on without its records, which are lost, instead of failing. For a job that was down
    /// for too long and has to start again all the same. Flink's `FlinkKafkaProducer` has it under this name.
    #[must_use]
    pub fn ignore_failures_after_transaction_timeout(mut self) -> Self {
        self.ignore_failures_after_transaction_timeout = true;
        self
    }

    /// The sink.
    ///
    /// # Errors
    /// Config naming what is missing or what librdkafka doesn't know; Unsupported for exactly once over TLS.
    pub fn build(mut self) -> Result<KafkaSink<T>> {
        let wrong = |message: &'static str| Error::config("build Kafka sink", message);
        let serializer = self
            .serializer
            .ok_or_else(|| wrong("no serializer").hint("call `serializer`"))?;
        let properties = &mut self.properties;
        properties.set_default("partitioner", "murmur2_random");
        properties.set_default("enable.idempotence", "true");
        if self.guarantee == DeliveryGuarantee::ExactlyOnce {
            let prefix = &self.transactional_id_prefix;
            if prefix.is_empty() || prefix.len() > PREFIX_BYTES_MAX {
                return Err(
                    wrong("exactly once needs a prefix for transactional ids, of 1 to 200 bytes")
                        .with("prefix", prefix)
                        .hint("call `transactional_id_prefix` with a name that no other sink uses"),
                );
            }
            if properties.get("transactional.id").is_some() {
                return Err(wrong("the sink makes its transactional ids itself")
                    .hint("set `transactional_id_prefix` instead of transactional.id"));
            }
            let timeout_ms = properties.transaction_timeout_ms()?;
            properties.set_default("transaction.timeout.ms", &timeout_ms.to_string());
            Security::of(properties)?;
        }
        properties.client_config(&[])?;
        Ok(KafkaSink {
            properties: Arc::new(self.properties),
            serializer: Arc::new(serializer),
            guarantee: self.guarantee,
            transactional_id_prefix: self.transactional_id_prefix,
            ignore_failures_after_transaction_timeout: self.ignore_failures_after_transaction_timeout,
        })
    }
}
