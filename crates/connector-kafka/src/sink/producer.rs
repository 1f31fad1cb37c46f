//! librdkafka's producer, and what it could not deliver.

use super::serializer::{Partitioner, ProducerRecord};
use crate::client::{failed, log, note};
use crate::properties::Properties;
use millpond_core::{Error, Result};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Reports are taken in after so many records; a report costs little, asking for it a lock.
const POLL_EVERY: u32 = 256;
/// How long a full queue is waited for at a time.
const FULL_WAIT: Duration = Duration::from_millis(50);
const METADATA_TIMEOUT: Duration = Duration::from_secs(30);

/// A producer. Dropped, it forgets what it hasn't sent; a transaction stays as it is.
pub(super) struct Producer {
    producer: BaseProducer<Reports>,
    unpolled: u32,
    partitions: BTreeMap<String, i32>,
    delivery_timeout: Duration,
}

/// The first record that Kafka didn't take, and why.
#[derive(Clone, Default)]
struct Reports {
    failure: Arc<Mutex<Option<Failure>>>,
}

struct Failure {
    error: KafkaError,
    topic: String,
    partition: i32,
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        note(&error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();
    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        use rdkafka::Message;
        if let Err((error, message)) = result {
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert_with(|| Failure {
                error: error.clone(),
                topic: message.topic().to_string(),
                partition: message.partition(),
            });
        }
    }
}

impl Producer {
    pub(super) fn new(properties: &Properties, transactional_id: Option<&str>) -> Result<Self> {
        let mut config = properties.client_config(&[])?;
        if let Some(id) = transactional_id {
            config.set("transactional.id", id);
        }
        let producer = config
            .create_with_context(Reports::default())
            .map_err(|e| failed("make Kafka producer", e))?;
        Ok(Producer {
            producer,
            unpolled: 0,
            partitions: BTreeMap::new(),
            // Above librdkafka's own limit, which ends the wait with each record's error.
            delivery_timeout: Duration::from_millis(
                properties.number("message.timeout.ms", 300_000u64)? + 10_000,
            ),
        })
    }

    /// Tells the coordinator of the producer's id: aborts what is open under it, and fences others.
    pub(super) fn init_transactions(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.producer.init_transactions(timeout)
    }

    pub(super) fn begin_transaction(&self) -> Result<()> {
        self.producer
            .begin_transaction()
            .map_err(|e| failed("begin transaction", e))
    }

    /// Sends a record; waits while the producer's queue is full.
    pub(super) fn send<T>(
        &mut self,
        value: &T,
        record: &ProducerRecord,
        partitioner: Option<&Partitioner<T>>,
    ) -> Result<()> {
        let partition = match partitioner {
            Some(choose) => Some(self.choose(value, record, choose)?),
            None => None,
        };
        let mut outgoing: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(record.topic());
        outgoing.key = record.key();
        outgoing.payload = record.value();
        outgoing.partition = partition;
        // Kafka knows no time before its epoch, and librdkafka takes the epoch itself for "now".
        outgoing.timestamp = record.timestamp().filter(|t| *t > 0);
        if !record.headers().is_empty() {
            outgoing.headers = Some(headers(record));
        }
        loop {
            match self.producer.send(outgoing) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                    outgoing = again;
                    self.producer.poll(FULL_WAIT);
                    self.check()?;
                }
                Err((e, _)) => return Err(failed("send record", e).with("topic", record.topic())),
            }
        }
        self.unpolled += 1;
        if self.unpolled < POLL_EVERY {
            return Ok(());
        }
        self.unpolled = 0;
        self.producer.poll(Duration::ZERO);
        self.check()
    }

    fn choose<T>(&mut self, value: &T, record: &ProducerRecord, choose: &Partitioner<T>) -> Result<i32> {
        let topic = record.topic();
        let count = match self.partitions.get(topic) {
            Some(count) => *count,
            None => {
                let count = self.partition_count(topic)?;
                self.partitions.insert(topic.to_string(), count);
                count
            }
        };
        let chosen = choose(value, record.key(), record.value(), topic, count);
        if (0..count).contains(&chosen) {
            return Ok(chosen);
        }
        Err(
            Error::user("the partitioner chose a partition that the topic doesn't have")
                .with("topic", topic)
                .with("partition", chosen)
                .with("partitions", count),
        )
    }

    fn partition_count(&self, topic: &str) -> Result<i32> {
        let named = |e| failed("look up partitions", e).with("topic", topic);
        let metadata = self
            .producer
            .client()
            .fetch_metadata(Some(topic), METADATA_TIMEOUT)
            .map_err(named)?;
        let found = metadata.topics().first();
        if let Some(error) = found.and_then(|t| t.error()) {
            return Err(named(KafkaError::MetadataFetch(error.into())));
        }
        Ok(found.map_or(0, |t| i32::try_from(t.partitions().len()).unwrap_or(i32::MAX)))
    }

    /// Waits until Kafka has taken every record.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.unpolled = 0;
        let flushed = self.producer.flush(self.delivery_timeout);
        // What a record failed with says more than that not all were sent.
        self.check()?;
        flushed.map_err(|e| failed("flush Kafka producer", e))
    }

    fn check(&self) -> Result<()> {
        let failure = self.producer.context().failure.lock();
        let failure = failure.unwrap_or_else(PoisonError::into_inner);
        match &*failure {
            None => Ok(()),
            Some(f) => Err(failed("send record", f.error.clone())
                .with("topic", &f.topic)
                .with("partition", f.partition)),
        }
    }
}

fn headers(record: &ProducerRecord) -> OwnedHeaders {
    record
        .headers()
        .iter()
        .fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header {
                key,
                value: Some(value),
            })
        })
}
