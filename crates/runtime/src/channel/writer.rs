//! The writing side of one edge: partitions records, collects them in batches, passes events on in order.

use super::partition::{KeyGroupFunction, Partitioner, key_group_table};
use super::sender::ChannelSender;
use crate::element::{Batch, RecordBatch, StreamElement, WatermarkStatus};
use crate::operator::{ChainOutput, ChainVisitor, ChannelWriter, WatermarkGauge};
use millpond_api::{Output, Watermark};
use millpond_core::{Error, Result};
use std::fmt;

/// How many records a batch holds when it is full.
pub const RECORDS_PER_BATCH: usize = 1024;

/// Writes the records of one edge into its channels. Flink's `RecordWriter` with its `StreamPartitioner`.
///
/// Records of each channel are collected into a batch, which is sent when it is full, before every event, and when the task
/// calls [`ChannelWriter::flush`] (it has nothing to do, or the buffer timeout passed). Watermarks go to every channel, each
/// larger than the one before; a status only when it changes.
pub struct RecordWriter<T> {
    channels: Vec<ChannelSender>,
    buffers: Vec<Batch<T>>,
    route: Route<T>,
    batch_size: usize,
    last_watermark: Watermark,
    watermarks: WatermarkGauge,
    last_status: WatermarkStatus,
}

/// Whether a buffer waits for room in its channel.
#[derive(Clone, Copy)]
enum Pace {
    Bounded,
    AtOnce,
}

enum Route<T> {
    Forward,
    Rebalance {
        next: usize,
    },
    Broadcast {
        clone: fn(&T) -> T,
    },
    Hash {
        key_group: KeyGroupFunction<T>,
        channel_of: Vec<u32>,
    },
}

impl<T: Send + 'static> RecordWriter<T> {
    /// A writer into `channels`, of which number i leads to task i of the target (a forward edge has one alone).
    ///
    /// # Errors
    /// Config when the channels don't fit the partitioner: none, more than one for a forward edge, more than key groups.
    pub fn new(channels: Vec<ChannelSender>, partitioner: Partitioner<T>) -> Result<Self> {
        let count = channels.len();
        if count == 0 || (count != 1 && matches!(partitioner, Partitioner::Forward)) {
            return Err(
                Error::config("open channels", "the edge has a wrong number of channels")
                    .with("channels", count)
                    .with("partitioner", format!("{partitioner:?}")),
            );
        }
        let route = match partitioner {
            Partitioner::Forward => Route::Forward,
            // Writers of one edge begin with different channels, so that few records don't all go to the first.
            Partitioner::Rebalance => Route::Rebalance {
                next: channels.first().map_or(0, ChannelSender::channel) % count,
            },
            Partitioner::Broadcast { clone } => Route::Broadcast { clone },
            Partitioner::Hash {
                key_group,
                max_parallelism,
            } => Route::Hash {
                key_group,
                channel_of: key_group_table(max_parallelism, count)?,
            },
        };
        Ok(RecordWriter {
            buffers: std::iter::repeat_with(|| Batch::with_capacity(0))
                .take(count)
                .collect(),
            channels,
            route,
            batch_size: RECORDS_PER_BATCH,
            last_watermark: Watermark::UNINITIALIZED,
            watermarks: WatermarkGauge::default(),
            last_status: WatermarkStatus::Active,
        })
    }

    /// Sends batches when they hold `records` records (at least 1, default [`RECORDS_PER_BATCH`]).
    #[must_use]
    pub fn with_batch_size(mut self, records: usize) -> Self {
        self.batch_size = records.max(1);
        self
    }

    #[inline]
    fn push(&mut self, channel: usize, value: T, timestamp: i64) -> Result<()> {
        let Some(buffer) = self.buffers.get_mut(channel) else {
            return Err(no_channel(channel));
        };
        if buffer.is_empty() {
            buffer.reserve(self.batch_size);
        }
        buffer.push(value, timestamp);
        if buffer.len() >= self.batch_size {
            return self.send_buffer(channel, Pace::Bounded);
        }
        Ok(())
    }

    fn send_buffer(&mut self, channel: usize, pace: Pace) -> Result<()> {
        let (Some(buffer), Some(sender)) = (self.buffers.get_mut(channel), self.channels.get_mut(channel))
        else {
            return Err(no_channel(channel));
        };
        if buffer.is_empty() {
            return Ok(());
        }
        let batch = std::mem::replace(buffer, Batch::with_capacity(0));
        let batch = RecordBatch::new(batch);
        match pace {
            Pace::Bounded => sender.send_records(batch),
            Pace::AtOnce => sender.send_records_at_once(batch),
        }
    }

    fn send_buffers(&mut self, pace: Pace) -> Result<()> {
        (0..self.channels.len()).try_for_each(|channel| self.send_buffer(channel, pace))
    }
}

