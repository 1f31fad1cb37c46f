//! What travels through the channels between tasks: batches of records, and events in between.
//!
//! Records stay typed and are never serialized: a batch is a `Vec` that moves from thread to thread in one box. The
//! channels, gates and the task loop see only [`StreamElement`], so none of them is generic; the head of a chain takes the
//! batch apart again.

use millpond_api::{NO_TIMESTAMP, Watermark};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::{CheckpointId, Error, Result};
use std::any::Any;

/// One element of a channel, in order.
pub enum StreamElement {
    /// Records.
    Records(RecordBatch),
    /// A watermark. Flink's `Watermark`.
    Watermark(Watermark),
    /// Whether the sending channel is idle and should not hold watermarks back. Flink's `WatermarkStatus`.
    WatermarkStatus(WatermarkStatus),
    /// A checkpoint barrier.
    Barrier(CheckpointBarrier),
    /// The sender gave this checkpoint up: no barrier of it will follow. Flink's `CancelCheckpointMarker`.
    CancelBarrier(CheckpointId),
    /// No more records, and the largest watermark came before. The channel stays open for barriers until the job's final checkpoint. Flink's `EndOfData`.
    EndOfData,
    /// The sender is gone. Flink's `EndOfPartitionEvent`.
    EndOfPartition,
}

/// Flink's `WatermarkStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatermarkStatus {
    /// Watermarks of this channel count.
    Active,
    /// They don't for now.
    Idle,
}

/// Records of one type with their timestamps.
#[derive(Clone, Debug)]
pub struct Batch<T> {
    values: Vec<T>,
    /// Empty while no record has a timestamp; else as long as `values`.
    timestamps: Vec<i64>,
}

impl<T> Batch<T> {
    /// An empty batch with room for `capacity` records.
    pub fn with_capacity(capacity: usize) -> Self {
        Batch {
            values: Vec::with_capacity(capacity),
            timestamps: Vec::new(),
        }
    }
    /// Makes room for `additional` more records.
    pub fn reserve(&mut self, additional: usize) {
        self.values.reserve_exact(additional);
    }
    /// Appends a record.
    #[inline]
    pub fn push(&mut self, value: T, timestamp: i64) {
        if timestamp != NO_TIMESTAMP || !self.timestamps.is_empty() {
            self.timestamps.resize(self.values.len(), NO_TIMESTAMP);
            self.timestamps.push(timestamp);
        }
        self.values.push(value);
    }
    /// How many records it holds.
    #[inline]
    pub fn len(&self) -> usize {
        self.values.len()
    }
    /// Whether it holds none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
    /// The records with their timestamps, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&T, i64)> {
        let timestamps = self.timestamps.iter().copied();
        self.values
            .iter()
            .zip(timestamps.chain(std::iter::repeat(NO_TIMESTAMP)))
    }
}

impl<T> IntoIterator for Batch<T> {
    type Item = (T, i64);
    type IntoIter = BatchIntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        BatchIntoIter {
            values: self.values.into_iter(),
            timestamps: self.timestamps.into_iter(),
        }
    }
}

/// The records of a [`Batch`] with their timestamps, in order.
#[derive(Debug)]
pub struct BatchIntoIter<T> {
    values: std::vec::IntoIter<T>,
    timestamps: std::vec::IntoIter<i64>,
}

impl<T> BatchIntoIter<T> {
    /// The records that are still to come.
    #[inline]
    pub fn upcoming(&self) -> &[T] {
        self.values.as_slice()
    }
    /// The records that are still to come, as a batch of their own.
    pub fn into_batch(self) -> Batch<T> {
        Batch {
            values: self.values.collect(),
            timestamps: self.timestamps.collect(),
        }
    }
}

impl<T> Iterator for BatchIntoIter<T> {
    type Item = (T, i64);
    #[inline]
    fn next(&mut self) -> Option<(T, i64)> {
        let value = self.values.next()?;
        Some((value, self.timestamps.next().unwrap_or(NO_TIMESTAMP)))
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.values.size_hint()
    }
}

/// A [`Batch`] whose type only its sender and its receiver know.
pub struct RecordBatch {
    batch: Box<dyn Any + Send>,
    len: usize,
    record_bytes: usize,
}

impl RecordBatch {
    /// Hides the type of `batch`.
    pub fn new<T: Send + 'static>(batch: Batch<T>) -> Self {
        RecordBatch {
            len: batch.len(),
            record_bytes: size_of::<T>(),
            batch: Box::new(batch),
        }
    }
    /// How many records it holds.
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// The bytes that its records take in memory, without what they own elsewhere.
    pub fn bytes(&self) -> u64 {
        (self.len * self.record_bytes) as u64
    }
    /// The batch, as who knows its type sees it; `None`: it is of another type.
    pub fn downcast_ref<T: 'static>(&self) -> Option<&Batch<T>> {
        self.batch.downcast_ref()
    }
    /// The batch, as the receiver knows it.
    ///
    /// # Errors
    /// IllegalState when it is of another type: the job graph was put together wrongly.
    pub fn downcast<T: 'static>(self) -> Result<Batch<T>> {
        self.batch.downcast().map(|b| *b).map_err(|_| {
            Error::illegal_state("receive records", "the channel carries another type")
                .with("expected", std::any::type_name::<T>())
        })
    }
}
