//! The writer of one instance.

use super::committer::KafkaCommittable;
use super::producer::Producer;
use super::serializer::{KafkaRecordSerializer, ProducerRecord};
use super::transactional::TransactionalProducers;
use super::{DeliveryGuarantee, KafkaSink};
use millpond_api::{NO_TIMESTAMP, SinkContext, SinkWriter, WriterInitContext};
use millpond_core::Result;
use std::sync::Arc;

/// Writes to Kafka. Made by [`KafkaSink`]. Flink's `KafkaWriter` and `ExactlyOnceKafkaWriter`.
pub struct KafkaWriter<T> {
    serializer: Arc<KafkaRecordSerializer<T>>,
    record: ProducerRecord,
    delivery: Delivery,
}

enum Delivery {
    /// Fire and forget, up to librdkafka's own retries.
    None(Producer),
    AtLeastOnce(Producer),
    ExactlyOnce(Box<TransactionalProducers>),
}

impl<T: 'static> KafkaWriter<T> {
    pub(super) fn create(sink: &KafkaSink<T>, ctx: &WriterInitContext<'_>) -> Result<Self> {
        let delivery = match sink.guarantee {
            DeliveryGuarantee::None => Delivery::None(Producer::new(&sink.properties, None)?),
            DeliveryGuarantee::AtLeastOnce => Delivery::AtLeastOnce(Producer::new(&sink.properties, None)?),
            DeliveryGuarantee::ExactlyOnce => Delivery::ExactlyOnce(Box::new(TransactionalProducers::open(
                &sink.properties,
                &sink.transactional_id_prefix,
                ctx,
            )?)),
        };
        Ok(KafkaWriter {
            serializer: Arc::clone(&sink.serializer),
            record: ProducerRecord::default(),
            delivery,
        })
    }
}

impl<T: 'static> SinkWriter for KafkaWriter<T> {
    type In = T;
    type Committable = KafkaCommittable;

    fn write(&mut self, value: T, ctx: &SinkContext) -> Result<()> {
        let event_time = (ctx.timestamp != NO_TIMESTAMP).then_some(ctx.timestamp);
        self.serializer.serialize(&value, event_time, &mut self.record)?;
        let producer = match &mut self.delivery {
            Delivery::None(producer) | Delivery::AtLeastOnce(producer) => producer,
            Delivery::ExactlyOnce(producers) => producers.current()?,
        };
        producer.send(&value, &self.record, self.serializer.partitioner.as_ref())
    }

    fn flush(&mut self, end_of_input: bool) -> Result<()> {
        match &mut self.delivery {
            // The process may end after the input does.
            Delivery::None(producer) if end_of_input => producer.flush(),
            Delivery::None(_) => Ok(()),
            Delivery::AtLeastOnce(producer) => producer.flush(),
            Delivery::ExactlyOnce(producers) => producers.flush(),
        }
    }

    fn prepare_commit(&mut self, _checkpoint_id: u64) -> Result<Vec<KafkaCommittable>> {
        match &mut self.delivery {
            Delivery::ExactlyOnce(producers) => Ok(producers.prepare_commit()?.into_iter().collect()),
            _ => Ok(Vec::new()),
        }
    }
}
