//! The canonical keyed snapshot: one stream, indexed by key group, that every backend restores and Flink reads.
//!
//! After the header comes, for each key group that has entries: for each state with entries in it, the state's id
//! (`u16`) and its pairs, the last of which carries [`META_DATA_FOLLOWS`]; then the mark of the end. A key group without
//! entries has the offset 0. If the header says so, each key group is compressed by itself. Layout: Flink's `FullSnapshotAsyncWriter`.

use super::compression::{Compressor, decompress, write_run};
use super::header::{Header, write_header};
use super::pairs::{META_DATA_FOLLOWS, PairBuffers, PairWriter, key_group_prefix_bytes, read_pair};
use super::{SnapshotResult, SnapshotSource, io_error};
use crate::handle::{KeyGroupsStateHandle, KeyedStateHandle};
use crate::stream::{CheckpointStreamFactory, CheckpointedStateScope, StateHandleReader};
use bytes::Bytes;
use millpond_core::{Error, Result};
use millpond_types::{DataInput, DataOutput, KeyGroupRange};
use std::io::Write;

/// Stands where a state id would, after the last state of a key group.
const END_OF_KEY_GROUP_MARK: u16 = 0xffff;

/// Writes a whole snapshot.
pub(crate) fn write(
    source: &SnapshotSource,
    streams: &dyn CheckpointStreamFactory,
    savepoint: bool,
) -> Result<SnapshotResult> {
    if source.states.is_empty() {
        return Ok(SnapshotResult {
            handle: None,
            entries_written: 0,
            state_size: 0,
        });
    }
    let mut stream = streams.create(CheckpointedStateScope::Exclusive)?;
    let mut header = DataOutput::new();
    write_header(source, &mut header)?;
    stream.write_all(header.as_slice()).map_err(io_error)?;
    let mut offsets = Vec::with_capacity(source.range.count());
    let mut buffers = PairBuffers::default();
    let mut compressor = source.compressed.then(Compressor::new);
    let mut entries = 0;
    for (group, key_group) in source.range.iter().enumerate() {
        let offset = stream.position();
        let of_group = write_run(compressor.as_mut(), &mut *stream, |out| {
            write_key_group(source, group, key_group, out, &mut buffers)
        })?;
        offsets.push(if of_group == 0 { 0 } else { offset });
        entries += of_group;
    }
    let stream = stream.close_and_get_handle()?;
    Ok(SnapshotResult {
        entries_written: entries,
        state_size: stream.size(),
        handle: Some(KeyedStateHandle::KeyGroups(KeyGroupsStateHandle {
            range: source.range,
            offsets,
            stream,
            savepoint,
        })),
    })
}

/// Writes the entries of the `group`th key group, and says how many they are.
fn write_key_group(
    source: &SnapshotSource,
    group: usize,
    key_group: u32,
    out: &mut dyn Write,
    buffers: &mut PairBuffers,
) -> Result<u64> {
    let prefix_bytes = key_group_prefix_bytes(source.max_parallelism);
    let mut entries = 0;
    for (id, state) in source.states.iter().enumerate() {
        let mut pairs = PairWriter::new(out, buffers, key_group, prefix_bytes).under(id as u16);
        for shard in 0..state.shard_count(group) {
            state
                .write_shard(group, shard, &mut pairs)
                .map_err(|e| e.with("state", &state.meta().name))?;
        }
        entries += pairs.finish(true)?;
    }
    if entries > 0 {
        out.write_all(&END_OF_KEY_GROUP_MARK.to_be_bytes())
            .map_err(io_error)?;
    }
    Ok(entries)
}

/// Reads the parts of a snapshot that belong to `range`: its header, and for each state (by its id) and key group the
/// bytes of its pairs.
pub(crate) fn read(
    handle: &KeyGroupsStateHandle,
    reader: &dyn StateHandleReader,
    range: KeyGroupRange,
    mut pairs: impl FnMut(usize, u32, Bytes),
) -> Result<Header> {
    let size = handle.stream.size();
    if handle.offsets.len() != handle.range.count() {
        return Err(corrupt("the handle does not have one offset for each key group"));
    }
    let mut starts: Vec<u64> = handle.offsets.iter().copied().filter(|o| *o != 0).collect();
    starts.sort_unstable();
    if starts.last().is_some_and(|last| *last >= size) {
        return Err(corrupt("a key group starts behind the end of the stream")
            .with("at", starts.last().copied().unwrap_or_default())
            .with("bytes", size));
    }
    let header_end = starts.first().copied().unwrap_or(size);
    let bytes = reader.read_range(&handle.stream, 0..header_end)?;
    let mut input = DataInput::new(&bytes);
    let header = Header::read(&mut input).map_err(|e| e.with("at", input.position()))?;
    if !input.is_empty() {
        return Err(corrupt("more bytes than the header takes")
            .with("at", input.position())
            .with("bytes_left", input.remaining()));
    }
    let end_of = |start: u64| {
        let next = starts.partition_point(|s| *s <= start);
        starts.get(next).copied().unwrap_or(size)
    };
    let wanted: Vec<(u32, u64)> = handle
        .range
        .iter()
        .zip(handle.offsets.iter().copied())
        .filter(|(key_group, offset)| *offset != 0 && range.contains(*key_group))
        .collect();
    let first = wanted.iter().map(|(_, start)| *start).min().unwrap_or(0);
    let last = wanted.iter().map(|(_, start)| end_of(*start)).max().unwrap_or(0);
    let bytes = reader.read_range(&handle.stream, first..last)?;
    for (key_group, start) in wanted {
        let (from, to) = ((start - first) as usize, (end_of(start) - first) as usize);
        if to > bytes.len() {
            return Err(corrupt("the stream is shorter than it should be").with("at", start));
        }
        let group = bytes.slice(from..to);
        let content = if header.compressed {
            decompress(&group, |_, _| ()).map(Bytes::from)
        } else {
            Ok(group)
        };
        content
            .and_then(|content| {
                split(&content, header.states.len(), |s, bytes| {
                    pairs(s, key_group, bytes)
                })
            })
            .map_err(|e| e.with("key_group", key_group).with("start", start))?;
    }
    Ok(header)
}

/// Finds the pairs of each state in a key group's bytes, decompressed. Errors say where in them.
fn split(bytes: &Bytes, states: usize, pairs: impl FnMut(usize, Bytes)) -> Result<()> {
    let mut input = DataInput::new(bytes);
    split_input(&mut input, bytes, states, pairs).map_err(|e| e.with("at", input.position()))
}

fn split_input(
    input: &mut DataInput<'_>,
    bytes: &Bytes,
    states: usize,
    mut pairs: impl FnMut(usize, Bytes),
) -> Result<()> {
    loop {
        let state = input.read_u16()?;
        if state == END_OF_KEY_GROUP_MARK {
            break;
        }
        if usize::from(state) >= states {
            return Err(corrupt("entries of a state that is not described").with("state_id", state));
        }
        let start = input.position();
        loop {
            let (key, _) = read_pair(input)?;
            match key.first() {
                Some(first) if first & META_DATA_FOLLOWS != 0 => break,
                Some(_) => {}
                None => return Err(corrupt("a key is empty")),
            }
        }
        pairs(usize::from(state), bytes.slice(start..input.position()));
    }
    if input.is_empty() {
        return Ok(());
    }
    Err(corrupt("bytes after the end of a key group").with("bytes_left", input.remaining()))
}

fn corrupt(message: &'static str) -> Error {
    Error::corrupt("read keyed snapshot", message)
}
