//! Offsets given back to the group when their checkpoint is complete: for people and tools that watch how far a job is.
//!
//! On a thread of its own: the client tells only who waits for it whether a commit succeeded, and nobody else should wait.

use super::consumer::Consumer;
use super::split::KafkaPartitionSplit;
use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// The offsets of checkpoints under way. A failure to commit is noted and harms nothing.
pub(super) struct OffsetCommits {
    by_checkpoint: BTreeMap<u64, Offsets>,
    complete: Sender<Offsets>,
    counts: Arc<Counts>,
}

type Offsets = Vec<(String, i32, i64)>;

#[derive(Default)]
struct Counts {
    succeeded: AtomicU64,
    failed: AtomicU64,
}

impl OffsetCommits {
    pub(super) fn start(consumer: &Arc<Consumer>, subtask_index: u32) -> millpond_core::Result<Self> {
        let (complete, completed) = channel();
        let counts = Arc::new(Counts::default());
        let (consumer, shared) = (Arc::clone(consumer), Arc::clone(&counts));
        millpond_core::host::spawn(format!("kafka-commits-{subtask_index}"), move || {
            commit_all(&consumer, &completed, &shared);
        })?;
        Ok(OffsetCommits {
            by_checkpoint: BTreeMap::new(),
            complete,
            counts,
        })
    }

    /// A checkpoint holds these splits.
    pub(super) fn note<'a>(
        &mut self,
        checkpoint_id: u64,
        splits: impl Iterator<Item = &'a KafkaPartitionSplit>,
    ) {
        let offsets = splits.map(|s| (s.topic.clone(), s.partition, s.starting_offset));
        self.by_checkpoint.insert(checkpoint_id, offsets.collect());
    }

    /// Has committed what a completed checkpoint holds, and forgets what came before it.
    pub(super) fn complete(&mut self, checkpoint_id: u64) {
        let offsets = self.by_checkpoint.remove(&checkpoint_id);
        self.by_checkpoint = self.by_checkpoint.split_off(&checkpoint_id);
        if let Some(offsets) = offsets.filter(|o| !o.is_empty()) {
            // The thread ends with this value's end only.
            drop(self.complete.send(offsets));
        }
    }

    /// How many commits succeeded, and how many failed.
    pub(super) fn counts(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.counts.succeeded), read(&self.counts.failed))
    }
}

fn commit_all(consumer: &Consumer, completed: &Receiver<Offsets>, counts: &Counts) {
    while let Ok(mut offsets) = completed.recv() {
        // While a broker was away, newer checkpoints have completed.
        while let Ok(newer) = completed.try_recv() {
            offsets = newer;
        }
        match commit(consumer, &offsets) {
            Ok(()) => counts.succeeded.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                tracing::warn!(%error, "offsets could not be committed to the group; the next checkpoint tries again");
                counts.failed.fetch_add(1, Ordering::Relaxed)
            }
        };
    }
}

fn commit(consumer: &Consumer, offsets: &Offsets) -> KafkaResult<()> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (topic, partition, offset) in offsets {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
    }
    consumer.commit(&list, CommitMode::Sync)
}
