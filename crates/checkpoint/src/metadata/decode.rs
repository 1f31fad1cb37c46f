//! Reads `_metadata` of Flink's versions 3 to 6, which 1.11 to 2.3 write.
//!
//! What a Millpond job can't restore (changelog, and files that Flink merged) is refused by
//! name, never skipped: skipping would lose state without a word.

use super::properties::CheckpointProperties;
use super::{CheckpointMetadata, HEADER_MAGIC, OperatorState, channel, tag};
use bytes::Bytes;
use millpond_core::{Error, ErrorKind, OperatorId, Result};
use millpond_state::handle::{
    ByteStreamStateHandle, FileStateHandle, HandleAndLocalPath, IncrementalRemoteKeyedStateHandle,
    KeyGroupsStateHandle, KeyedStateHandle, NO_OFFSET_SET, OperatorStateHandle, OperatorStateMeta,
    OperatorStateMode, OperatorSubtaskState, SegmentFileStateHandle, StatePath, StreamStateHandle,
};
use millpond_types::key_group::MAX_PARALLELISM_LIMIT;
use millpond_types::{DataInput, KeyGroupRange};
use std::collections::BTreeMap;

const OPERATION: &str = "read _metadata";
const MASTER_STATE_MAGIC: u32 = 0xc96b_1696;
/// Operator id, parallelism, max parallelism, coordinator tag, number of subtasks.
const OPERATOR_BYTES_MIN: usize = 16 + 4 + 4 + 1 + 4;
/// A finished subtask: its index alone.
const SUBTASK_BYTES_MIN: usize = 4;
/// Name's length field, mode, number of offsets.
const OPERATOR_STATE_BYTES_MIN: usize = 2 + 1 + 4;
/// Name's length field, tag of the stream.
const FILE_BYTES_MIN: usize = 2 + 1;

impl CheckpointMetadata {
    /// Reads the bytes of a `_metadata` file.
    ///
    /// # Errors
    /// Corrupt when they are damaged or no metadata at all (use an older checkpoint); Unsupported for versions that
    /// Flink 1.10 and before wrote or that are newer than 6, and for state that only Flink restores.
    pub fn decode(bytes: &[u8]) -> Result<CheckpointMetadata> {
        let mut input = DataInput::new(bytes);
        let result = read_all(&mut input);
        result.map_err(|e| e.with("at", input.position()))
    }
}

fn read_all(input: &mut DataInput<'_>) -> Result<CheckpointMetadata> {
    if input.read_u32()? != HEADER_MAGIC {
        return Err(bad("not a checkpoint's or savepoint's metadata"));
    }
    let version = input.read_i32()?;
    if !(3..=6).contains(&version) {
        let error = unsupported("this version of the metadata can't be read").with("version", version);
        return Err(match version {
            ..3 => error.hint("restore it with Flink 1.11 to 1.20 and take a new savepoint"),
            _ => error.hint("it was written by a newer Flink; take a savepoint with Flink 2.3 or older"),
        });
    }
    let checkpoint_id = u64::try_from(input.read_i64()?).map_err(|_| bad("the checkpoint id is negative"))?;
    for _ in 0..input.read_count(8)? {
        skip_master_state(input)?;
    }
    let count = input.read_count(OPERATOR_BYTES_MIN)?;
    let mut operators = Vec::with_capacity(count);
    for _ in 0..count {
        operators.push(read_operator(input, version)?);
    }
    let properties = if version >= 4 {
        Some(CheckpointProperties::read_java(input)?)
    } else {
        None
    };
    if !input.is_empty() {
        return Err(bad("bytes left over at the end").with("left", input.remaining()));
    }
    Ok(CheckpointMetadata {
        checkpoint_id,
        operators,
        properties,
    })
}

/// Master states belong to hooks of Flink's JobManager; a restore without the hook ignores them in Flink, too.
fn skip_master_state(input: &mut DataInput<'_>) -> Result<()> {
    if input.read_u32()? != MASTER_STATE_MAGIC {
        return Err(bad("a master state doesn't open with its magic number"));
    }
    let length = input.read_count(1)?;
    input.read_bytes(length)?;
    Ok(())
}

