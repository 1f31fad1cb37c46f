//! The source: partitions, whose offsets are state. Flink's `KafkaSource`.
//!
//! | part | what it does |
//! |---|---|
//! | `builder` | how it is set up |
//! | `subscriber` | which partitions there are |
//! | `offsets` | where they begin and end |
//! | `split` | a partition with its offsets, as it is stored, and who reads it |
//! | `deserializer` | what a Kafka record becomes |
//! | `reader` | reading the partitions of one instance |
//! | `partition` | one partition that is read |
//! | `discovery` | partitions found at run time |
//! | `commits` | offsets that are given back to the group |

mod builder;
mod commits;
mod consumer;
mod deserializer;
mod discovery;
mod offsets;
mod partition;
mod reader;
mod split;
mod subscriber;

pub use builder::KafkaSourceBuilder;
pub use deserializer::{ConsumerRecord, KafkaRecordDeserializer};
pub use offsets::{OffsetResetStrategy, OffsetsInitializer};
pub use reader::KafkaSourceReader;
pub use split::KafkaPartitionSplit;

use crate::properties::Properties;
use consumer::{BOUNDED, UNBOUNDED, consumer};
use millpond_api::source::SplitAssignment;
use millpond_api::{Boundedness, Data, Source, SourceReaderContext};
use millpond_core::Result;
use std::sync::Arc;
use std::time::Duration;
use subscriber::Subscription;

/// Reads Kafka topics. Made by [`KafkaSource::builder`].
pub struct KafkaSource<T> {
    settings: Arc<Settings>,
    deserializer: Arc<KafkaRecordDeserializer<T>>,
}

/// What all parts go by.
struct Settings {
    properties: Properties,
    subscription: Subscription,
    starting: OffsetsInitializer,
    stopping: Option<OffsetsInitializer>,
    boundedness: Boundedness,
    discovery_interval: Option<Duration>,
    commit_on_checkpoint: bool,
}

impl<T: Data> Source for KafkaSource<T> {
    type Out = T;
    type Split = KafkaPartitionSplit;
    type Reader = KafkaSourceReader<T>;

    fn boundedness(&self) -> Boundedness {
        self.settings.boundedness
    }

    fn split_assignment(&self) -> SplitAssignment<KafkaPartitionSplit> {
        SplitAssignment::ByOwner(KafkaPartitionSplit::owner)
    }

    fn create_splits(&self, _parallelism: u32) -> Result<Vec<KafkaPartitionSplit>> {
        let settings = &*self.settings;
        let consumer = consumer(&settings.properties, UNBOUNDED)?;
        let partitions = settings.subscription.partitions(&consumer)?;
        let starts = settings.starting.resolve(&consumer, &partitions)?;
        let stops = match &settings.stopping {
            Some(stopping) => stopping.resolve_within_ends(&consumer, &partitions)?,
            None => vec![KafkaPartitionSplit::NO_STOPPING_OFFSET; partitions.len()],
        };
        let offsets = starts.into_iter().zip(stops);
        Ok(partitions
            .into_iter()
            .zip(offsets)
            .map(
                |((topic, partition), (starting_offset, stopping_offset))| KafkaPartitionSplit {
                    topic,
                    partition,
                    starting_offset,
                    stopping_offset,
                },
            )
            .collect())
    }

    fn create_reader(&self, ctx: &SourceReaderContext) -> Result<KafkaSourceReader<T>> {
        let mode = if self.settings.stopping.is_some() {
            BOUNDED
        } else {
            UNBOUNDED
        };
        let consumer = consumer(&self.settings.properties, mode)?;
        KafkaSourceReader::new(&self.settings, Arc::clone(&self.deserializer), consumer, ctx)
    }
}
