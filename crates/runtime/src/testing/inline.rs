//! Snapshots that carry their bytes with them.

use millpond_core::Result;
use millpond_state::handle::{ByteStreamStateHandle, StreamStateHandle};
use millpond_state::stream::{CheckpointOutputStream, CheckpointStreamFactory, CheckpointedStateScope};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// Streams whose handles hold the bytes: a snapshot needs no storage, and can be cloned, compared and kept.
#[derive(Debug, Default)]
pub struct InlineStreams {
    count: AtomicU64,
}

impl CheckpointStreamFactory for InlineStreams {
    fn create(&self, scope: CheckpointedStateScope) -> Result<Box<dyn CheckpointOutputStream>> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(InlineOutput {
            name: format!("{scope:?}-{number}"),
            bytes: Vec::new(),
        }))
    }
}

struct InlineOutput {
    name: String,
    bytes: Vec<u8>,
}

impl Write for InlineOutput {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl CheckpointOutputStream for InlineOutput {
    fn position(&self) -> u64 {
        self.bytes.len() as u64
    }
    fn close_and_get_handle(self: Box<Self>) -> Result<StreamStateHandle> {
        Ok(StreamStateHandle::ByteStream(ByteStreamStateHandle {
            name: self.name,
            data: self.bytes.into(),
        }))
    }
}