fn read_operator(input: &mut DataInput<'_>, version: i32) -> Result<OperatorState> {
    let (mut name, mut uid) = (None, None);
    if version >= 5 {
        name = Some(input.read_utf()?).filter(|t| !t.is_empty());
        uid = Some(input.read_utf()?).filter(|t| !t.is_empty());
    }
    let mut id = [0; 16];
    id.copy_from_slice(input.read_bytes(16)?);
    let operator_id = OperatorId::from_bytes(id);
    let mut operator =
        read_operator_rest(input, operator_id, version).map_err(|e| e.with("operator", operator_id))?;
    (operator.name, operator.uid) = (name, uid);
    Ok(operator)
}

fn read_operator_rest(input: &mut DataInput<'_>, id: OperatorId, version: i32) -> Result<OperatorState> {
    let parallelism = read_parallelism(input)?;
    let max_parallelism = read_parallelism(input)?;
    if parallelism > max_parallelism {
        return Err(bad("the parallelism is above the max parallelism")
            .with("parallelism", parallelism)
            .with("max_parallelism", max_parallelism));
    }
    let mut operator = OperatorState::new(id, parallelism, max_parallelism);
    operator.coordinator = match read_stream_or_null(input)? {
        None => None,
        Some(StreamStateHandle::ByteStream(b)) => Some(b),
        Some(StreamStateHandle::File(_) | StreamStateHandle::Segment(_)) => {
            return Err(bad("a coordinator's state stands in a file"));
        }
    };
    let mut ahead = *input;
    if ahead.read_i32()? < 0 {
        *input = ahead;
        operator.fully_finished = true;
        return Ok(operator);
    }
    for _ in 0..input.read_count(SUBTASK_BYTES_MIN)? {
        let stored = input.read_i32()?;
        let index = (if stored < 0 { !stored } else { stored }).unsigned_abs();
        if index >= parallelism {
            return Err(bad("a subtask's number is not below the parallelism")
                .with("subtask", index)
                .with("parallelism", parallelism));
        }
        let fresh = if stored < 0 {
            operator.finished_subtasks.insert(index)
        } else {
            let state = read_subtask(input, version).map_err(|e| e.with("subtask", index))?;
            operator.subtasks.insert(index, state).is_none()
        };
        if !fresh || (operator.finished_subtasks.contains(&index) && operator.subtasks.contains_key(&index)) {
            return Err(bad("a subtask stands there twice").with("subtask", index));
        }
    }
    Ok(operator)
}

fn read_parallelism(input: &mut DataInput<'_>) -> Result<u32> {
    let n = input.read_i32()?;
    u32::try_from(n)
        .ok()
        .filter(|n| (1..=MAX_PARALLELISM_LIMIT).contains(n))
        .ok_or_else(|| bad("not a parallelism").with("parallelism", n))
}

fn read_subtask(input: &mut DataInput<'_>, version: i32) -> Result<OperatorSubtaskState> {
    let mut state = OperatorSubtaskState::default();
    if input.read_i32()? != 0 {
        state.managed_operator.extend(read_operator_state(input)?);
    }
    if input.read_i32()? != 0 {
        state.raw_operator.extend(read_operator_state(input)?);
    }
    state
        .managed_keyed
        .extend(read_keyed(input)?.map(without_unset_offsets));
    state.raw_keyed.extend(read_keyed(input)?);
    (state.input_channel, state.result_subpartition) = channel::read(input, version)?;
    Ok(state)
}

