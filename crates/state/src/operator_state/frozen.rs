//! Operator state at the moment of a snapshot, and how it is written. Flink's `DefaultOperatorStateBackendSnapshotStrategy`.

use super::meta::Header;
use crate::handle::{OperatorStateHandle, OperatorStateMeta, OperatorStateMode};
use crate::snapshot::StateMetaInfoSnapshot;
use crate::snapshot::compression::Compressor;
use crate::stream::{CheckpointOutputStream, CheckpointStreamFactory, CheckpointedStateScope};
use millpond_core::{Error, Result};
use millpond_types::DataOutput;
use std::collections::BTreeMap;
use std::fmt;

/// How much is gathered before it goes to the stream.
const BUFFER_BYTES: usize = 64 << 10;

/// One state at the moment of a snapshot.
pub(super) trait FrozenState: Send {
    /// What the snapshot says about it.
    fn meta(&self) -> &StateMetaInfoSnapshot;
    /// How it is redistributed.
    fn mode(&self) -> OperatorStateMode;
    /// Writes the elements and says where each begins.
    fn write(&self, out: &mut ElementWriter) -> Result<Vec<u64>>;
}

/// All states of an operator instance at the moment of a snapshot. It may go to another thread to be written; what changes
/// later does not show in it.
pub struct OperatorStateSnapshot {
    pub(super) states: Vec<Box<dyn FrozenState>>,
    pub(super) compressed: bool,
}

/// Writes elements one after the other, and knows where each begins.
pub(super) struct ElementWriter {
    stream: Box<dyn CheckpointOutputStream>,
    buffer: DataOutput,
    /// Where elements are compressed.
    compressor: Option<Compressor>,
}

impl OperatorStateSnapshot {
    /// Whether there is no state at all.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Writes the states to a stream of `factory`. Without any state there is no stream, and so no handle.
    ///
    /// # Errors
    /// Io from the stream; Incompatible for a value that the format cannot express.
    pub fn write(self, factory: &dyn CheckpointStreamFactory) -> Result<Option<OperatorStateHandle>> {
        if self.is_empty() {
            return Ok(None);
        }
        let states = self.states.iter().map(|s| &**s);
        let (broadcasts, lists): (Vec<&dyn FrozenState>, Vec<_>) =
            states.partition(|s| s.mode() == OperatorStateMode::Broadcast);
        let header = Header {
            compressed: self.compressed,
            lists: lists.iter().map(|s| s.meta().clone()).collect(),
            broadcasts: broadcasts.iter().map(|s| s.meta().clone()).collect(),
        };
        let mut out = ElementWriter {
            stream: factory.create(CheckpointedStateScope::Exclusive)?,
            buffer: DataOutput::new(),
            compressor: None,
        };
        header.write(&mut out.buffer)?;
        if self.compressed {
            out.compress()?;
        }
        let mut states = BTreeMap::new();
        for state in lists.into_iter().chain(broadcasts) {
            let offsets = state
                .write(&mut out)
                .map_err(|e| e.with("state", &state.meta().name))?;
            // A broadcast state without its map is a mode and no state: whoever reads it wants one offset.
            if state.mode() != OperatorStateMode::Broadcast || !offsets.is_empty() {
                let mode = state.mode();
                states.insert(state.meta().name.clone(), OperatorStateMeta { offsets, mode });
            }
        }
        Ok(Some(OperatorStateHandle {
            states,
            stream: out.close()?,
        }))
    }
}

impl ElementWriter {
    /// Compresses what comes from here on.
    fn compress(&mut self) -> Result<()> {
        self.flush()?;
        Compressor::begin(&mut *self.stream).map_err(io_error)?;
        self.compressor = Some(Compressor::new());
        Ok(())
    }

    /// Writes what `write` writes, and says where it begins. That is the beginning of a chunk if elements are compressed: a reader
    /// may begin at any element.
    pub(super) fn element(&mut self, write: impl FnOnce(&mut DataOutput) -> Result<()>) -> Result<u64> {
        if self.compressor.is_some() {
            self.flush()?;
        }
        let offset = self.stream.position() + self.buffer.len() as u64;
        write(&mut self.buffer)?;
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(offset)
    }

    fn flush(&mut self) -> Result<()> {
        let bytes = self.buffer.as_slice();
        match &mut self.compressor {
            Some(compressor) => compressor.chunks(bytes, &mut *self.stream),
            None => self.stream.write_all(bytes),
        }
        .map_err(io_error)?;
        self.buffer.clear();
        Ok(())
    }

    fn close(mut self) -> Result<crate::handle::StreamStateHandle> {
        self.flush()?;
        self.stream.close_and_get_handle()
    }
}

fn io_error(source: std::io::Error) -> Error {
    Error::io("write operator state", source)
}

impl fmt::Debug for OperatorStateSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.states.iter().map(|s| &s.meta().name))
            .finish()
    }
}
