//! Where snapshot bytes go to and come from, as the backends see it. The checkpoint layer implements both traits over
//! its storage; tests implement them in memory.

pub mod memory;

use crate::handle::StreamStateHandle;
use bytes::Bytes;
use millpond_core::Result;
use std::io::{Read, Write};
use std::ops::Range;
use std::path::Path;

/// Whether a file may be named by several checkpoints. Flink's `CheckpointedStateScope`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckpointedStateScope {
    /// It lives and dies with its checkpoint (`chk-<n>/`).
    Exclusive,
    /// Later checkpoints may name it too (`shared/`).
    Shared,
}

/// Opens streams that a snapshot is written to. Flink's `CheckpointStreamFactory`.
pub trait CheckpointStreamFactory: Send + Sync {
    /// A new, empty stream.
    ///
    /// # Errors
    /// [`millpond_core::ErrorKind::Io`] when the storage refuses.
    fn create(&self, scope: CheckpointedStateScope) -> Result<Box<dyn CheckpointOutputStream>>;
}

/// A stream of snapshot bytes. Dropped without being closed, it leaves nothing behind.
/// Flink's `CheckpointStateOutputStream`.
pub trait CheckpointOutputStream: Write + Send {
    /// How many bytes were written.
    fn position(&self) -> u64;
    /// Makes the bytes durable and says where they are.
    ///
    /// # Errors
    /// [`millpond_core::ErrorKind::Io`] when they could not be stored; nothing is left behind then.
    fn close_and_get_handle(self: Box<Self>) -> Result<StreamStateHandle>;
}

/// Reads what a handle names.
pub trait StateHandleReader: Send + Sync {
    /// The whole stream from its start. Its length and checksum are verified while it is read: the reader that
    /// reaches the end of a damaged stream gets an error of kind `InvalidData`.
    ///
    /// # Errors
    /// Corrupt or NotFound, naming the file.
    fn open(&self, handle: &StreamStateHandle) -> Result<Box<dyn Read + Send>>;

    /// A part of the stream. A part alone cannot be checked against the file's checksum: whoever reads parts
    /// has had the file verified before (a restore verifies every file of a checkpoint first).
    ///
    /// # Errors
    /// As [`StateHandleReader::open`]; Corrupt when the stream is shorter than `range`.
    fn read_range(&self, handle: &StreamStateHandle, range: Range<u64>) -> Result<Bytes>;

    /// Makes `path` another name of the stream's file, which nobody may change then; `false` where that can't be: it has to be read
    /// then. So it is if they don't lie on the same local disk, or the file is missing or has another length, which
    /// [`StateHandleReader::open`] tells. The file's bytes are not checked: whoever links it has had it verified before.
    fn link(&self, _handle: &StreamStateHandle, _path: &Path) -> bool {
        false
    }
}
