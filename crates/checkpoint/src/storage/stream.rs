//! Streams that snapshots are written to: small state stays in its handle, larger state becomes a file. What is to share a file with
//! others stays in its handle until the checkpoint is committed (`merge`).
//!
//! The rules are those of Flink's `FsCheckpointStreamFactory`; the checksum is ours. A file is published only when its
//! stream is closed, so a stream that is dropped or fails leaves no file.

use super::Target;
use super::error::io_kind;
use super::layout;
use super::local::LocalCopy;
use super::upload::Upload;
use bytes::BytesMut;
use millpond_core::config::options;
use millpond_core::failpoint::{self, Failpoint};
use millpond_core::{Error, Result};
use millpond_state::handle::{ByteStreamStateHandle, FileStateHandle, StatePath, StreamStateHandle};
use millpond_state::stream::{CheckpointOutputStream, CheckpointStreamFactory, CheckpointedStateScope};
use std::io::{self, Write};

/// How much goes to a local file at once: it is still in the processor's cache when the system copies it. The larger parts that
/// stores over the network want would not be.
const LOCAL_PART_BYTES: usize = 1 << 20;

pub(super) struct StreamFactory {
    pub(super) target: Target,
}

impl CheckpointStreamFactory for StreamFactory {
    fn create(&self, scope: CheckpointedStateScope) -> Result<Box<dyn CheckpointOutputStream>> {
        let name = layout::file_name();
        Ok(Box::new(OutputStream {
            copy: self.target.local.as_ref().and_then(|l| l.begin(&name)),
            part_bytes: match self.target.folder.local() {
                Some(_) => self.target.options.write_buffer_bytes.min(LOCAL_PART_BYTES),
                None => self.target.options.write_buffer_bytes,
            },
            target: self.target.clone(),
            scope,
            name,
            buffer: BytesMut::new(),
            upload: None,
            position: 0,
            crc32c: 0,
            failed: false,
        }))
    }
}

struct OutputStream {
    target: Target,
    scope: CheckpointedStateScope,
    name: String,
    copy: Option<LocalCopy>,
    buffer: BytesMut,
    part_bytes: usize,
    upload: Option<Upload>,
    position: u64,
    crc32c: u32,
    failed: bool,
}

impl OutputStream {
    /// The folder that the file goes to, and the path that the handle will carry.
    fn place(&self) -> (&super::Folder, StatePath) {
        match (self.scope, &self.target.shared) {
            (CheckpointedStateScope::Shared, Some(shared)) => (
                shared,
                StatePath::Absolute(format!("{}/{}", shared.uri(), self.name)),
            ),
            // A savepoint shares nothing: every file is its own.
            _ => (&self.target.folder, StatePath::Relative(self.name.clone())),
        }
    }

    /// How many bytes may stay in the handle.
    fn held_bytes_max(&self) -> usize {
        let inline = self.target.options.inline_threshold_bytes;
        match (self.scope, self.target.merged_file_bytes_max()) {
            (CheckpointedStateScope::Exclusive, Some(max)) => inline.max(max.min(self.part_bytes)),
            _ => inline,
        }
    }

    /// Sends the buffer out as one part of the file.
    fn flush_part(&mut self) -> Result<()> {
        let upload = match self.upload.take() {
            Some(upload) => upload,
            None => Upload::start(self.place().0, &self.name)?,
        };
        let upload = self.upload.insert(upload);
        upload.put(std::mem::take(&mut self.buffer).freeze())?;
        self.buffer = upload.buffer(self.part_bytes);
        Ok(())
    }

    /// State that stays in its handle does so whatever its size, up to a bound: without one, checkpoints would take the memory
    /// of the state itself again and again before anybody noticed.
    fn hold(&mut self, bytes: &[u8]) -> Result<()> {
        let (size, max) = (
            self.buffer.len() + bytes.len(),
            self.target.options.memory_state_bytes_max,
        );
        if size > max {
            return Err(Error::config(
                "write checkpoint",
                "the state is larger than what checkpoints keep in memory may be",
            )
            .with("bytes", size)
            .with("max", max)
            .with("key", options::MEMORY_MAX_STATE_SIZE.key)
            .hint(
                "set execution.checkpointing.dir and leave execution.checkpointing.storage at filesystem, so that state becomes files, or raise the option",
            ));
        }
        self.buffer.extend_from_slice(bytes);
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn write_some(&mut self, bytes: &[u8]) -> Result<()> {
        if self.target.in_handles {
            return self.hold(bytes);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = self.part_bytes.saturating_sub(self.buffer.len());
            let (now, later) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            self.buffer.extend_from_slice(now);
            rest = later;
            if self.buffer.len() >= self.part_bytes {
                self.flush_part()?;
            }
        }
        self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
        if let Some(copy) = &mut self.copy {
            copy.write(bytes);
        }
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn finish(&mut self) -> Result<StreamStateHandle> {
        if self.failed {
            return Err(
                Error::illegal_state("close state stream", "an earlier write failed")
                    .with("path", self.place().0.file_display(&self.name)),
            );
        }
        let is_small = self.upload.is_none() && self.buffer.len() <= self.held_bytes_max();
        if is_small || self.target.in_handles {
            return Ok(StreamStateHandle::ByteStream(ByteStreamStateHandle {
                name: std::mem::take(&mut self.name),
                data: std::mem::take(&mut self.buffer).freeze(),
            }));
        }
        if self.upload.is_some() && !self.buffer.is_empty() {
            self.flush_part()?;
        }
        let (upload, rest) = (self.upload.take(), std::mem::take(&mut self.buffer).freeze());
        let (folder, path) = self.place();
        failpoint::reach(Failpoint::UploadBegins);
        match upload {
            // The name is random: nothing can be replaced, and a rename costs less than a link.
            None => folder.put(&self.name, rest, false)?,
            Some(upload) => upload.finish()?,
        }
        if let Some(copy) = self.copy.take() {
            copy.finish();
        }
        failpoint::reach(Failpoint::UploadEnds);
        Ok(StreamStateHandle::File(FileStateHandle {
            path,
            size: self.position,
            crc32c: Some(self.crc32c),
        }))
    }
}

impl Write for OutputStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed {
            return Err(io::Error::other("an earlier write to this state stream failed"));
        }
        self.write_some(bytes).map_err(|e| {
            self.failed = true;
            io::Error::new(io_kind(&e).unwrap_or(io::ErrorKind::Other), e)
        })?;
        Ok(bytes.len())
    }
    /// Nothing to do: bytes become visible, all at once, when the stream is closed.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl CheckpointOutputStream for OutputStream {
    fn position(&self) -> u64 {
        self.position
    }
    fn close_and_get_handle(mut self: Box<Self>) -> Result<StreamStateHandle> {
        self.finish()
    }
}
