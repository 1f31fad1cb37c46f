//! What a Kafka record becomes. Flink's `KafkaRecordDeserializationSchema`.

use millpond_core::{Error, ErrorKind, Result};
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};

type Deserialize<T> = Box<dyn Fn(&ConsumerRecord<'_>, &mut dyn FnMut(T)) -> Result<()> + Send + Sync>;

/// A record as Kafka holds it. Kafka's `ConsumerRecord`.
#[derive(Clone, Copy)]
pub struct ConsumerRecord<'a> {
    message: &'a BorrowedMessage<'a>,
}

impl<'a> ConsumerRecord<'a> {
    pub(super) fn new(message: &'a BorrowedMessage<'a>) -> Self {
        ConsumerRecord { message }
    }
    /// Its topic.
    pub fn topic(&self) -> &'a str {
        self.message.topic()
    }
    /// Its partition.
    pub fn partition(&self) -> i32 {
        self.message.partition()
    }
    /// Its offset.
    pub fn offset(&self) -> i64 {
        self.message.offset()
    }
    /// Its timestamp in milliseconds since the epoch, whichever the topic keeps.
    pub fn timestamp(&self) -> Option<i64> {
        self.message.timestamp().to_millis()
    }
    /// Its key.
    pub fn key(&self) -> Option<&'a [u8]> {
        self.message.key()
    }
    /// Its value; `None` for a tombstone.
    pub fn value(&self) -> Option<&'a [u8]> {
        self.message.payload()
    }
    /// Its headers, in their order.
    pub fn headers(&self) -> Vec<(&'a str, Option<&'a [u8]>)> {
        let headers = self.message.headers();
        headers
            .iter()
            .flat_map(|h| h.iter())
            .map(|h| (h.key, h.value))
            .collect()
    }
}

/// Makes none, one or several `T` of a Kafka record. The timestamp that they go on with is Kafka's.
///
/// ```
/// use millpond_connector_kafka::KafkaRecordDeserializer;
/// let keyed = KafkaRecordDeserializer::new(|record, out| {
///     // Tombstones are passed over.
///     if let Some(value) = record.value() {
///         out((record.key().unwrap_or_default().to_vec(), value.to_vec()));
///     }
///     Ok(())
/// });
/// # let _: KafkaRecordDeserializer<(Vec<u8>, Vec<u8>)> = keyed;
/// ```
pub struct KafkaRecordDeserializer<T> {
    deserialize: Deserialize<T>,
}

impl<T> KafkaRecordDeserializer<T> {
    /// From the whole record.
    pub fn new(
        deserialize: impl Fn(&ConsumerRecord<'_>, &mut dyn FnMut(T)) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        KafkaRecordDeserializer {
            deserialize: Box::new(deserialize),
        }
    }

    /// From the value alone. A record without one is an error.
    pub fn value_only(deserialize: impl Fn(&[u8]) -> Result<T> + Send + Sync + 'static) -> Self {
        Self::new(move |record, out| {
            let value = record
                .value()
                .ok_or_else(|| Error::new(ErrorKind::BadRecord, "read record", "it has no value"))?;
            out(deserialize(value)?);
            Ok(())
        })
    }

    /// What a record becomes goes to `out`.
    pub(super) fn deserialize(&self, record: &ConsumerRecord<'_>, out: &mut dyn FnMut(T)) -> Result<()> {
        (self.deserialize)(record, out).map_err(|e| {
            e.with("topic", record.topic())
                .with("partition", record.partition())
                .with("offset", record.offset())
        })
    }
}