fn read_operator_state(input: &mut DataInput<'_>) -> Result<Option<OperatorStateHandle>> {
    match input.read_u8()? {
        tag::NULL => return Ok(None),
        tag::PARTITIONABLE_OPERATOR_STATE => {}
        tag::SEGMENT_PARTITIONABLE_OPERATOR_STATE => return Err(merged_files()),
        other => return Err(unknown("operator state handle", other)),
    }
    let mut states = BTreeMap::new();
    for _ in 0..input.read_count(OPERATOR_STATE_BYTES_MIN)? {
        let name = input.read_utf()?;
        let mode = match input.read_u8()? {
            0 => OperatorStateMode::SplitDistribute,
            1 => OperatorStateMode::Union,
            2 => OperatorStateMode::Broadcast,
            other => return Err(unknown("operator state mode", other)),
        };
        let count = input.read_count(8)?;
        let offsets = read_offsets(input, count)?;
        if states
            .insert(name.clone(), OperatorStateMeta { offsets, mode })
            .is_some()
        {
            return Err(bad("an operator state stands there twice").with("state", name));
        }
    }
    let stream = read_stream(input)?;
    Ok(Some(OperatorStateHandle { states, stream }))
}

fn read_keyed(input: &mut DataInput<'_>) -> Result<Option<KeyedStateHandle>> {
    Ok(Some(match input.read_u8()? {
        tag::NULL => return Ok(None),
        kind @ (tag::KEY_GROUPS | tag::KEY_GROUPS_V2 | tag::SAVEPOINT_KEY_GROUPS) => {
            let range = read_range(input)?;
            if input.remaining() / 8 < range.count() {
                return Err(bad("the input ends within the offsets of key groups"));
            }
            let offsets = read_key_group_offsets(input, range.count())?;
            let stream = read_stream(input)?;
            if kind == tag::KEY_GROUPS_V2 {
                input.read_utf()?; // Its id tells handles apart and says nothing about the state.
            }
            KeyedStateHandle::KeyGroups(KeyGroupsStateHandle {
                range,
                offsets,
                stream,
                savepoint: kind == tag::SAVEPOINT_KEY_GROUPS,
            })
        }
        kind @ (tag::INCREMENTAL_KEY_GROUPS | tag::INCREMENTAL_KEY_GROUPS_V2) => {
            KeyedStateHandle::Incremental(read_incremental(input, kind == tag::INCREMENTAL_KEY_GROUPS_V2)?)
        }
        8 | 9 | 10 | 13 | 14 => {
            return Err(
                unsupported("state of Flink's changelog backend can't be restored")
                    .hint("take a canonical savepoint of the job"),
            );
        }
        other => return Err(unknown("keyed state handle", other)),
    }))
}

fn read_incremental(input: &mut DataInput<'_>, has_size: bool) -> Result<IncrementalRemoteKeyedStateHandle> {
    let checkpoint_id = read_long(input, "checkpoint id")?;
    let backend_id = input.read_utf()?;
    let range = read_range(input)?;
    // Flink writes -1 where it doesn't know.
    let checkpointed_size = if has_size {
        u64::try_from(input.read_i64()?).ok()
    } else {
        None
    };
    let meta = read_stream(input)?;
    let shared = read_files(input)?;
    let private = read_files(input)?;
    if has_size {
        input.read_utf()?;
    }
    let size_of_all = || {
        shared
            .iter()
            .chain(&private)
            .map(|f| f.stream.size())
            .fold(meta.size(), u64::saturating_add)
    };
    Ok(IncrementalRemoteKeyedStateHandle {
        backend_id,
        range,
        checkpoint_id,
        checkpointed_size: checkpointed_size.unwrap_or_else(size_of_all),
        shared,
        private,
        meta,
    })
}

fn read_range(input: &mut DataInput<'_>) -> Result<KeyGroupRange> {
    let (first, count) = (input.read_i32()?, input.read_i32()?);
    let last = first.checked_add(count).and_then(|end| end.checked_sub(1));
    match (u32::try_from(first), last.map(u32::try_from)) {
        (Ok(first), Some(Ok(last))) => KeyGroupRange::new(first, last),
        _ => Err(bad("not a range of key groups")
            .with("first", first)
            .with("count", count)),
    }
}

fn read_files(input: &mut DataInput<'_>) -> Result<Vec<HandleAndLocalPath>> {
    let count = input.read_count(FILE_BYTES_MIN)?;
    let mut files = Vec::new();
    for _ in 0..count {
        files.push(HandleAndLocalPath {
            local_path: input.read_utf()?,
            stream: read_stream(input)?,
        });
    }
    Ok(files)
}

