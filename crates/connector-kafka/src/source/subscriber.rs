//! Which partitions there are. Flink's `KafkaSubscriber`.

use super::consumer::{ANSWER_TIMEOUT, Consumer};
use crate::client::failed;
use millpond_core::{Error, ErrorKind, Result};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataTopic;
use regex_lite::Regex;

/// A topic and the number of a partition.
pub(super) type TopicPartition = (String, i32);

/// What a source reads.
#[derive(Clone, Debug)]
pub(super) enum Subscription {
    /// All partitions of these topics.
    Topics(Vec<String>),
    /// All partitions of the topics whose whole name matches.
    Pattern(Regex),
    /// These partitions, and no others.
    Partitions(Vec<TopicPartition>),
}

impl Subscription {
    /// The partitions that there are now, in the order of topic and number.
    ///
    /// # Errors
    /// NotFound naming a topic or partition that doesn't exist; Io when no broker answers.
    pub(super) fn partitions(&self, consumer: &Consumer) -> Result<Vec<TopicPartition>> {
        let mut found = match self {
            Subscription::Topics(topics) => {
                let mut found = Vec::new();
                for topic in topics {
                    found.extend(partitions_of(consumer, topic)?);
                }
                found
            }
            Subscription::Pattern(pattern) => {
                let metadata = consumer
                    .fetch_metadata(None, ANSWER_TIMEOUT)
                    .map_err(|e| failed("list topics", e))?;
                let matching = |topic: &&MetadataTopic| {
                    topic.error().is_none()
                        && pattern
                            .find(topic.name())
                            .is_some_and(|m| m.len() == topic.name().len())
                };
                metadata
                    .topics()
                    .iter()
                    .filter(matching)
                    .flat_map(numbered)
                    .collect()
            }
            Subscription::Partitions(wanted) => {
                for (topic, partition) in wanted {
                    if !partitions_of(consumer, topic)?
                        .iter()
                        .any(|(_, p)| p == partition)
                    {
                        return Err(Error::new(
                            ErrorKind::NotFound,
                            "look up partitions",
                            "no such partition",
                        )
                        .with("topic", topic)
                        .with("partition", partition));
                    }
                }
                wanted.clone()
            }
        };
        found.sort();
        found.dedup();
        if found.is_empty() {
            return Err(
                Error::new(ErrorKind::NotFound, "look up partitions", "no topic matches")
                    .with("subscription", format!("{self:?}"))
                    .hint("create a topic, or correct the pattern"),
            );
        }
        Ok(found)
    }
}

fn partitions_of(consumer: &Consumer, topic: &str) -> Result<Vec<TopicPartition>> {
    let named = |e| failed("look up partitions", e).with("topic", topic);
    let metadata = consumer
        .fetch_metadata(Some(topic), ANSWER_TIMEOUT)
        .map_err(named)?;
    let Some(found) = metadata.topics().first() else {
        return Err(
            Error::new(ErrorKind::NotFound, "look up partitions", "no such topic").with("topic", topic),
        );
    };
    match found.error() {
        Some(error) => Err(named(KafkaError::MetadataFetch(error.into()))),
        None => Ok(numbered(found)),
    }
}

fn numbered(topic: &MetadataTopic) -> Vec<TopicPartition> {
    let number = |p: &rdkafka::metadata::MetadataPartition| (topic.name().to_string(), p.id());
    topic.partitions().iter().map(number).collect()
}
