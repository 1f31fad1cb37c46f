//! Entries as bytes: a key and a value, each with its length in front. Both the canonical snapshot and the shards of an
//! incremental one consist of such pairs (Flink's `FullSnapshotAsyncWriter` writes them with
//! `BytePrimitiveArraySerializer`).

use super::io_error;
use millpond_core::{Error, Result};
use millpond_types::{DataInput, DataOutput};
use std::io::Write;

/// Set in the first byte of a key when the pair is the last one before a state id or the end of the key group. Free,
/// because a key starts with its key group, which never needs that bit.
pub(crate) const META_DATA_FOLLOWS: u8 = 0x80;

/// How much is gathered before it goes to the stream.
const BUFFER_BYTES: usize = 64 * 1024;

/// The length of the key-group prefix of a key.
pub(crate) fn key_group_prefix_bytes(max_parallelism: u32) -> usize {
    if max_parallelism > 128 { 2 } else { 1 }
}

/// Takes the pairs of one state in one key group and writes them to a stream.
pub struct PairWriter<'a> {
    sink: &'a mut dyn Write,
    buffer: &'a mut DataOutput,
    value: &'a mut DataOutput,
    key_group: u32,
    prefix_bytes: usize,
    pairs: u64,
    /// Where in the buffer the last pair starts.
    last_start: usize,
    /// Goes in front of the first pair.
    state_id: Option<u16>,
}

/// Buffers that a snapshot uses for all its pairs.
#[derive(Default)]
pub(crate) struct PairBuffers {
    pair: DataOutput,
    value: DataOutput,
}

impl<'a> PairWriter<'a> {
    pub(crate) fn new(
        sink: &'a mut dyn Write,
        buffers: &'a mut PairBuffers,
        key_group: u32,
        prefix_bytes: usize,
    ) -> Self {
        buffers.pair.clear();
        PairWriter {
            sink,
            buffer: &mut buffers.pair,
            value: &mut buffers.value,
            key_group,
            prefix_bytes,
            pairs: 0,
            last_start: 0,
            state_id: None,
        }
    }

    /// The same with the state's id in front of the first pair.
    pub(crate) fn under(mut self, state_id: u16) -> Self {
        self.state_id = Some(state_id);
        self
    }

    /// Adds a pair. `write` appends to the key, which already holds the key group, and to the value.
    ///
    /// # Errors
    /// Those of `write`; Io when the stream refuses.
    pub fn pair(&mut self, write: impl FnOnce(&mut DataOutput, &mut DataOutput) -> Result<()>) -> Result<()> {
        let start = self.begin()?;
        if self.prefix_bytes == 2 {
            self.buffer.write_u16(self.key_group as u16);
        } else {
            self.buffer.write_u8(self.key_group as u8);
        }
        self.value.clear();
        write(self.buffer, self.value)?;
        let key_len = length(self.buffer.len() - start - 4)?;
        if let Some(slot) = self.buffer.as_mut_slice().get_mut(start..start + 4) {
            slot.copy_from_slice(&key_len.to_be_bytes());
        }
        self.buffer.write_i32(length(self.value.len())?);
        self.buffer.write_bytes(self.value.as_slice());
        Ok(())
    }

    /// Adds a pair that is already in bytes, its key with the key group.
    pub(crate) fn raw_pair(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let start = self.begin()?;
        self.buffer.write_bytes(key);
        // The key may have been the last of its state where it was stored.
        if let Some(first) = self.buffer.as_mut_slice().get_mut(start + 4) {
            *first &= !META_DATA_FOLLOWS;
        }
        if let Some(slot) = self.buffer.as_mut_slice().get_mut(start..start + 4) {
            slot.copy_from_slice(&length(key.len())?.to_be_bytes());
        }
        self.buffer.write_i32(length(value.len())?);
        self.buffer.write_bytes(value);
        Ok(())
    }

    /// Starts a pair with room for the length of its key.
    fn begin(&mut self) -> Result<usize> {
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        if let Some(id) = self.state_id.take() {
            self.buffer.write_u16(id);
        }
        self.pairs += 1;
        self.last_start = self.buffer.len();
        self.buffer.write_i32(0);
        Ok(self.last_start)
    }

    fn flush(&mut self) -> Result<()> {
        self.sink.write_all(self.buffer.as_slice()).map_err(io_error)?;
        self.buffer.clear();
        Ok(())
    }

    /// Ends the pairs; `mark_last` sets [`META_DATA_FOLLOWS`] on the last one. Returns how many there were.
    pub(crate) fn finish(mut self, mark_last: bool) -> Result<u64> {
        if mark_last
            && self.pairs > 0
            && let Some(first) = self.buffer.as_mut_slice().get_mut(self.last_start + 4)
        {
            *first |= META_DATA_FOLLOWS;
        }
        self.flush()?;
        Ok(self.pairs)
    }
}

fn length(len: usize) -> Result<i32> {
    i32::try_from(len).map_err(|_| {
        Error::incompatible("write snapshot", "an entry is larger than the format allows").with("length", len)
    })
}

/// Reads one pair; its key still starts with the key group and may carry the flag.
pub(crate) fn read_pair<'a>(input: &mut DataInput<'a>) -> Result<(&'a [u8], &'a [u8])> {
    let key_len = input.read_count(1)?;
    let key = input.read_bytes(key_len)?;
    let value_len = input.read_count(1)?;
    Ok((key, input.read_bytes(value_len)?))
}

/// Splits a key into its key group and the rest.
pub(crate) fn split_key(key: &[u8], prefix_bytes: usize) -> Result<(u32, DataInput<'_>)> {
    let mut input = DataInput::new(key);
    let key_group = if prefix_bytes == 2 {
        u32::from(input.read_u16()? & 0x7fff)
    } else {
        u32::from(input.read_u8()? & 0x7f)
    };
    Ok((key_group, input))
}