#[cold]
fn no_channel(channel: usize) -> Error {
    Error::illegal_state("write record", "no channel for the record").with("channel", channel)
}

#[cold]
fn no_key_group(key_group: u32, key_groups: usize) -> Error {
    Error::illegal_state("partition by key", "the key group is out of range")
        .with("key_group", key_group)
        .with("key_groups", key_groups)
}

impl<T: Send + 'static> Output<T> for RecordWriter<T> {
    #[inline]
    fn collect(&mut self, value: T, timestamp: i64) -> Result<()> {
        let channel = match &mut self.route {
            Route::Forward => 0,
            Route::Hash {
                key_group,
                channel_of,
            } => {
                let group = key_group(&value);
                match channel_of.get(group as usize) {
                    Some(channel) => *channel as usize,
                    None => return Err(no_key_group(group, channel_of.len())),
                }
            }
            Route::Rebalance { next } => {
                let channel = *next;
                *next = if channel + 1 < self.channels.len() {
                    channel + 1
                } else {
                    0
                };
                channel
            }
            Route::Broadcast { clone } => {
                let clone = *clone;
                let last = self.channels.len() - 1;
                for channel in 0..last {
                    self.push(channel, clone(&value), timestamp)?;
                }
                last
            }
        };
        self.push(channel, value, timestamp)
    }
}

impl<T: Send + 'static> ChainOutput<T> for RecordWriter<T> {
    fn emit_watermark(&mut self, watermark: Watermark) -> Result<()> {
        if watermark <= self.last_watermark {
            return Ok(());
        }
        self.last_watermark = watermark;
        self.watermarks.set(watermark);
        self.broadcast(&mut || StreamElement::Watermark(watermark))
    }
    fn emit_watermark_status(&mut self, status: WatermarkStatus) -> Result<()> {
        if status == self.last_status {
            return Ok(());
        }
        self.last_status = status;
        self.broadcast(&mut || StreamElement::WatermarkStatus(status))
    }
    fn watermark_gauge(&self) -> WatermarkGauge {
        self.watermarks.clone()
    }
    fn visit(&mut self, visitor: &mut dyn ChainVisitor) -> Result<()> {
        visitor.writer(self)
    }
}

impl<T: Send + 'static> ChannelWriter for RecordWriter<T> {
    fn broadcast(&mut self, element: &mut dyn FnMut() -> StreamElement) -> Result<()> {
        let mut next = Some(element());
        // A barrier must not wait for room: it may be what overtakes the records that take it.
        let pace = match next {
            Some(StreamElement::Barrier(_)) => Pace::AtOnce,
            _ => Pace::Bounded,
        };
        self.send_buffers(pace)?;
        self.channels
            .iter_mut()
            .try_for_each(|channel| channel.send(next.take().unwrap_or_else(&mut *element)))
    }
    fn flush(&mut self) -> Result<()> {
        self.send_buffers(Pace::Bounded)
    }
    fn is_available(&self) -> bool {
        self.channels.iter().all(ChannelSender::is_available)
    }
}

impl<T> fmt::Debug for RecordWriter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordWriter")
            .field("channels", &self.channels)
            .finish_non_exhaustive()
    }
}
