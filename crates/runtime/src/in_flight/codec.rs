//! The bytes of records in flight: Flink's `StreamElementSerializer`, each element behind its length as its network stack
//! writes it (`RecordWriter.serializeRecord`).

use crate::channel::{KeyGroupFunction, RECORDS_PER_BATCH};
use crate::element::{Batch, RecordBatch, StreamElement};
use millpond_api::{NO_TIMESTAMP, Watermark};
use millpond_core::{Error, Result};
use millpond_types::{DataInput, DataOutput, KeyGroupRange, SharedSerializer};
use std::any::type_name;

const RECORD_WITH_TIMESTAMP: u8 = 0;
const RECORD_WITHOUT_TIMESTAMP: u8 = 1;
const WATERMARK: u8 = 2;
const LATENCY_MARKER: u8 = 3;
const WATERMARK_STATUS: u8 = 4;
const RECORD_ATTRIBUTES: u8 = 5;

/// What of a channel's bytes is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The key groups whose records are; `None`: all.
    pub key_groups: Option<KeyGroupRange>,
    /// Whether watermarks are.
    pub watermarks: bool,
}

/// Writes and reads the records of one edge.
pub trait RecordCodec: Send + Sync {
    /// The name of the records' type, for people.
    fn record_type(&self) -> &'static str;

    /// Appends all records of a batch.
    ///
    /// # Errors
    /// What the serializer fails with; IllegalState when the batch is of another type.
    fn encode(&self, records: &RecordBatch, out: &mut DataOutput) -> Result<()>;

    /// The elements that `bytes` hold, as batches and watermarks in their order.
    ///
    /// # Errors
    /// Corrupt when they are no such elements: damage, or the records have another type now.
    fn decode(&self, bytes: &[u8], wanted: Wanted) -> Result<Vec<StreamElement>>;
}

/// The codec of records of one type.
pub struct StreamElementCodec<T> {
    serializer: SharedSerializer<T>,
    /// Where the edge is partitioned by key.
    key_group: Option<KeyGroupFunction<T>>,
}

impl<T: Send + 'static> StreamElementCodec<T> {
    /// A codec by `serializer`; `key_group` gives the key group of a record, on an edge that is partitioned by key.
    pub fn new(serializer: SharedSerializer<T>, key_group: Option<KeyGroupFunction<T>>) -> Self {
        StreamElementCodec {
            serializer,
            key_group,
        }
    }

    fn is_wanted(&self, value: &T, wanted: Wanted) -> bool {
        match (wanted.key_groups, &self.key_group) {
            (Some(range), Some(key_group)) => range.contains(key_group(value)),
            _ => true,
        }
    }

    fn element(&self, input: &mut DataInput<'_>, wanted: Wanted, elements: &mut Elements<T>) -> Result<()> {
        let tag = input.read_u8()?;
        match tag {
            RECORD_WITH_TIMESTAMP | RECORD_WITHOUT_TIMESTAMP => {
                let timestamp = if tag == RECORD_WITH_TIMESTAMP {
                    input.read_i64()?
                } else {
                    NO_TIMESTAMP
                };
                let value = self.serializer.deserialize(input)?;
                if self.is_wanted(&value, wanted) {
                    elements.push(value, timestamp);
                }
            }
            WATERMARK => {
                let watermark = Watermark::new(input.read_i64()?);
                if wanted.watermarks {
                    elements.end_batch();
                    elements.done.push(StreamElement::Watermark(watermark));
                }
            }
            // A sender that was restored starts as active and says so only when it changes: what it said before is no longer
            // true. Markers and attributes say nothing that a state depends on.
            WATERMARK_STATUS => drop(input.read_i32()?),
            LATENCY_MARKER => drop(input.read_bytes(8 + 16 + 4)?),
            RECORD_ATTRIBUTES => drop(input.read_bool()?),
            other => return Err(bad("unknown kind of stream element").with("kind", other)),
        }
        if input.is_empty() {
            Ok(())
        } else {
            Err(bad("an element is longer than its record").with("left", input.remaining()))
        }
    }
}

/// Elements decoded so far.
struct Elements<T> {
    done: Vec<StreamElement>,
    batch: Batch<T>,
}

impl<T: Send + 'static> Elements<T> {
    fn push(&mut self, value: T, timestamp: i64) {
        self.batch.push(value, timestamp);
        if self.batch.len() >= RECORDS_PER_BATCH {
            self.end_batch();
        }
    }
    fn end_batch(&mut self) {
        if !self.batch.is_empty() {
            let batch = std::mem::replace(&mut self.batch, Batch::with_capacity(0));
            self.done.push(StreamElement::Records(RecordBatch::new(batch)));
        }
    }
}

impl<T: Send + 'static> RecordCodec for StreamElementCodec<T> {
    fn record_type(&self) -> &'static str {
        type_name::<T>()
    }

    fn encode(&self, records: &RecordBatch, out: &mut DataOutput) -> Result<()> {
        let batch = records.downcast_ref::<T>().ok_or_else(|| {
            Error::illegal_state("store records in flight", "the channel carries another type")
                .with("expected", type_name::<T>())
        })?;
        for (value, timestamp) in batch.iter() {
            with_length(out, |out| {
                if timestamp == NO_TIMESTAMP {
                    out.write_u8(RECORD_WITHOUT_TIMESTAMP);
                } else {
                    out.write_u8(RECORD_WITH_TIMESTAMP);
                    out.write_i64(timestamp);
                }
                self.serializer.serialize(value, out)
            })?;
        }
        Ok(())
    }

    fn decode(&self, bytes: &[u8], wanted: Wanted) -> Result<Vec<StreamElement>> {
        let mut input = DataInput::new(bytes);
        let mut elements = Elements {
            done: Vec::new(),
            batch: Batch::with_capacity(0),
        };
        while !input.is_empty() {
            let at = input.position();
            let length = input.read_count(1)?;
            let mut element = DataInput::new(input.read_bytes(length)?);
            self.element(&mut element, wanted, &mut elements)
                .map_err(|e| e.with("at", at).with("record_type", type_name::<T>()))?;
        }
        elements.end_batch();
        Ok(elements.done)
    }
}

/// Appends a watermark.
///
/// # Errors
/// None of its own.
pub(super) fn encode_watermark(watermark: Watermark, out: &mut DataOutput) -> Result<()> {
    with_length(out, |out| {
        out.write_u8(WATERMARK);
        out.write_i64(watermark.timestamp);
        Ok(())
    })
}

/// Appends what `write` does behind its length.
fn with_length(out: &mut DataOutput, write: impl FnOnce(&mut DataOutput) -> Result<()>) -> Result<()> {
    let start = out.len();
    out.write_i32(0);
    write(out)?;
    let length = i32::try_from(out.len() - start - size_of::<i32>()).map_err(|e| {
        Error::incompatible(
            "store records in flight",
            "a record is larger than Flink's format allows",
        )
        .source(e)
    })?;
    if let Some(field) = out.as_mut_slice().get_mut(start..start + size_of::<i32>()) {
        field.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

fn bad(why: &str) -> Error {
    Error::corrupt("read records in flight", why)
}
