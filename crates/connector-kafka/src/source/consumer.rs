//! librdkafka's consumer, as all parts of the source make it.

use crate::client::{failed, log, note};
use crate::properties::Properties;
use millpond_core::Result;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;
use std::sync::Arc;
use std::time::Duration;

/// How long a question to a broker may take.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// The source's own options, which librdkafka doesn't know.
pub(super) const OWN_OPTIONS: [&str; 2] = ["partition.discovery.interval.ms", "commit.offsets.on.checkpoint"];

/// Whether the ends of partitions are told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Mode(bool);
/// Partitions end somewhere.
pub(super) const BOUNDED: Mode = Mode(true);
/// They don't.
pub(super) const UNBOUNDED: Mode = Mode(false);

pub(super) type Consumer = BaseConsumer<Notes>;

/// What the consumer tells beside records: its log.
pub(super) struct Notes;

impl ClientContext for Notes {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        note(&error, reason);
    }
}

impl ConsumerContext for Notes {}

pub(super) fn consumer(properties: &Properties, mode: Mode) -> Result<Arc<Consumer>> {
    let mut config = properties.client_config(&OWN_OPTIONS)?;
    config.set(
        "enable.partition.eof",
        if mode == BOUNDED { "true" } else { "false" },
    );
    let consumer = config
        .create_with_context(Notes)
        .map_err(|e| failed("make Kafka consumer", e))?;
    Ok(Arc::new(consumer))
}
