//! Raw keyed state: a stream with a section for each key group.

use super::{RawStateStream, store};
use crate::handle::{KeyGroupsStateHandle, KeyedStateHandle, NO_OFFSET_SET};
use crate::stream::{CheckpointStreamFactory, StateHandleReader};
use millpond_core::{Error, ErrorKind, Result};
use millpond_types::KeyGroupRange;
use std::io::{self, Write};
use std::sync::Arc;

/// Takes raw keyed state, key group by key group. Flink's `KeyedStateCheckpointOutputStream`.
///
/// What is written belongs to the key group that was started last. Key groups may come in any order, and be left out. The bytes
/// are kept in memory until the snapshot's asynchronous part stores them.
///
/// ```
/// use millpond_state::raw::KeyedStateCheckpointOutputStream;
/// use millpond_types::KeyGroupRange;
/// use std::io::Write;
///
/// let mut out = KeyedStateCheckpointOutputStream::new(KeyGroupRange::new(0, 63)?);
/// for key_group in out.key_group_list().iter() {
///     out.start_new_key_group(key_group)?;
///     out.write_all(&key_group.to_be_bytes())?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct KeyedStateCheckpointOutputStream {
    range: KeyGroupRange,
    offsets: Vec<u64>,
    current: Option<u32>,
    bytes: Vec<u8>,
}

impl KeyedStateCheckpointOutputStream {
    /// An empty stream for the key groups `range`.
    pub fn new(range: KeyGroupRange) -> Self {
        KeyedStateCheckpointOutputStream {
            range,
            offsets: vec![NO_OFFSET_SET; range.count()],
            current: None,
            bytes: Vec::new(),
        }
    }
    /// The key groups that can be written.
    pub fn key_group_list(&self) -> KeyGroupRange {
        self.range
    }
    /// From here on what is written belongs to `key_group`.
    ///
    /// # Errors
    /// IllegalState when it is not one of [`KeyedStateCheckpointOutputStream::key_group_list`], or was started before.
    pub fn start_new_key_group(&mut self, key_group: u32) -> Result<()> {
        let refused =
            |why: &str| Error::illegal_state("write raw keyed state", why).with("key_group", key_group);
        let offset = self
            .position_of(key_group)
            .and_then(|position| self.offsets.get_mut(position))
            .ok_or_else(|| {
                refused("the key group belongs to another operator instance").with("owned", self.range)
            })?;
        if *offset != NO_OFFSET_SET {
            return Err(refused("the key group was started before"));
        }
        *offset = self.bytes.len() as u64;
        self.current = Some(key_group);
        Ok(())
    }
    /// Whether `key_group` was started.
    pub fn is_key_group_already_started(&self, key_group: u32) -> bool {
        let offset = self.position_of(key_group).and_then(|p| self.offsets.get(p));
        offset.is_some_and(|offset| *offset != NO_OFFSET_SET)
    }
    /// Whether `key_group` was started, and another one after it.
    pub fn is_key_group_already_finished(&self, key_group: u32) -> bool {
        self.is_key_group_already_started(key_group) && self.current != Some(key_group)
    }
    /// The key group that was started last.
    pub fn current_key_group(&self) -> Option<u32> {
        self.current
    }
    /// Stores what was written. None when nothing was.
    ///
    /// # Errors
    /// Io when the storage refuses.
    pub fn close_and_get_handle(
        self,
        streams: &dyn CheckpointStreamFactory,
    ) -> Result<Option<KeyedStateHandle>> {
        Ok(store(&self.bytes, streams)?.map(|stream| {
            KeyedStateHandle::KeyGroups(KeyGroupsStateHandle {
                range: self.range,
                offsets: self.offsets,
                stream,
                savepoint: false,
            })
        }))
    }

    fn position_of(&self, key_group: u32) -> Option<usize> {
        let owned = self.range.contains(key_group);
        owned.then(|| (key_group - self.range.first()) as usize)
    }
}

impl Write for KeyedStateCheckpointOutputStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.current.is_none() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                Error::illegal_state("write raw keyed state", "no key group was started")
                    .hint("call start_new_key_group before writing"),
            ));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What one key group has of raw keyed state. Flink's `KeyGroupStatePartitionStreamProvider`.
#[derive(Clone)]
pub struct KeyGroupStatePartitionStreamProvider {
    key_group: u32,
    reader: Arc<dyn StateHandleReader>,
    handle: Arc<KeyGroupsStateHandle>,
    range: (u64, u64),
}

impl KeyGroupStatePartitionStreamProvider {
    /// The key group.
    pub fn key_group_id(&self) -> u32 {
        self.key_group
    }
    /// Its bytes, from the first to the last that were written for it.
    pub fn stream(&self) -> RawStateStream {
        RawStateStream::new(&self.reader, &self.handle.stream, self.range.0..self.range.1)
    }
}

/// What the key groups `owned` have in `handles`, handle by handle, in the order of the key groups. Those that were never started
/// are left out.
///
/// # Errors
/// Unsupported for a handle that is no stream of key groups.
pub fn raw_keyed_state_inputs(
    handles: &[KeyedStateHandle],
    owned: KeyGroupRange,
    reader: &Arc<dyn StateHandleReader>,
) -> Result<Vec<KeyGroupStatePartitionStreamProvider>> {
    let mut inputs = Vec::new();
    for handle in handles {
        let KeyedStateHandle::KeyGroups(handle) = handle else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "restore raw keyed state",
                "the handle is an incremental snapshot, not a stream of key groups",
            ));
        };
        let handle = Arc::new(handle.clone());
        let mut ends: Vec<u64> = handle
            .offsets
            .iter()
            .copied()
            .filter(|o| *o != NO_OFFSET_SET)
            .collect();
        ends.push(handle.stream.size());
        ends.sort_unstable();
        for (key_group, offset) in handle.range.iter().zip(&handle.offsets) {
            if *offset == NO_OFFSET_SET || !owned.contains(key_group) {
                continue;
            }
            // A section ends where the next one begins, whichever key group's that is.
            let end = ends.get(ends.partition_point(|end| end <= offset));
            inputs.push(KeyGroupStatePartitionStreamProvider {
                key_group,
                reader: Arc::clone(reader),
                handle: Arc::clone(&handle),
                range: (*offset, end.copied().unwrap_or(*offset)),
            });
        }
    }
    Ok(inputs)
}
