//! One stream of bytes in a checkpoint: a file, a part of one, or bytes small enough to stand in the metadata itself.

use bytes::Bytes;

/// Where a stream of snapshot bytes lies. Flink's `StreamStateHandle`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamStateHandle {
    /// In the handle itself, and so in `_metadata`.
    ByteStream(ByteStreamStateHandle),
    /// In a file of the checkpoint storage.
    File(FileStateHandle),
    /// In a file of the checkpoint storage, among others.
    Segment(SegmentFileStateHandle),
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

/// A part of a file that several streams of a checkpoint share. Flink's `SegmentFileStateHandle`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFileStateHandle {
    /// The whole file.
    pub file: FileStateHandle,
    /// Where in it the stream begins.
    pub start: u64,
    /// The stream's length in bytes.
    pub size: u64,
    /// A name unique in the checkpoint. Flink's `LogicalFileId`.
    pub name: String,
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
            StreamStateHandle::Segment(s) => s.size,
        }
    }
    /// The file that it is in, or a part of; `None`: it stands in the handle.
    pub fn file(&self) -> Option<&FileStateHandle> {
        match self {
            StreamStateHandle::ByteStream(_) => None,
            StreamStateHandle::File(file) => Some(file),
            StreamStateHandle::Segment(segment) => Some(&segment.file),
        }
    }
}
