//! What a record becomes in Kafka. Flink's `KafkaRecordSerializationSchema` and its builder.

use millpond_core::Result;

type OptionalBytes<T> = Box<dyn Fn(&T, &mut Vec<u8>) -> Result<bool> + Send + Sync>;
type TopicSelector<T> = Box<dyn Fn(&T) -> String + Send + Sync>;
type HeaderProvider<T> = Box<dyn Fn(&T) -> Vec<(String, Vec<u8>)> + Send + Sync>;
type TimestampProvider<T> = Box<dyn Fn(&T, Option<i64>) -> Option<i64> + Send + Sync>;

/// Chooses a partition: from the record, its key and value in bytes, the topic, and how many partitions that has. Flink's
/// `KafkaPartitioner`.
pub type Partitioner<T> = Box<dyn Fn(&T, Option<&[u8]>, Option<&[u8]>, &str, i32) -> i32 + Send + Sync>;

/// Makes a Kafka record of a `T`: topic and value, and if asked key, headers, partition and timestamp.
///
/// ```
/// use millpond_connector_kafka::KafkaRecordSerializer;
/// let by_user = KafkaRecordSerializer::topic("counts")
///     .value(|(_, n): &(String, i64), out| {
///         out.extend_from_slice(n.to_string().as_bytes());
///         Ok(())
///     })
///     .key(|(user, _), out| {
///         out.extend_from_slice(user.as_bytes());
///         Ok(())
///     });
/// ```
pub struct KafkaRecordSerializer<T> {
    topic: Topic<T>,
    value: OptionalBytes<T>,
    key: Option<OptionalBytes<T>>,
    headers: Option<HeaderProvider<T>>,
    timestamp: Option<TimestampProvider<T>>,
    pub(super) partitioner: Option<Partitioner<T>>,
}

enum Topic<T> {
    Fixed(String),
    Chosen(TopicSelector<T>),
}

/// The topic is known, the value not yet.
pub struct SerializerTopic<T>(Topic<T>);

impl<T: 'static> KafkaRecordSerializer<T> {
    /// Everything goes to one topic.
    pub fn topic(topic: impl Into<String>) -> SerializerTopic<T> {
        SerializerTopic(Topic::Fixed(topic.into()))
    }

    /// Each record goes to the topic that `select` names.
    pub fn topic_selector(select: impl Fn(&T) -> String + Send + Sync + 'static) -> SerializerTopic<T> {
        SerializerTopic(Topic::Chosen(Box::new(select)))
    }

    /// Appends the key's bytes.
    #[must_use]
    pub fn key(self, key: impl Fn(&T, &mut Vec<u8>) -> Result<()> + Send + Sync + 'static) -> Self {
        self.optional_key(move |value, out| key(value, out).map(|()| true))
    }

    /// Appends the key's bytes, or answers `false` for a record without a key.
    #[must_use]
    pub fn optional_key(
        mut self,
        key: impl Fn(&T, &mut Vec<u8>) -> Result<bool> + Send + Sync + 'static,
    ) -> Self {
        self.key = Some(Box::new(key));
        self
    }

    /// The record's headers.
    #[must_use]
    pub fn headers(mut self, headers: impl Fn(&T) -> Vec<(String, Vec<u8>)> + Send + Sync + 'static) -> Self {
        self.headers = Some(Box::new(headers));
        self
    }

    /// The record's timestamp in Kafka, from the record and its event time (milliseconds since the epoch). By default that is the
    /// event time; `None`, and what isn't after the epoch, leaves it to the producer's clock.
    #[must_use]
    pub fn timestamp(
        mut self,
        timestamp: impl Fn(&T, Option<i64>) -> Option<i64> + Send + Sync + 'static,
    ) -> Self {
        self.timestamp = Some(Box::new(timestamp));
        self
    }

    /// The record's partition. By default it follows from the key, as for Java's clients.
    #[must_use]
    pub fn partitioner(
        mut self,
        partitioner: impl Fn(&T, Option<&[u8]>, Option<&[u8]>, &str, i32) -> i32 + Send + Sync + 'static,
    ) -> Self {
        self.partitioner = Some(Box::new(partitioner));
        self
    }

    /// Makes the record in `out`, whose buffers are used again.
    ///
    /// # Errors
    /// What the functions fail with.
    pub fn serialize(&self, value: &T, event_time: Option<i64>, out: &mut ProducerRecord) -> Result<()> {
        match &self.topic {
            Topic::Fixed(topic) if *topic == out.topic => {}
            Topic::Fixed(topic) => out.topic.clone_from(topic),
            Topic::Chosen(select) => out.topic = select(value),
        }
        out.key.clear();
        out.value.clear();
        out.has_value = (self.value)(value, &mut out.value)?;
        out.has_key = match &self.key {
            Some(key) => key(value, &mut out.key)?,
            None => false,
        };
        out.headers = match &self.headers {
            Some(headers) => headers(value),
            None => Vec::new(),
        };
        out.timestamp = match &self.timestamp {
            Some(timestamp) => timestamp(value, event_time),
            None => event_time,
        };
        Ok(())
    }
}

