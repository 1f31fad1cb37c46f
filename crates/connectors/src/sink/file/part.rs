//! The part file that is being written.

use super::folder::{Folder, failed};
use millpond_core::Result;
use std::fs::File;
use std::io::Write;

const BUFFER_BYTES: usize = 128 * 1024;

/// A hidden file with a buffer in front.
pub(crate) struct PartFile {
    pub name: String,
    file: File,
    buffer: Vec<u8>,
    flushed: u64,
}

/// A part file that will not change any more; its bytes are durable.
pub(crate) struct ClosedPart {
    pub name: String,
    pub length: u64,
}

impl PartFile {
    pub(crate) fn create(folder: &Folder, name: String) -> Result<Self> {
        Ok(PartFile {
            file: folder.create(&name)?,
            name,
            buffer: Vec::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 4),
            flushed: 0,
        })
    }

    /// Bytes written so far, those in the buffer too.
    pub(crate) fn length(&self) -> u64 {
        self.flushed + self.buffer.len() as u64
    }

    /// Appends what `encode` appends; nothing if it fails.
    #[inline]
    pub(crate) fn append(
        &mut self,
        folder: &Folder,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let before = self.buffer.len();
        if let Err(e) = encode(&mut self.buffer) {
            self.buffer.truncate(before);
            return Err(e);
        }
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush(folder)?;
        }
        Ok(())
    }

    fn flush(&mut self, folder: &Folder) -> Result<()> {
        self.file
            .write_all(&self.buffer)
            .map_err(|e| failed("write part file", &folder.path(&self.name), e))?;
        self.flushed += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Makes the bytes durable.
    pub(crate) fn close(mut self, folder: &Folder) -> Result<ClosedPart> {
        self.flush(folder)?;
        self.file
            .sync_all()
            .map_err(|e| failed("sync part file", &folder.path(&self.name), e))?;
        Ok(ClosedPart {
            name: self.name,
            length: self.flushed,
        })
    }
}
