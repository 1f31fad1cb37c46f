//! The sink: records into topics, with the guarantee that was asked for. Flink's `KafkaSink`.
//!
//! | part | what it does |
//! |---|---|
//! | `serializer` | what a record becomes in Kafka |
//! | `producer` | librdkafka's producer, with what it could not deliver |
//! | `names` | transactional ids |
//! | `transactional` | the first phase of exactly once |
//! | `committer` | the second |
//! | `writer` | the writer of one instance, whatever the guarantee |

mod builder;
mod committer;
mod names;
mod producer;
mod serializer;
mod transactional;
mod writer;

pub use builder::KafkaSinkBuilder;
pub use committer::KafkaCommittable;
pub use serializer::{KafkaRecordSerializer, Partitioner, ProducerRecord};
pub use writer::KafkaWriter;

use crate::properties::Properties;
use crate::wire::Transactions;
use committer::KafkaCommitter;
use millpond_api::sink::{Committer, CommitterInitContext};
use millpond_api::{Data, Sink, WriterInitContext};
use millpond_core::Result;
use std::sync::Arc;

/// How often a record gets to Kafka. Flink's `DeliveryGuarantee`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryGuarantee {
    /// Records may be lost or come twice when something fails: nothing waits for Kafka at a checkpoint.
    #[default]
    None,
    /// None is lost: a checkpoint waits until Kafka has all records before it. After a failure some come twice.
    AtLeastOnce,
    /// Each exactly once, for consumers with `isolation.level=read_committed`: they see records when their checkpoint is
    /// complete.
    ExactlyOnce,
}

/// Writes records to Kafka. Made by [`KafkaSink::builder`].
pub struct KafkaSink<T> {
    properties: Arc<Properties>,
    serializer: Arc<KafkaRecordSerializer<T>>,
    guarantee: DeliveryGuarantee,
    transactional_id_prefix: String,
    ignore_failures_after_transaction_timeout: bool,
}

impl<T: Data> Sink for KafkaSink<T> {
    type In = T;
    type Writer = KafkaWriter<T>;

    fn create_writer(&self, ctx: &mut WriterInitContext<'_>) -> Result<KafkaWriter<T>> {
        KafkaWriter::create(self, ctx)
    }

    fn create_committer(
        &self,
        _ctx: &CommitterInitContext<'_>,
    ) -> Result<Option<Box<dyn Committer<KafkaCommittable>>>> {
        if self.guarantee != DeliveryGuarantee::ExactlyOnce {
            return Ok(None);
        }
        Ok(Some(Box::new(KafkaCommitter {
            transactions: Transactions::new(&self.properties)?,
            ignore_failures: self.ignore_failures_after_transaction_timeout,
        })))
    }
}