impl<T: 'static> SerializerTopic<T> {
    /// Appends the value's bytes.
    pub fn value(
        self,
        value: impl Fn(&T, &mut Vec<u8>) -> Result<()> + Send + Sync + 'static,
    ) -> KafkaRecordSerializer<T> {
        self.optional_value(move |record, out| value(record, out).map(|()| true))
    }

    /// Appends the value's bytes, or answers `false` for a record without a value: a tombstone in a compacted topic.
    pub fn optional_value(
        self,
        value: impl Fn(&T, &mut Vec<u8>) -> Result<bool> + Send + Sync + 'static,
    ) -> KafkaRecordSerializer<T> {
        KafkaRecordSerializer {
            topic: self.0,
            value: Box::new(value),
            key: None,
            headers: None,
            timestamp: None,
            partitioner: None,
        }
    }
}

/// A record on its way to Kafka. Kafka's `ProducerRecord`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerRecord {
    pub(super) topic: String,
    pub(super) key: Vec<u8>,
    pub(super) has_key: bool,
    pub(super) value: Vec<u8>,
    pub(super) has_value: bool,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) timestamp: Option<i64>,
}

impl ProducerRecord {
    /// The topic that it goes to.
    pub fn topic(&self) -> &str {
        &self.topic
    }
    /// Its key.
    pub fn key(&self) -> Option<&[u8]> {
        self.has_key.then_some(self.key.as_slice())
    }
    /// Its value; `None` for a tombstone.
    pub fn value(&self) -> Option<&[u8]> {
        self.has_value.then_some(self.value.as_slice())
    }
    /// Its headers.
    pub fn headers(&self) -> &[(String, Vec<u8>)] {
        &self.headers
    }
    /// Its timestamp, if it isn't left to the producer.
    pub fn timestamp(&self) -> Option<i64> {
        self.timestamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a record takes nothing over from the one before it in the same buffers.
    #[test]
    fn buffers_are_used_again_and_hold_one_record() -> Result<()> {
        let bytes = |text: &Option<String>, out: &mut Vec<u8>| {
            out.extend_from_slice(text.as_deref().unwrap_or_default().as_bytes());
            Ok(text.is_some())
        };
        let serializer =
            KafkaRecordSerializer::topic_selector(|(k, _): &(Option<String>, Option<String>)| {
                format!("topic-{}", k.is_some())
            })
            .optional_value(move |(_, v), out| bytes(v, out))
            .optional_key(move |(k, _), out| bytes(k, out))
            .headers(|(k, _)| k.iter().map(|k| (k.clone(), vec![1])).collect())
            .timestamp(|_, event_time| event_time.map(|t| t + 1));
        let mut record = ProducerRecord::default();
        serializer.serialize(&(Some("key".into()), Some("value".into())), Some(6), &mut record)?;
        assert_eq!((record.topic(), record.timestamp()), ("topic-true", Some(7)));
        assert_eq!(
            (record.key(), record.value()),
            (Some(&b"key"[..]), Some(&b"value"[..]))
        );
        assert_eq!(record.headers(), [("key".to_string(), vec![1])]);
        serializer.serialize(&(None, Some(String::new())), None, &mut record)?;
        assert_eq!((record.topic(), record.timestamp()), ("topic-false", None));
        assert_eq!((record.key(), record.value()), (None, Some(&b""[..])));
        assert!(record.headers().is_empty());
        serializer.serialize(&(None, None), None, &mut record)?;
        assert_eq!(record.value(), None, "a tombstone");
        Ok(())
    }
}
