//! Incremental snapshots of in-memory state: each checkpoint writes the shards that changed, and names the files of the
//! last completed checkpoint for the others. The format is described in `docs/heap-incremental.md`.
//!
//! The base is always a checkpoint that this backend instance was told is complete, never one that is pending or was
//! aborted: only its files are sure to exist. A shard is unchanged when the snapshot that froze it is not younger than the
//! base, for then the base holds it as it is.

use super::compression::{Compressor, decompress, write_run};
use super::header::Header;
use super::manifest::{Manifest, ShardLocation, StateLocations, shards_of, write_manifest};
use super::pairs::{PairBuffers, PairWriter, key_group_prefix_bytes};
use super::{SnapshotResult, SnapshotSource, StateMetaInfoSnapshot, io_error};
use crate::handle::{
    HandleAndLocalPath, IncrementalRemoteKeyedStateHandle, KeyedStateHandle, StreamStateHandle,
};
use crate::stream::{
    CheckpointOutputStream, CheckpointStreamFactory, CheckpointedStateScope, StateHandleReader,
};
use bytes::Bytes;
use millpond_core::{CheckpointId, Error, Result};
use millpond_types::{DataOutput, KeyGroupRange};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// A file is named again only while at least one part in so many of its bytes is live; else its live shards are written
/// anew. So the files of a checkpoint take at most this times the bytes of its state.
const SPACE_AMPLIFICATION_MAX: u64 = 2;
/// How many older files a checkpoint names at most; the smallest are written anew beyond that.
const OLD_FILES_MAX: usize = 64;

/// What a backend knows of its incremental checkpoints.
#[derive(Debug)]
pub(crate) struct IncrementalSnapshots {
    backend_id: String,
    base: Option<Arc<Written>>,
    pending: Arc<Mutex<BTreeMap<CheckpointId, Arc<Written>>>>,
}

/// A checkpoint that was written, by shards.
#[derive(Debug)]
struct Written {
    epoch: u64,
    files: Vec<HandleAndLocalPath>,
    states: Vec<(StateMetaInfoSnapshot, StateLocations)>,
}

/// The asynchronous part of one incremental snapshot.
pub(crate) struct IncrementalSnapshot {
    backend_id: String,
    checkpoint: CheckpointId,
    epoch: u64,
    base: Option<Arc<Written>>,
    pending: Arc<Mutex<BTreeMap<CheckpointId, Arc<Written>>>>,
}

impl IncrementalSnapshots {
    pub(crate) fn new(backend_id: String) -> Self {
        IncrementalSnapshots {
            backend_id,
            base: None,
            pending: Arc::default(),
        }
    }

    /// The asynchronous part of `checkpoint`, whose frozen shards belong to `epoch`.
    pub(crate) fn begin(&self, checkpoint: CheckpointId, epoch: u64) -> IncrementalSnapshot {
        IncrementalSnapshot {
            backend_id: self.backend_id.clone(),
            checkpoint,
            epoch,
            base: self.base.clone(),
            pending: Arc::clone(&self.pending),
        }
    }

    /// Makes `checkpoint` the base of later ones, unless a younger one is. A checkpoint that was not incremental, or not
    /// ours, changes nothing.
    pub(crate) fn completed(&mut self, checkpoint: CheckpointId) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let younger = pending.split_off(&checkpoint.saturating_add(1));
        let written = pending.remove(&checkpoint);
        *pending = younger;
        if let Some(written) = written
            && self.base.as_ref().is_none_or(|b| b.epoch < written.epoch)
        {
            self.base = Some(written);
        }
    }

    /// Forgets `checkpoint`.
    pub(crate) fn aborted(&mut self, checkpoint: CheckpointId) {
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&checkpoint);
    }
}

/// What is taken over from the base: for each state, key group and shard where it lies, if it is unchanged.
type Reused = Vec<Vec<Vec<Option<ShardLocation>>>>;

