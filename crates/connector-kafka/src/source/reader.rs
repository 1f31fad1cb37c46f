//! Reads the partitions of one instance. Flink's `KafkaSourceReader` and `KafkaPartitionSplitReader`.

use super::Settings;
use super::commits::OffsetCommits;
use super::consumer::Consumer;
use super::deserializer::KafkaRecordDeserializer;
use super::discovery::{Discovery, Instance};
use super::partition::{Partition, assign};
use super::split::KafkaPartitionSplit;
use crate::client::failed;
use millpond_api::{InputStatus, SourceOutput, SourceReader, SourceReaderContext};
use millpond_core::host::Clock;
use millpond_core::{Error, Result};
use rdkafka::consumer::Consumer as _;
use rdkafka::{Message, TopicPartitionList};
use std::sync::Arc;
use std::time::Duration;

/// How many records one poll emits at most, and how many in a row of one partition.
const RECORDS_PER_POLL: usize = 1000;
const RECORDS_PER_TURN: usize = 250;
/// How long the task sleeps when no partition has a record.
const EMPTY_WAIT_MS: i64 = 5;

/// The reader of [`super::KafkaSource`].
pub struct KafkaSourceReader<T> {
    settings: Arc<Settings>,
    deserializer: Arc<KafkaRecordDeserializer<T>>,
    consumer: Arc<Consumer>,
    partitions: Vec<Partition>,
    /// Which partition is next: each gets its turn.
    turn: usize,
    /// Partitions that the output hasn't heard of.
    unannounced: Vec<String>,
    discovery: Option<Discovery>,
    commits: Option<OffsetCommits>,
    clock: Arc<dyn Clock>,
    subtask_index: u32,
    parallelism: u32,
}

impl<T> KafkaSourceReader<T> {
    pub(super) fn new(
        settings: &Arc<Settings>,
        deserializer: Arc<KafkaRecordDeserializer<T>>,
        consumer: Arc<Consumer>,
        ctx: &SourceReaderContext,
    ) -> Result<Self> {
        Ok(KafkaSourceReader {
            settings: Arc::clone(settings),
            deserializer,
            partitions: Vec::new(),
            turn: 0,
            unannounced: Vec::new(),
            discovery: None,
            commits: settings
                .commit_on_checkpoint
                .then(|| OffsetCommits::start(&consumer, ctx.subtask_index))
                .transpose()?,
            consumer,
            clock: Arc::clone(&ctx.clock),
            subtask_index: ctx.subtask_index,
            parallelism: ctx.parallelism,
        })
    }

    fn assign(&mut self, splits: Vec<KafkaPartitionSplit>) -> Result<()> {
        let partitions = splits
            .into_iter()
            .map(|split| Partition::open(&self.consumer, split))
            .collect::<Result<Vec<_>>>()?;
        assign(&self.consumer, &partitions)?;
        self.unannounced.extend(partitions.iter().map(|p| p.id.clone()));
        self.partitions.extend(partitions);
        Ok(())
    }

    /// Serves the client's callbacks. Records come by the partitions' own queues.
    fn serve_client(&self) -> Result<()> {
        match self.consumer.poll(Duration::ZERO) {
            None => Ok(()),
            Some(Err(error)) => {
                tracing::debug!(%error, "Kafka's client reports a problem; partitions report what concerns them");
                Ok(())
            }
            // Going on would lose it.
            Some(Ok(message)) => Err(Error::illegal_state(
                "read from Kafka",
                "a record came by another queue than its partition's",
            )
            .with("topic", message.topic())
            .with("partition", message.partition())
            .with("offset", message.offset())
            .hint("nothing is lost: a restart reads it again")),
        }
    }

    fn take_discovered(&mut self) -> Result<()> {
        let new = self.discovery.as_ref().map(Discovery::take).unwrap_or_default();
        if new.is_empty() {
            return Ok(());
        }
        self.assign(new)
    }

    /// Partitions that are read to their end need no more records, and hold no watermark back.
    fn drop_finished(&mut self, out: &mut SourceOutput<'_, T>) -> Result<()> {
        if !self.partitions.iter().any(Partition::is_finished) {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        for done in self.partitions.extract_if(.., |p| p.is_finished()) {
            out.release_split(&done.id);
            list.add_partition(&done.split.topic, done.split.partition);
        }
        self.turn = 0;
        self.consumer
            .incremental_unassign(&list)
            .map_err(|e| failed("unassign partitions", e))
    }
}

impl<T: 'static> SourceReader for KafkaSourceReader<T> {
    type Out = T;
    type Split = KafkaPartitionSplit;

    fn add_splits(&mut self, splits: Vec<KafkaPartitionSplit>) -> Result<()> {
        if let Some(interval) = self.settings.discovery_interval {
            let instance = Instance {
                subtask_index: self.subtask_index,
                parallelism: self.parallelism,
                known: splits.iter().map(|s| (s.topic.clone(), s.partition)).collect(),
            };
            self.discovery = Some(Discovery::start(
                &self.settings,
                &self.consumer,
                interval,
                instance,
            )?);
        }
        let unfinished = splits.into_iter().filter(|s| !s.is_finished()).collect();
        self.assign(unfinished)
    }

    fn poll_next(&mut self, out: &mut SourceOutput<'_, T>) -> Result<InputStatus> {
        self.serve_client()?;
        self.take_discovered()?;
        for id in std::mem::take(&mut self.unannounced) {
            // From now on it holds the watermark back, also before its first record.
            out.select_split(&id);
        }
        let (mut records, mut more) = (0, false);
        for _ in 0..self.partitions.len() {
            self.turn = (self.turn + 1) % self.partitions.len();
            let Some(partition) = self.partitions.get_mut(self.turn) else {
                break;
            };
            let polled = partition.poll(RECORDS_PER_TURN, &self.deserializer, out)?;
            records += polled.records;
            more |= polled.more;
            if records >= RECORDS_PER_POLL {
                break;
            }
        }
        self.drop_finished(out)?;
        if self.partitions.is_empty() && self.settings.stopping.is_some() && self.discovery.is_none() {
            return Ok(InputStatus::EndOfInput);
        }
        Ok(if more || records > 0 {
            InputStatus::MoreAvailable
        } else {
            InputStatus::NothingAvailableUntil(self.clock.now_ms().saturating_add(EMPTY_WAIT_MS))
        })
    }

    fn snapshot_state(&mut self, checkpoint_id: u64) -> Result<Vec<KafkaPartitionSplit>> {
        if let Some(commits) = &mut self.commits {
            commits.note(checkpoint_id, self.partitions.iter().map(|p| &p.split));
        }
        Ok(self.partitions.iter().map(|p| p.split.clone()).collect())
    }

    fn notify_checkpoint_complete(&mut self, checkpoint_id: u64) -> Result<()> {
        if let Some(commits) = &mut self.commits {
            commits.complete(checkpoint_id);
        }
        Ok(())
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let (succeeded, failed) = self.commits.as_ref().map_or((0, 0), OffsetCommits::counts);
        vec![("commitsSucceeded", succeeded), ("commitsFailed", failed)]
    }
}
