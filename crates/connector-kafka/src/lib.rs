//! Kafka as a source, and as a sink with exactly-once delivery. Flink's Kafka connector.
//!
//! [`KafkaSource`] reads partitions whose offsets are state. [`KafkaSink`] writes in transactions that are committed when a
//! checkpoint completes. `docs/kafka.md` has the protocol and why it is right.
//!
//! ```no_run
//! use millpond_connector_kafka::{
//!     DeliveryGuarantee, KafkaRecordDeserializer, KafkaRecordSerializer, KafkaSink, KafkaSource, OffsetsInitializer,
//! };
//! # fn main() -> millpond_core::Result<()> {
//! let source = KafkaSource::builder()
//!     .bootstrap_servers("localhost:9092")
//!     .topics(["orders"])
//!     .group_id("billing")
//!     .starting_offsets(OffsetsInitializer::earliest())
//!     .deserializer(KafkaRecordDeserializer::value_only(|bytes| {
//!         String::from_utf8(bytes.to_vec()).map_err(|e| millpond_core::Error::user(e.to_string()))
//!     }))
//!     .build()?;
//! let sink = KafkaSink::builder()
//!     .bootstrap_servers("localhost:9092")
//!     .serializer(KafkaRecordSerializer::topic("bills").value(|bill: &String, out| {
//!         out.extend_from_slice(bill.as_bytes());
//!         Ok(())
//!     }))
//!     .delivery_guarantee(DeliveryGuarantee::ExactlyOnce)
//!     .transactional_id_prefix("billing")
//!     .build()?;
//! # let _ = (source, sink);
//! # Ok(())
//! # }
//! ```
//!
//! This layer knows the contracts of `millpond-api` and Kafka. It never knows the coordinator, tasks or channels.

mod client;
#[cfg(test)]
mod formats;
mod properties;
mod sink;
mod source;
mod wire;

pub use sink::{
    DeliveryGuarantee, KafkaCommittable, KafkaRecordSerializer, KafkaSink, KafkaSinkBuilder, KafkaWriter,
    Partitioner, ProducerRecord,
};
pub use source::{
    ConsumerRecord, KafkaPartitionSplit, KafkaRecordDeserializer, KafkaSource, KafkaSourceBuilder,
    KafkaSourceReader, OffsetResetStrategy, OffsetsInitializer,
};
