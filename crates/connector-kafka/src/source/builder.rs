//! How a source is set up. Flink's `KafkaSourceBuilder`.

use super::consumer::OWN_OPTIONS;
use super::subscriber::Subscription;
use super::{KafkaRecordDeserializer, KafkaSource, OffsetsInitializer, Settings};
use crate::properties::Properties;
use millpond_api::Boundedness;
use millpond_core::{Error, Result};
use regex_lite::Regex;
use std::sync::Arc;
use std::time::Duration;

/// Flink's `KafkaSourceOptions.PARTITION_DISCOVERY_INTERVAL_MS`: five minutes.
const DISCOVERY_INTERVAL_MS: i64 = 300_000;
/// librdkafka wants a group to assign partitions; without commits the brokers never hear of it.
const NO_GROUP: &str = "millpond";

/// Sets up a [`KafkaSource`].
pub struct KafkaSourceBuilder<T = ()> {
    properties: Properties,
    subscription: Option<Result<Subscription>>,
    starting: OffsetsInitializer,
    stopping: Option<OffsetsInitializer>,
    boundedness: Boundedness,
    deserializer: Option<KafkaRecordDeserializer<T>>,
}

impl KafkaSource<()> {
    /// A source to be set up: brokers, what to read, and a deserializer are needed.
    pub fn builder() -> KafkaSourceBuilder<()> {
        KafkaSourceBuilder {
            properties: Properties::default(),
            subscription: None,
            starting: OffsetsInitializer::earliest(),
            stopping: None,
            boundedness: Boundedness::ContinuousUnbounded,
            deserializer: None,
        }
    }
}

impl KafkaSourceBuilder<()> {
    /// What a Kafka record becomes.
    pub fn deserializer<T>(self, deserializer: KafkaRecordDeserializer<T>) -> KafkaSourceBuilder<T> {
        KafkaSourceBuilder {
            properties: self.properties,
            subscription: self.subscription,
            starting: self.starting,
            stopping: self.stopping,
            boundedness: self.boundedness,
            deserializer: Some(deserializer),
        }
    }
}

impl<T> KafkaSourceBuilder<T> {
    /// Brokers to begin with, as `host:port`, with commas between them.
    #[must_use]
    pub fn bootstrap_servers(self, servers: impl Into<String>) -> Self {
        self.property("bootstrap.servers", servers)
    }

    /// The group that offsets are committed to when a checkpoint completes. Without one they are committed nowhere.
    #[must_use]
    pub fn group_id(self, group_id: impl Into<String>) -> Self {
        self.property("group.id", group_id)
    }

    /// An option of the consumer by its name in librdkafka, which is Kafka's wherever both have it. Besides, as in Flink:
    /// `partition.discovery.interval.ms` (300000; 0 or less: never) and `commit.offsets.on.checkpoint` (true).
    /// `isolation.level` is `read_uncommitted` unless set, as for Java's clients.
    #[must_use]
    pub fn property(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.set(key, value);
        self
    }

    /// Reads all partitions of these topics.
    #[must_use]
    pub fn topics<S: Into<String>>(mut self, topics: impl IntoIterator<Item = S>) -> Self {
        self.subscription = Some(Ok(Subscription::Topics(
            topics.into_iter().map(Into::into).collect(),
        )));
        self
    }

    /// Reads all partitions of the topics whose whole name matches, also of those that are made later.
    #[must_use]
    pub fn topic_pattern(mut self, pattern: &str) -> Self {
        self.subscription = Some(Regex::new(pattern).map(Subscription::Pattern).map_err(|e| {
            Error::config("build Kafka source", "not a regular expression")
                .with("pattern", pattern)
                .source(e)
        }));
        self
    }

    /// Reads these partitions, and no others.
    #[must_use]
    pub fn partitions<S: Into<String>>(mut self, partitions: impl IntoIterator<Item = (S, i32)>) -> Self {
        let wanted = partitions.into_iter().map(|(topic, p)| (topic.into(), p));
        self.subscription = Some(Ok(Subscription::Partitions(wanted.collect())));
        self
    }