impl IncrementalSnapshot {
    /// Writes the changed shards and the manifest.
    pub(crate) fn write(
        self,
        source: &SnapshotSource,
        streams: &dyn CheckpointStreamFactory,
    ) -> Result<SnapshotResult> {
        if source.states.is_empty() {
            return Ok(SnapshotResult {
                handle: None,
                entries_written: 0,
                state_size: 0,
            });
        }
        let mut reused = self.reused(source);
        let mut files = self.keep_files(&mut reused);
        let new_file = files.len() as u32;
        let mut out = ShardFile::new(streams);
        let (states, entries_written) = write_shards(source, &reused, new_file, &mut out)?;
        let new_bytes = out.length;
        if let Some(stream) = out.close()? {
            files.push(HandleAndLocalPath {
                local_path: format!("{:06}.shards", self.checkpoint),
                stream,
            });
        }
        let names: Vec<String> = files.iter().map(|f| f.local_path.clone()).collect();
        let mut manifest = DataOutput::new();
        write_manifest(source, &names, &states, &mut manifest)?;
        let mut stream = streams.create(CheckpointedStateScope::Exclusive)?;
        stream.write_all(manifest.as_slice()).map_err(io_error)?;
        let meta = stream.close_and_get_handle()?;
        let live: u64 = states.iter().flatten().flatten().map(|s| s.length).sum();
        let written = Written {
            epoch: self.epoch,
            files: files.clone(),
            states: source
                .states
                .iter()
                .map(|s| s.meta().clone())
                .zip(states)
                .collect(),
        };
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(self.checkpoint, Arc::new(written));
        Ok(SnapshotResult {
            entries_written,
            state_size: live + meta.size(),
            handle: Some(KeyedStateHandle::Incremental(IncrementalRemoteKeyedStateHandle {
                backend_id: self.backend_id,
                range: source.range,
                checkpoint_id: self.checkpoint,
                shared: files,
                private: Vec::new(),
                checkpointed_size: new_bytes + meta.size(),
                meta,
            })),
        })
    }

    /// Where the unchanged shards lie in the base's files.
    fn reused(&self, source: &SnapshotSource) -> Reused {
        let states = source.states.iter().map(|state| {
            let old = self.base.as_ref().and_then(|base| {
                let same = base.states.iter().find(|(meta, _)| meta == state.meta());
                same.map(|(_, locations)| (base.epoch, locations))
            });
            let group = |group: usize| {
                let location = |shard| {
                    let (epoch, locations) = old?;
                    let unchanged = state.since(group, shard)? <= epoch;
                    unchanged.then(|| locations.get(group)?.get(shard).copied())?
                };
                shards_of(&**state, group).map(location).collect()
            };
            (0..source.range.count()).map(group).collect()
        });
        states.collect()
    }

    /// Chooses the base's files that are worth keeping, renumbers them in `reused`, and drops from it what lies in others.
    fn keep_files(&self, reused: &mut Reused) -> Vec<HandleAndLocalPath> {
        let Some(base) = &self.base else {
            return Vec::new();
        };
        let mut live = vec![0u64; base.files.len()];
        for location in reused.iter().flatten().flatten().flatten() {
            if let Some(live) = live.get_mut(location.file as usize) {
                *live += location.length;
            }
        }
        let mut keep: Vec<usize> = (0..base.files.len())
            .filter(|i| {
                let size = base.files.get(*i).map_or(0, |f| f.stream.size());
                let live = live.get(*i).copied().unwrap_or(0);
                live > 0 && live.saturating_mul(SPACE_AMPLIFICATION_MAX) >= size
            })
            .collect();
        keep.sort_by_key(|i| std::cmp::Reverse(live.get(*i).copied()));
        keep.truncate(OLD_FILES_MAX);
        keep.sort_unstable();
        for slot in reused.iter_mut().flatten().flatten() {
            if let Some(location) = slot
                && location.length > 0
            {
                match keep.binary_search(&(location.file as usize)) {
                    Ok(new) => location.file = new as u32,
                    Err(_) => *slot = None,
                }
            }
        }
        keep.iter().filter_map(|i| base.files.get(*i).cloned()).collect()
    }
}

