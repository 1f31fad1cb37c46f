//! The part of a file that one reader reads, with the position in it. It is stored in checkpoints.

use crate::file::compression;
use millpond_api::SourceSplit;
use millpond_core::hash::murmur3_x64_128;
use millpond_core::{Error, Result};
use millpond_derive::StateType;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// How much of a file's beginning and end goes into its fingerprint.
const FINGERPRINT_BYTES: u64 = 4096;

/// A file, or a range of one, and how far it has been read. Flink's `FileSourceSplit`.
#[derive(Clone, Debug, PartialEq, Eq, StateType)]
#[state_type(name = "millpond.connectors.FileSplit")]
pub struct FileSplit {
    /// Its place in the order in which splits were enumerated.
    pub ordinal: i64,
    /// The file, as it was named when the job started.
    pub path: String,
    /// The first byte of the range. Records that start before it belong to the range before.
    pub range_start: i64,
    /// The byte behind the range. -1 for a compressed file, which is read to its end.
    pub range_end: i64,
    /// The file's length in bytes when the job started.
    pub file_length: i64,
    /// A hash of the file's length, its first and its last bytes when the job started.
    pub fingerprint: i64,
    /// The offset of the next record in the decoded bytes; -1 before the first.
    pub position: i64,
    /// The line that `position` is the start of, counted from 1; 0 where nobody knows it (a range inside a file).
    pub line: i64,
}

impl FileSplit {
    /// Whether it is a part of its file, not the whole.
    pub fn is_part(&self) -> bool {
        self.range_start > 0 || (self.range_end >= 0 && self.range_end < self.file_length)
    }

    /// Checks that the file is there with the length that it had.
    ///
    /// # Errors
    /// NotFound when it is gone, Corrupt when its length changed, Io when it can't be looked at.
    pub(crate) fn check_length(&self) -> Result<()> {
        let length = std::fs::metadata(&self.path)
            .map_err(|e| {
                if e.kind() == std::io::ErrorKind::NotFound {
                    super::enumerate::not_found(self.path.as_ref())
                } else {
                    Error::io("look at file", e).with("path", &self.path)
                }
            })?
            .len();
        if i64::try_from(length) == Ok(self.file_length) {
            return Ok(());
        }
        Err(self
            .changed("the file has another length than when the job started")
            .with("length", length))
    }

    /// Opens the file and checks that it begins and ends as it did.
    pub(crate) fn open_verified(&self) -> Result<File> {
        self.check_length()?;
        let mut file = compression::open(&self.path)?;
        let found = fingerprint(&mut file, self.file_length.unsigned_abs())
            .map_err(|e| Error::io("read file", e).with("path", &self.path))?;
        if found != self.fingerprint {
            return Err(self.changed("the file's content is not what it was when the job started"));
        }
        Ok(file)
    }

    pub(crate) fn changed(&self, message: &'static str) -> Error {
        Error::corrupt("open split", message)
            .with("path", &self.path)
            .with("expected_length", self.file_length)
            .hint("a position in the old file means nothing in the new one: bring the old file back, or start the job afresh")
    }
}

impl SourceSplit for FileSplit {
    fn split_id(&self) -> String {
        format!("{}:{}-{}", self.path, self.range_start, self.range_end)
    }
}

/// A hash of the length and both ends of a file; leaves the file at its start.
pub(crate) fn fingerprint(file: &mut File, length: u64) -> std::io::Result<i64> {
    let mut bytes = length.to_le_bytes().to_vec();
    file.seek(SeekFrom::Start(0))?;
    file.take(FINGERPRINT_BYTES).read_to_end(&mut bytes)?;
    if length > FINGERPRINT_BYTES {
        file.seek(SeekFrom::Start(
            length.saturating_sub(FINGERPRINT_BYTES).max(FINGERPRINT_BYTES),
        ))?;
        file.take(FINGERPRINT_BYTES).read_to_end(&mut bytes)?;
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(murmur3_x64_128(&bytes).0 as i64)
}
