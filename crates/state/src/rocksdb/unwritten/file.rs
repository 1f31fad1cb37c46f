//! The file of a checkpoint that holds what stayed unwritten. Layout in `docs/rocksdb.md`.

use super::ColumnUnwritten;
use super::buffer::{Entry, read_failed};
use crate::handle::StreamStateHandle;
use crate::snapshot::io_error;
use crate::stream::{CheckpointStreamFactory, CheckpointedStateScope};
use millpond_core::{Error, Result};
use millpond_types::{DataInput, DataOutput};
use std::io::{BufReader, Read, Take, Write};

/// "MPRU": Millpond RocksDB unwritten.
const MAGIC: u32 = 0x4d50_5255;
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 6;
/// What stands in front of a state's entries: its id, and how many bytes they take.
const STATE_BYTES: usize = 10;
/// How much is read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Writes what the caches keep of some column families. `state_id` tells a column family's position among the checkpoint's states.
/// `None` when there is nothing to be written.
pub(in crate::rocksdb) fn write_file(
    unwritten: &[ColumnUnwritten],
    state_id: impl Fn(&str) -> Option<usize>,
    streams: &dyn CheckpointStreamFactory,
) -> Result<Option<StreamStateHandle>> {
    if unwritten.iter().all(|column| column.entries().is_empty()) {
        return Ok(None);
    }
    let mut stream = streams.create(CheckpointedStateScope::Exclusive)?;
    let mut header = DataOutput::new();
    header.write_u32(MAGIC);
    header.write_u16(VERSION);
    for column in unwritten.iter().filter(|column| !column.entries().is_empty()) {
        let id = state_id(&column.column).and_then(|id| u16::try_from(id).ok());
        let id = id.ok_or_else(|| {
            Error::illegal_state("take snapshot", "a column family is of no state")
                .with("name", &column.column)
        })?;
        header.write_u16(id);
        header.write_u64(column.entries().bytes() as u64);
        stream.write_all(header.as_slice()).map_err(io_error)?;
        stream.write_all(column.entries().as_slice()).map_err(io_error)?;
        header.clear();
    }
    stream.close_and_get_handle().map(Some)
}

/// A key and its value; no value: the key has nothing.
type KeyValue<'a> = (&'a [u8], Option<&'a [u8]>);

/// Such a file, being read.
pub(in crate::rocksdb) struct UnwrittenFile<R> {
    /// Ends with the entries of a state.
    input: Take<BufReader<R>>,
    entry: Entry,
}

impl<R: Read> UnwrittenFile<R> {
    /// Begins to read a file.
    ///
    /// # Errors
    /// Corrupt when it is none, or of a version that is not known; Io from the reader.
    pub(in crate::rocksdb) fn open(file: R) -> Result<Self> {
        let mut input = BufReader::with_capacity(BUFFER_BYTES, file).take(HEADER_BYTES as u64);
        let mut header = [0; HEADER_BYTES];
        input.read_exact(&mut header).map_err(read_failed)?;
        let mut header = DataInput::new(&header);
        if header.read_u32()? != MAGIC {
            return Err(corrupt("it holds no unwritten entries"));
        }
        let version = header.read_u16()?;
        if version != VERSION {
            return Err(corrupt("unknown version").with("version", version));
        }
        Ok(UnwrittenFile {
            input,
            entry: Entry::default(),
        })
    }

    /// The id of the next state with entries, which are next.
    pub(in crate::rocksdb) fn next_state(&mut self) -> Result<Option<usize>> {
        self.input.set_limit(STATE_BYTES as u64);
        let mut head = Vec::with_capacity(STATE_BYTES);
        self.input.read_to_end(&mut head).map_err(read_failed)?;
        if head.is_empty() {
            return Ok(None);
        }
        let mut head = DataInput::new(&head);
        let state = head.read_u16()?;
        self.input.set_limit(head.read_u64()?);
        Ok(Some(usize::from(state)))
    }

    /// The next entry of the state.
    pub(in crate::rocksdb) fn next_entry(&mut self) -> Result<Option<KeyValue<'_>>> {
        if self.entry.read(&mut self.input)? {
            return Ok(Some((&self.entry.key, self.entry.value())));
        }
        if self.input.limit() > 0 {
            return Err(
                corrupt("it ends before the entries of a state do").with("bytes_left", self.input.limit())
            );
        }
        Ok(None)
    }
}

fn corrupt(message: &'static str) -> Error {
    Error::corrupt("read unwritten entries", message)
}