    /// Where a job without a snapshot begins. Default: the earliest record.
    #[must_use]
    pub fn starting_offsets(mut self, offsets: OffsetsInitializer) -> Self {
        self.starting = offsets;
        self
    }

    /// Ends before these offsets, as they are when the job begins without a snapshot.
    #[must_use]
    pub fn bounded(mut self, offsets: OffsetsInitializer) -> Self {
        self.boundedness = Boundedness::Bounded;
        self.stopping = Some(offsets);
        self
    }

    /// Ends before these offsets, but counts as a source that goes on.
    #[must_use]
    pub fn unbounded(mut self, offsets: OffsetsInitializer) -> Self {
        self.boundedness = Boundedness::ContinuousUnbounded;
        self.stopping = Some(offsets);
        self
    }

    /// The source.
    ///
    /// # Errors
    /// Config naming what is missing or what librdkafka doesn't know.
    pub fn build(mut self) -> Result<KafkaSource<T>> {
        let wrong = |message: &'static str| Error::config("build Kafka source", message);
        let deserializer = self
            .deserializer
            .ok_or_else(|| wrong("no deserializer").hint("call `deserializer`"))?;
        let subscription = self.subscription.ok_or_else(|| {
            wrong("nothing to read").hint("call `topics`, `topic_pattern` or `partitions`")
        })??;
        let properties = &mut self.properties;
        let has_group = properties.get("group.id").is_some();
        let asks_group = self.starting.needs_group()
            || self
                .stopping
                .as_ref()
                .is_some_and(OffsetsInitializer::needs_group);
        if asks_group && !has_group {
            return Err(wrong("committed offsets are a group's").hint("call `group_id`"));
        }
        let commit_on_checkpoint = properties.flag("commit.offsets.on.checkpoint", true)? && has_group;
        let interval_ms = properties.number("partition.discovery.interval.ms", DISCOVERY_INTERVAL_MS)?;
        properties.set_default("group.id", NO_GROUP);
        properties.set_default("enable.auto.commit", "false");
        properties.set_default("auto.offset.reset", "error");
        properties.set_default("isolation.level", "read_uncommitted");
        properties.client_config(&OWN_OPTIONS)?;
        let discovery_interval = u64::try_from(interval_ms)
            .ok()
            .filter(|ms| *ms > 0 && self.stopping.is_none())
            .map(Duration::from_millis);
        Ok(KafkaSource {
            settings: Arc::new(Settings {
                properties: self.properties,
                subscription,
                starting: self.starting,
                stopping: self.stopping,
                boundedness: self.boundedness,
                discovery_interval,
                commit_on_checkpoint,
            }),
            deserializer: Arc::new(deserializer),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::OffsetResetStrategy;
    use millpond_core::ErrorKind;

    fn builder() -> KafkaSourceBuilder<()> {
        KafkaSource::builder()
            .deserializer(KafkaRecordDeserializer::value_only(|_| Ok(())))
            .bootstrap_servers("localhost:9092")
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let committed = OffsetsInitializer::committed_offsets(OffsetResetStrategy::None);
        for (wrong, part) in [
            (builder(), "topic_pattern"),
            (builder().topics(["t"]).bootstrap_servers(""), "bootstrap.servers"),
            (builder().topic_pattern("("), "pattern=("),
            (builder().topics(["t"]).starting_offsets(committed), "group_id"),
            (
                builder().topics(["t"]).property("auto.commit.interval", "1"),
                "auto.commit.interval",
            ),
            (
                builder()
                    .topics(["t"])
                    .property("partition.discovery.interval.ms", "often"),
                "value=often",
            ),
        ] {
            let e = wrong.build().err().unwrap();
            assert_eq!(e.kind(), ErrorKind::Config, "{e}");
            assert!(e.to_string().contains(part), "{e}");
        }
        assert!(builder().topics(["t"]).build().is_ok());
    }
}