fn write_shards(
    source: &SnapshotSource,
    reused: &Reused,
    new_file: u32,
    out: &mut ShardFile<'_>,
) -> Result<(Vec<StateLocations>, u64)> {
    let prefix_bytes = key_group_prefix_bytes(source.max_parallelism);
    let mut buffers = PairBuffers::default();
    let mut compressor = source.compressed.then(Compressor::new);
    let mut entries = 0;
    let mut states = Vec::with_capacity(source.states.len());
    for (state, reused) in source.states.iter().zip(reused) {
        let mut groups = Vec::with_capacity(reused.len());
        for (group, (key_group, reused)) in source.range.iter().zip(reused).enumerate() {
            let mut shards = Vec::with_capacity(reused.len());
            for (shard, reused) in reused.iter().enumerate() {
                if let Some(location) = reused {
                    shards.push(*location);
                    continue;
                }
                let offset = out.begin_shard();
                entries += write_run(compressor.as_mut(), out, |out| {
                    let mut pairs = PairWriter::new(out, &mut buffers, key_group, prefix_bytes);
                    state
                        .write_shard(group, shard, &mut pairs)
                        .map_err(|e| e.with("state", &state.meta().name))?;
                    pairs.finish(false)
                })?;
                let length = out.length - offset;
                shards.push(ShardLocation {
                    file: if length == 0 { 0 } else { new_file },
                    offset,
                    length,
                    crc32c: out.crc32c,
                });
            }
            groups.push(shards);
        }
        states.push(groups);
    }
    Ok((states, entries))
}

/// The file that a checkpoint's changed shards go to; it is created with the first byte.
struct ShardFile<'a> {
    streams: &'a dyn CheckpointStreamFactory,
    stream: Option<Box<dyn CheckpointOutputStream>>,
    length: u64,
    /// Of the bytes since the shard began.
    crc32c: u32,
    /// Why the stream could not be created.
    failed: Option<Error>,
}

impl<'a> ShardFile<'a> {
    fn new(streams: &'a dyn CheckpointStreamFactory) -> Self {
        ShardFile {
            streams,
            stream: None,
            length: 0,
            crc32c: 0,
            failed: None,
        }
    }
    fn begin_shard(&mut self) -> u64 {
        self.crc32c = 0;
        self.length
    }
    fn close(self) -> Result<Option<StreamStateHandle>> {
        match (self.failed, self.stream) {
            (Some(e), _) => Err(e),
            (None, stream) => stream.map(|s| s.close_and_get_handle()).transpose(),
        }
    }
}

impl Write for ShardFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.stream.is_none() {
            match self.streams.create(CheckpointedStateScope::Shared) {
                Ok(stream) => self.stream = Some(stream),
                Err(e) => return Err(std::io::Error::other(e)),
            }
        }
        let written = match &mut self.stream {
            Some(stream) => stream.write(bytes)?,
            None => 0,
        };
        let done = bytes.get(..written).unwrap_or(bytes);
        self.crc32c = crc32c::crc32c_append(self.crc32c, done);
        self.length += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cold]
fn of_rocksdb(handle: &IncrementalRemoteKeyedStateHandle) -> Error {
    Error::incompatible(
        "restore keyed state",
        "the snapshot is an incremental one of the RocksDB backend, which no other backend reads",
    )
    .with("checkpoint", handle.checkpoint_id)
    .with("key_groups", handle.range)
    .hint("restore it with `state.backend.type: rocksdb`, take a canonical savepoint there, and start from that")
}

/// Shards of one file that are read together when the gap between them is at most so many bytes.
const GAP_BYTES_MAX: u64 = 64 * 1024;
/// At most so many bytes are read at once.
const READ_BYTES_MAX: u64 = 16 << 20;

