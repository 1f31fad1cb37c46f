//! One stream of bytes in a checkpoint: a file, or bytes small enough to stand in the metadata itself.

use bytes::Bytes;

/// Where a stream of snapshot bytes lies. Flink's `StreamStateHandle`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamStateHandle {
    /// In the handle itself, and so in `_metadata`.
    ByteStream(ByteStreamStateHandle),
    /// In a file of the checkpoint storage.
    File(FileStateHandle),
}

/// Bytes that stand in the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteStreamStateHandle {
    /// A name unique in the checkpoint.
    pub name: String,
    /// The bytes.
    pub data: Bytes,
}

/// A file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileStateHandle {
    /// Where it is.
    pub path: StatePath,
    /// Its length in bytes.
    pub size: u64,
    /// CRC32C of its bytes. `None` for a file whose checkpoint has no checksum sidecar (one that Flink wrote).
    pub crc32c: Option<u32>,
}

/// A path inside the checkpoint storage.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StatePath {
    /// Relative to the folder that holds `_metadata`: the checkpoint can be moved. Flink's `RelativeFileStateHandle`.
    Relative(String),
    /// A full URI (`file:///…`). Flink's `FileStateHandle`.
    Absolute(String),
}

impl StreamStateHandle {
    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        match self {
            StreamStateHandle::ByteStream(b) => b.data.len() as u64,
            StreamStateHandle::File(f) => f.size,
        }
    }
}