fn read_offsets(input: &mut DataInput<'_>, count: usize) -> Result<Vec<u64>> {
    let mut offsets = Vec::with_capacity(count);
    for _ in 0..count {
        offsets.push(input.read_i64()?.max(0).unsigned_abs());
    }
    Ok(offsets)
}

fn read_key_group_offsets(input: &mut DataInput<'_>, count: usize) -> Result<Vec<u64>> {
    let mut offsets = Vec::with_capacity(count);
    for _ in 0..count {
        offsets.push(u64::try_from(input.read_i64()?).unwrap_or(NO_OFFSET_SET));
    }
    Ok(offsets)
}

/// A key group without managed state has the offset of its neighbour in most backends, and -1 in some.
fn without_unset_offsets(mut handle: KeyedStateHandle) -> KeyedStateHandle {
    if let KeyedStateHandle::KeyGroups(h) = &mut handle {
        h.offsets
            .iter_mut()
            .filter(|offset| **offset == NO_OFFSET_SET)
            .for_each(|offset| *offset = 0);
    }
    handle
}

pub(super) fn read_stream(input: &mut DataInput<'_>) -> Result<StreamStateHandle> {
    read_stream_or_null(input)?.ok_or_else(|| bad("a handle names no stream"))
}

fn read_stream_or_null(input: &mut DataInput<'_>) -> Result<Option<StreamStateHandle>> {
    let file = |path, size| {
        StreamStateHandle::File(FileStateHandle {
            path,
            size,
            crc32c: None,
        })
    };
    Ok(Some(match input.read_u8()? {
        tag::NULL => return Ok(None),
        tag::BYTE_STREAM => {
            let name = input.read_utf()?;
            let length = input.read_count(1)?;
            StreamStateHandle::ByteStream(ByteStreamStateHandle {
                name,
                data: Bytes::copy_from_slice(input.read_bytes(length)?),
            })
        }
        tag::FILE_STREAM => {
            let size = read_long(input, "size")?;
            file(StatePath::Absolute(input.read_utf()?), size)
        }
        tag::RELATIVE_STREAM => {
            let path = StatePath::Relative(input.read_utf()?);
            file(path, read_long(input, "size")?)
        }
        tag::SEGMENT_FILE => StreamStateHandle::Segment(read_segment(input)?),
        16 => return Err(merged_files()),
        other => return Err(unknown("stream handle", other)),
    }))
}

/// A part of a merged file. How long the file is stands in the sidecar alone.
fn read_segment(input: &mut DataInput<'_>) -> Result<SegmentFileStateHandle> {
    let (start, size) = (read_long(input, "start")?, read_long(input, "size")?);
    let _scope = input.read_i32()?;
    let path = input.read_utf()?;
    if path.contains(':') || path.starts_with('/') {
        // Flink's are absolute, and nothing says how they move or how long they are.
        return Err(merged_files());
    }
    Ok(SegmentFileStateHandle {
        file: FileStateHandle {
            path: StatePath::Relative(path),
            // Two numbers that are below 2^63.
            size: start + size,
            crc32c: None,
        },
        start,
        size,
        name: input.read_utf()?,
    })
}

pub(super) fn read_long(input: &mut DataInput<'_>, what: &str) -> Result<u64> {
    u64::try_from(input.read_i64()?).map_err(|_| bad(&format!("a number is negative: {what}")))
}

pub(super) fn bad(why: &str) -> Error {
    Error::corrupt(OPERATION, why)
}

pub(super) fn unknown(what: &str, tag: u8) -> Error {
    bad(&format!("unknown kind of {what}")).with("kind", tag)
}

pub(super) fn unsupported(why: &str) -> Error {
    Error::new(ErrorKind::Unsupported, OPERATION, why)
}

fn merged_files() -> Error {
    unsupported("state in files that Flink merged can't be restored")
        .hint("take a savepoint, or a checkpoint with execution.checkpointing.file-merging.enabled: false")
}