/// Reads the shards that belong to `range`.
pub(crate) fn read(
    handle: &IncrementalRemoteKeyedStateHandle,
    reader: &dyn StateHandleReader,
    range: KeyGroupRange,
    mut pairs: impl FnMut(usize, u32, Bytes),
) -> Result<Header> {
    if handle.is_of_rocksdb() {
        return Err(of_rocksdb(handle));
    }
    let bytes = reader.read_range(&handle.meta, 0..handle.meta.size())?;
    let manifest = Manifest::read(&bytes)?;
    let mut by_file: BTreeMap<u32, Vec<(ShardLocation, usize, u32)>> = BTreeMap::new();
    for (state, groups) in manifest.states.iter().enumerate() {
        for (key_group, shards) in manifest.range.iter().zip(groups) {
            if !range.contains(key_group) {
                continue;
            }
            for shard in shards.iter().filter(|s| s.length > 0) {
                by_file
                    .entry(shard.file)
                    .or_default()
                    .push((*shard, state, key_group));
            }
        }
    }
    for (file, mut shards) in by_file {
        shards.sort_by_key(|(s, _, _)| s.offset);
        let first = shards.first().map(|(s, _, _)| s.offset).unwrap_or_default();
        let name = manifest.files.get(file as usize).ok_or_else(|| {
            corrupt("a shard lies in a file that the manifest does not name")
                .with("file", file)
                .with("offset", first)
        })?;
        let found = handle.shared.iter().find(|f| f.local_path == *name);
        let stream = &found
            .ok_or_else(|| {
                corrupt("the manifest names a file that the handle lacks")
                    .with("file", name)
                    .with("offset", first)
            })?
            .stream;
        read_file(reader, stream, &shards, manifest.header.compressed, &mut pairs)
            .map_err(|e| e.with("file", name))?;
    }
    Ok(manifest.header)
}

fn read_file(
    reader: &dyn StateHandleReader,
    stream: &StreamStateHandle,
    shards: &[(ShardLocation, usize, u32)],
    compressed: bool,
    pairs: &mut impl FnMut(usize, u32, Bytes),
) -> Result<()> {
    let mut rest = shards;
    while let Some((first, _, _)) = rest.first() {
        let start = first.offset;
        let mut end = start;
        let mut count = 0;
        for (shard, _, _) in rest {
            let shard_end = shard
                .offset
                .checked_add(shard.length)
                .filter(|end| *end <= stream.size())
                .ok_or_else(|| {
                    corrupt("a shard lies behind the end of its file")
                        .with("offset", shard.offset)
                        .with("length", shard.length)
                        .with("bytes", stream.size())
                })?;
            let apart =
                shard.offset > end.saturating_add(GAP_BYTES_MAX) || shard_end - start > READ_BYTES_MAX;
            if count > 0 && apart {
                break;
            }
            end = end.max(shard_end);
            count += 1;
        }
        let bytes = reader.read_range(stream, start..end)?;
        let (now, later) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        for (shard, state, key_group) in now {
            let from = (shard.offset - start) as usize;
            let to = from + shard.length as usize;
            if to > bytes.len() {
                return Err(corrupt("the file is shorter than it should be").with("offset", shard.offset));
            }
            let bytes = bytes.slice(from..to);
            if crc32c::crc32c(&bytes) != shard.crc32c {
                return Err(corrupt("a shard does not match its checksum").with("offset", shard.offset));
            }
            let content = if compressed {
                decompress(&bytes, |_, _| ())
                    .map_err(|e| e.with("offset", shard.offset))?
                    .into()
            } else {
                bytes
            };
            pairs(*state, *key_group, content);
        }
        rest = later;
    }
    Ok(())
}

fn corrupt(message: &'static str) -> Error {
    Error::corrupt("read incremental snapshot", message)
}
