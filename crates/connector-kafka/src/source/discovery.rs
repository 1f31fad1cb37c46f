//! Partitions found at run time: asked for on a thread of its own, since a broker may take long to answer.

use super::Settings;
use super::consumer::Consumer;
use super::offsets::earliest;
use super::split::{KafkaPartitionSplit, owner};
use super::subscriber::TopicPartition;
use millpond_core::Result;
use millpond_core::host::spawn;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Looks for new partitions of one instance until it is dropped.
pub(super) struct Discovery {
    found: Receiver<KafkaPartitionSplit>,
    /// Ends the thread by its end.
    _running: Sender<()>,
}

/// What is new to whom.
pub(super) struct Instance {
    pub(super) subtask_index: u32,
    pub(super) parallelism: u32,
    pub(super) known: BTreeSet<TopicPartition>,
}

impl Discovery {
    pub(super) fn start(
        settings: &Arc<Settings>,
        consumer: &Arc<Consumer>,
        interval: Duration,
        mut instance: Instance,
    ) -> Result<Self> {
        let (splits, found) = channel();
        let (running, ended) = channel::<()>();
        let (settings, consumer) = (Arc::clone(settings), Arc::clone(consumer));
        spawn(format!("kafka-discovery-{}", instance.subtask_index), move || {
            while ended.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                match look(&settings, &consumer, &mut instance) {
                    Ok(new) => new.into_iter().for_each(|split| drop(splits.send(split))),
                    Err(e) => {
                        tracing::warn!(error = %e.report(), "can't look for new partitions; trying again later");
                    }
                }
            }
        })?;
        Ok(Discovery {
            found,
            _running: running,
        })
    }

    /// What was found since the last call.
    pub(super) fn take(&self) -> Vec<KafkaPartitionSplit> {
        self.found.try_iter().collect()
    }
}

/// A new partition starts at its beginning: all of it came after the job began to read its topic.
fn look(
    settings: &Settings,
    consumer: &Consumer,
    instance: &mut Instance,
) -> Result<Vec<KafkaPartitionSplit>> {
    let mut new = Vec::new();
    for partition in settings.subscription.partitions(consumer)? {
        let (topic, number) = &partition;
        let is_own = owner(topic, *number, instance.parallelism) == instance.subtask_index;
        if !is_own || instance.known.contains(&partition) {
            continue;
        }
        let split = KafkaPartitionSplit {
            topic: topic.clone(),
            partition: *number,
            starting_offset: earliest(consumer, &partition)?,
            stopping_offset: KafkaPartitionSplit::NO_STOPPING_OFFSET,
        };
        tracing::info!(topic, partition = number, "found a new partition");
        new.push(split);
        instance.known.insert(partition);
    }
    Ok(new)
}
