//! Reading raw state back.

use crate::handle::StreamStateHandle;
use crate::stream::StateHandleReader;
use bytes::{Buf, Bytes};
use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

/// How much is read of the stream at once.
const CHUNK_BYTES: u64 = 64 * 1024;

/// The bytes of one section or partition, read as they are asked for.
pub struct RawStateStream {
    reader: Arc<dyn StateHandleReader>,
    stream: StreamStateHandle,
    left: Range<u64>,
    chunk: Bytes,
}

impl RawStateStream {
    pub(super) fn new(
        reader: &Arc<dyn StateHandleReader>,
        stream: &StreamStateHandle,
        range: Range<u64>,
    ) -> Self {
        RawStateStream {
            reader: Arc::clone(reader),
            stream: stream.clone(),
            left: range,
            chunk: Bytes::new(),
        }
    }
}

impl Read for RawStateStream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() && self.left.start < self.left.end {
            let end = self.left.end.min(self.left.start.saturating_add(CHUNK_BYTES));
            self.chunk = self
                .reader
                .read_range(&self.stream, self.left.start..end)
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
            self.left.start = end;
        }
        let count = out.len().min(self.chunk.len());
        let (Some(to), Some(from)) = (out.get_mut(..count), self.chunk.get(..count)) else {
            return Ok(0);
        };
        to.copy_from_slice(from);
        self.chunk.advance(count);
        Ok(count)
    }
}

impl fmt::Debug for RawStateStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawStateStream")
            .field(
                "left",
                &(self.left.end.saturating_sub(self.left.start) + self.chunk.len() as u64),
            )
            .finish_non_exhaustive()
    }
}
