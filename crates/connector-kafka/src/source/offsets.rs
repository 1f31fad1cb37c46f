//! Where partitions begin and end. Flink's `OffsetsInitializer`. Everything becomes a number here, once.

use super::consumer::{ANSWER_TIMEOUT, Consumer};
use super::subscriber::TopicPartition;
use crate::client::failed;
use millpond_core::host::parallel;
use millpond_core::{Error, ErrorKind, Result};
use rdkafka::consumer::Consumer as _;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;

/// How many partitions are asked for at once.
const AT_ONCE: usize = 8;

/// What stands in for an offset that isn't there. Kafka's `OffsetResetStrategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetResetStrategy {
    /// The beginning of the partition.
    Earliest,
    /// Its end.
    Latest,
    /// Nothing: the job fails.
    None,
}

/// Where partitions begin, or end.
#[derive(Clone, Debug)]
pub struct OffsetsInitializer(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Earliest,
    Latest,
    Committed(OffsetResetStrategy),
    Timestamp(i64),
    Given(BTreeMap<TopicPartition, i64>, OffsetResetStrategy),
}

impl OffsetsInitializer {
    /// The oldest record that there is.
    pub fn earliest() -> Self {
        OffsetsInitializer(Kind::Earliest)
    }

    /// Behind the newest record; with `isolation.level=read_committed` behind the newest that is committed.
    pub fn latest() -> Self {
        OffsetsInitializer(Kind::Latest)
    }

    /// What the group committed last. `reset` says what holds for a partition that the group never committed.
    pub fn committed_offsets(reset: OffsetResetStrategy) -> Self {
        OffsetsInitializer(Kind::Committed(reset))
    }

    /// The first record at or after this time (milliseconds since the epoch), the end where there is none.
    pub fn timestamp(timestamp_ms: i64) -> Self {
        OffsetsInitializer(Kind::Timestamp(timestamp_ms))
    }

    /// Offsets by topic and partition. `reset` says what holds for the others.
    pub fn offsets(
        offsets: impl IntoIterator<Item = ((String, i32), i64)>,
        reset: OffsetResetStrategy,
    ) -> Self {
        OffsetsInitializer(Kind::Given(offsets.into_iter().collect(), reset))
    }

    /// Whether it asks what a group committed.
    pub(super) fn needs_group(&self) -> bool {
        matches!(self.0, Kind::Committed(_))
    }

    /// The offset of each partition.
    pub(super) fn resolve(&self, consumer: &Consumer, partitions: &[TopicPartition]) -> Result<Vec<i64>> {
        let known = match &self.0 {
            Kind::Earliest => return ends(consumer, partitions, OffsetResetStrategy::Earliest),
            Kind::Latest => return ends(consumer, partitions, OffsetResetStrategy::Latest),
            Kind::Committed(_) => {
                let asked = listed(partitions, Offset::Invalid)?;
                consumer
                    .committed_offsets(asked, ANSWER_TIMEOUT)
                    .map_err(|e| failed("look up committed offsets", e))
                    .map(known_offsets)?
            }
            Kind::Timestamp(ms) => {
                let asked = listed(partitions, Offset::Offset(*ms))?;
                consumer
                    .offsets_for_times(asked, ANSWER_TIMEOUT)
                    .map_err(|e| failed("look up offsets by time", e).with("timestamp", ms))
                    .map(known_offsets)?
            }
            Kind::Given(offsets, _) => offsets.clone(),
        };
        let missing: Vec<TopicPartition> = partitions
            .iter()
            .filter(|p| !known.contains_key(*p))
            .cloned()
            .collect();
        let reset = match &self.0 {
            Kind::Committed(reset) | Kind::Given(_, reset) => *reset,
            _ => OffsetResetStrategy::Latest,
        };
        let reset: BTreeMap<TopicPartition, i64> = missing
            .iter()
            .cloned()
            .zip(ends(consumer, &missing, reset)?)
            .collect();
        Ok(partitions
            .iter()
            .filter_map(|p| known.get(p).or_else(|| reset.get(p)).copied())
            .collect())
    }
}

impl OffsetsInitializer {
    /// The same for where a source ends. Beyond the end of a partition nothing tells a record that is still to come from one that
    /// never will: so that is refused.
    pub(super) fn resolve_within_ends(
        &self,
        consumer: &Consumer,
        partitions: &[TopicPartition],
    ) -> Result<Vec<i64>> {
        let stops = self.resolve(consumer, partitions)?;
        let latest = ends(consumer, partitions, OffsetResetStrategy::Latest)?;
        for (((topic, partition), stop), end) in partitions.iter().zip(&stops).zip(&latest) {
            if stop > end {
                return Err(Error::config(
                    "look up stopping offset",
                    "it lies beyond the end of the partition",
                )
                .with("topic", topic)
                .with("partition", partition)
                .with("offset", stop)
                .with("end", end));
            }
        }
        Ok(stops)
    }
}

/// Beginnings or ends.
fn ends(consumer: &Consumer, partitions: &[TopicPartition], which: OffsetResetStrategy) -> Result<Vec<i64>> {
    parallel(AT_ONCE, partitions.to_vec(), |(topic, partition)| {
        let named = |e: Error| e.with("topic", &topic).with("partition", partition);
        if which == OffsetResetStrategy::None {
            return Err(named(
                Error::new(
                    ErrorKind::NotFound,
                    "look up starting offset",
                    "there is none for the partition",
                )
                .hint("let the group commit one, or choose another OffsetResetStrategy"),
            ));
        }
        let (low, high) = consumer
            .fetch_watermarks(&topic, partition, ANSWER_TIMEOUT)
            .map_err(|e| named(failed("look up offsets", e)))?;
        Ok(if which == OffsetResetStrategy::Earliest {
            low
        } else {
            high
        })
    })
}

/// The beginning of one partition.
pub(super) fn earliest(consumer: &Consumer, partition: &TopicPartition) -> Result<i64> {
    let found = ends(
        consumer,
        std::slice::from_ref(partition),
        OffsetResetStrategy::Earliest,
    )?;
    Ok(found.first().copied().unwrap_or(0))
}

fn listed(partitions: &[TopicPartition], offset: Offset) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition_offset(topic, *partition, offset)
            .map_err(|e| failed("look up offsets", e).with("topic", topic))?;
    }
    Ok(list)
}

fn known_offsets(list: TopicPartitionList) -> BTreeMap<TopicPartition, i64> {
    let known = list.elements().into_iter().filter_map(|e| match e.offset() {
        Offset::Offset(offset) if offset >= 0 => Some(((e.topic().to_string(), e.partition()), offset)),
        _ => None,
    });
    known.collect()
}
