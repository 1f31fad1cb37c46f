//! One partition that is read: its queue, its position, its end.

#[cfg(test)]
mod tests;

use super::consumer::{Consumer, Notes};
use super::deserializer::{ConsumerRecord, KafkaRecordDeserializer};
use super::split::KafkaPartitionSplit;
use crate::client::failed;
use millpond_api::{SourceOutput, SourceSplit};
use millpond_core::{Error, ErrorKind, Result};
use rdkafka::consumer::Consumer as _;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset, TopicPartitionList};
use std::sync::Arc;
use std::time::Duration;

/// A partition of this instance.
pub(super) struct Partition {
    pub(super) split: KafkaPartitionSplit,
    pub(super) id: String,
    /// Its records, apart from those of other partitions.
    queue: PartitionQueue<Notes>,
    finished: bool,
}

/// What one poll of a partition came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Polled {
    /// How many Kafka records were taken.
    pub(super) records: usize,
    /// More may be there at once.
    pub(super) more: bool,
}

/// Begins to fetch what is in partitions, each from its offset on.
///
/// They have their queues by then: a record that is fetched for a partition without one goes to the consumer's own queue, and the
/// records after it don't show that it is missing.
pub(super) fn assign(consumer: &Consumer, partitions: &[Partition]) -> Result<()> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for Partition { split, .. } in partitions {
        let offset = Offset::Offset(split.starting_offset);
        list.add_partition_offset(&split.topic, split.partition, offset)
            .map_err(|e| failed("assign partitions", e).with("topic", &split.topic))?;
    }
    consumer
        .incremental_assign(&list)
        .map_err(|e| failed("assign partitions", e))
}

impl Partition {
    /// A partition with its queue; [`assign`] lets records come.
    pub(super) fn open(consumer: &Arc<Consumer>, split: KafkaPartitionSplit) -> Result<Self> {
        let queue = consumer
            .split_partition_queue(&split.topic, split.partition)
            .ok_or_else(|| {
                Error::illegal_state("read partition", "Kafka's client has no queue for it")
                    .with("topic", &split.topic)
                    .with("partition", split.partition)
            })?;
        Ok(Partition {
            id: split.split_id(),
            finished: split.is_finished(),
            split,
            queue,
        })
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Emits up to `records_max` records.
    pub(super) fn poll<T>(
        &mut self,
        records_max: usize,
        deserializer: &KafkaRecordDeserializer<T>,
        out: &mut SourceOutput<'_, T>,
    ) -> Result<Polled> {
        let mut polled = Polled::default();
        while !self.finished && polled.records < records_max {
            match self.queue.poll(Duration::ZERO) {
                None => return Ok(polled),
                Some(Ok(message)) => {
                    if polled.records == 0 {
                        out.select_split(&self.id);
                    }
                    polled.records += 1;
                    // The queue lends the message out: the split is ours to change.
                    let (split, finished) = (&mut self.split, &mut self.finished);
                    *finished = take(split, &message, deserializer, out)?;
                }
                // No record below the stopping offset is left: see `docs/kafka.md`, "Bounded".
                Some(Err(KafkaError::PartitionEOF(_))) => self.finished = self.split.is_bounded(),
                Some(Err(e)) => self.judge(e)?,
            }
        }
        polled.more = !self.finished;
        Ok(polled)
    }

    /// What doesn't pass by itself is an error.
    fn judge(&self, e: KafkaError) -> Result<()> {
        match e.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => Err(Error::new(
                ErrorKind::NotFound,
                "read partition",
                "the record to go on with is no longer there",
            )
            .with("topic", &self.split.topic)
            .with("partition", self.split.partition)
            .with("offset", self.split.starting_offset)
            .hint(
                "the topic's retention removed it, or the topic was made anew: start without this state, or set auto.offset.reset \
                 to skip what is gone",
            )
            .source(e)),
            Some(
                RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::TopicAuthorizationFailed,
            ) => Err(failed("read partition", e)
                .with("topic", &self.split.topic)
                .with("partition", self.split.partition)),
            _ => {
                tracing::warn!(error = %e, partition = self.id, "reading is held up; Kafka's client goes on trying");
                Ok(())
            }
        }
    }
}

/// Emits what the record becomes, and moves the split behind it. Answers whether that was its last one.
fn take<T>(
    split: &mut KafkaPartitionSplit,
    message: &BorrowedMessage<'_>,
    deserializer: &KafkaRecordDeserializer<T>,
    out: &mut SourceOutput<'_, T>,
) -> Result<bool> {
    let offset = message.offset();
    if split.is_bounded() && offset >= split.stopping_offset {
        return Ok(true);
    }
    let record = ConsumerRecord::new(message);
    let timestamp = record.timestamp();
    let mut emitted = Ok(());
    deserializer.deserialize(&record, &mut |value| {
        if emitted.is_ok() {
            emitted = match timestamp {
                Some(timestamp) => out.collect_with_timestamp(value, timestamp),
                None => out.collect(value),
            };
        }
    })?;
    emitted?;
    split.starting_offset = offset + 1;
    Ok(split.is_finished())
}

impl KafkaPartitionSplit {
    pub(super) fn is_bounded(&self) -> bool {
        self.stopping_offset != Self::NO_STOPPING_OFFSET
    }

    /// Nothing of it is left to read.
    pub(super) fn is_finished(&self) -> bool {
        self.is_bounded() && self.starting_offset >= self.stopping_offset
    }
}
