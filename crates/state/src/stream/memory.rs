//! Snapshot streams in memory: for tests of backends and for trying a backend without a storage.

use super::{CheckpointOutputStream, CheckpointStreamFactory, CheckpointedStateScope, StateHandleReader};
use crate::handle::{FileStateHandle, StatePath, StreamStateHandle};
use bytes::Bytes;
use millpond_core::{Error, Result};
use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A storage of checkpoint streams in memory. Clones share it.
///
/// ```
/// use millpond_state::stream::{CheckpointStreamFactory, CheckpointedStateScope, StateHandleReader, memory::MemoryStreams};
/// use std::io::Write;
/// let memory = MemoryStreams::default();
/// let mut out = memory.create(CheckpointedStateScope::Shared)?;
/// out.write_all(b"state").unwrap();
/// let handle = out.close_and_get_handle()?;
/// assert_eq!(memory.read_range(&handle, 1..3)?, "ta");
/// # Ok::<(), millpond_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryStreams {
    files: Arc<Mutex<Files>>,
}

#[derive(Debug, Default)]
struct Files {
    next: u64,
    by_name: BTreeMap<String, Bytes>,
    refuse: bool,
}

impl MemoryStreams {
    fn lock(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many streams are stored.
    pub fn file_count(&self) -> usize {
        self.lock().by_name.len()
    }

    /// How many bytes are stored.
    pub fn bytes_total(&self) -> u64 {
        self.lock().by_name.values().map(|b| b.len() as u64).sum()
    }

    /// Makes every later write fail, as a full disk would, or succeed again.
    pub fn refuse_writes(&self, refuse: bool) {
        self.lock().refuse = refuse;
    }

    /// Puts other bytes in place of a stored stream's, to see what a reader makes of damage.
    pub fn replace(&self, handle: &StreamStateHandle, bytes: impl Into<Bytes>) {
        if let Some(name) = file_name(handle) {
            self.lock().by_name.insert(name.to_string(), bytes.into());
        }
    }

    /// Forgets a stored stream.
    pub fn remove(&self, handle: &StreamStateHandle) {
        if let Some(name) = file_name(handle) {
            self.lock().by_name.remove(name);
        }
    }

    /// Forgets every stream that `keep` says no to.
    pub fn retain(&self, mut keep: impl FnMut(&str) -> bool) {
        self.lock().by_name.retain(|name, _| keep(name));
    }

    fn bytes(&self, handle: &StreamStateHandle) -> Result<Bytes> {
        let name = match handle {
            StreamStateHandle::ByteStream(b) => return Ok(b.data.clone()),
            StreamStateHandle::File(_) | StreamStateHandle::Segment(_) => {
                file_name(handle).unwrap_or_default()
            }
        };
        self.lock().by_name.get(name).cloned().ok_or_else(|| {
            Error::new(millpond_core::ErrorKind::NotFound, "read state", "no such stream").with("path", name)
        })
    }
}

/// The name of a stored stream.
pub fn file_name(handle: &StreamStateHandle) -> Option<&str> {
    match handle {
        StreamStateHandle::File(FileStateHandle {
            path: StatePath::Relative(name) | StatePath::Absolute(name),
            ..
        }) => Some(name),
        // No segments are made here.
        StreamStateHandle::ByteStream(_) | StreamStateHandle::Segment(_) => None,
    }
}

impl CheckpointStreamFactory for MemoryStreams {
    fn create(&self, scope: CheckpointedStateScope) -> Result<Box<dyn CheckpointOutputStream>> {
        let mut files = self.lock();
        files.next += 1;
        Ok(Box::new(MemoryOutput {
            name: format!("{scope:?}-{}", files.next).to_lowercase(),
            bytes: Vec::new(),
            streams: self.clone(),
        }))
    }
}

struct MemoryOutput {
    name: String,
    bytes: Vec<u8>,
    streams: MemoryStreams,
}

impl Write for MemoryOutput {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.streams.lock().refuse {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl CheckpointOutputStream for MemoryOutput {
    fn position(&self) -> u64 {
        self.bytes.len() as u64
    }
    fn close_and_get_handle(self: Box<Self>) -> Result<StreamStateHandle> {
        let mut files = self.streams.lock();
        if files.refuse {
            return Err(Error::io("close stream", std::io::ErrorKind::StorageFull.into()));
        }
        let handle = FileStateHandle {
            path: StatePath::Relative(self.name.clone()),
            size: self.bytes.len() as u64,
            crc32c: Some(crc32c::crc32c(&self.bytes)),
        };
        files.by_name.insert(self.name.clone(), self.bytes.clone().into());
        Ok(StreamStateHandle::File(handle))
    }
}

impl StateHandleReader for MemoryStreams {
    fn open(&self, handle: &StreamStateHandle) -> Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.bytes(handle)?)))
    }

    fn read_range(&self, handle: &StreamStateHandle, range: Range<u64>) -> Result<Bytes> {
        let bytes = self.bytes(handle)?;
        let whole = || {
            let (start, end) = (
                usize::try_from(range.start).ok()?,
                usize::try_from(range.end).ok()?,
            );
            (start <= end && end <= bytes.len()).then(|| bytes.slice(start..end))
        };
        whole().ok_or_else(|| {
            Error::corrupt("read state", "the stream is shorter than it should be")
                .with("stream", file_name(handle).unwrap_or("bytes"))
                .with("length", bytes.len())
                .with("wanted", format!("{}..{}", range.start, range.end))
        })
    }
}
