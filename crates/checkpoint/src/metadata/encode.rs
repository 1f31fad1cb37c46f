//! Writes `_metadata` as Flink's `MetadataV3Serializer` to `MetadataV6Serializer` do.

use super::handle_id::state_handle_id;
use super::{CheckpointMetadata, HEADER_MAGIC, OperatorState, VERSION_WRITTEN, channel, tag};
use millpond_core::{Error, Result};
use millpond_state::handle::{
    HandleAndLocalPath, KeyedStateHandle, NO_OFFSET_SET, OperatorStateHandle, OperatorStateMode,
    OperatorSubtaskState, StatePath, StreamStateHandle,
};
use millpond_types::{DataOutput, KeyGroupRange};

impl CheckpointMetadata {
    /// The bytes of `_metadata`, version [`VERSION_WRITTEN`].
    ///
    /// # Errors
    /// Incompatible when something doesn't fit the format: a name of more than 65,535 bytes, a number of 2³¹ or more,
    /// several keyed or operator states in one subtask (a subtask writes one of each).
    pub fn encode(&self) -> Result<Vec<u8>> {
        self.encode_version(VERSION_WRITTEN)
    }

    /// The bytes of `_metadata` in one of Flink's versions 3 to 6.
    ///
    /// # Errors
    /// As [`CheckpointMetadata::encode`]; Unsupported for another version; Incompatible when properties are missing that
    /// the version asks for.
    pub fn encode_version(&self, version: i32) -> Result<Vec<u8>> {
        if !(3..=6).contains(&version) {
            return Err(Error::new(
                millpond_core::ErrorKind::Unsupported,
                "write _metadata",
                "only versions 3 to 6 can be written",
            )
            .with("version", version));
        }
        let mut out = DataOutput::with_capacity(4096);
        out.write_u32(HEADER_MAGIC);
        out.write_i32(version);
        out.write_i64(i64::try_from(self.checkpoint_id).map_err(|_| too_large("checkpoint id"))?);
        out.write_i32(0); // Master states: hooks of Flink's JobManager, which nobody uses.
        count(&mut out, self.operators.len(), "operators")?;
        for operator in &self.operators {
            write_operator(&mut out, operator, version)
                .map_err(|e| e.with("operator", operator.operator_id))?;
        }
        if version >= 4 {
            let properties = self.properties.as_ref().ok_or_else(|| {
                Error::incompatible("write _metadata", "the snapshot's properties are missing")
            })?;
            properties.write_java(&mut out)?;
        }
        Ok(out.into_vec())
    }
}

fn write_operator(out: &mut DataOutput, operator: &OperatorState, version: i32) -> Result<()> {
    if version >= 5 {
        out.write_utf(operator.name.as_deref().unwrap_or(""))?;
        out.write_utf(operator.uid.as_deref().unwrap_or(""))?;
    }
    out.write_bytes(operator.operator_id.as_bytes());
    out.write_i32(int(operator.parallelism, "parallelism")?);
    out.write_i32(int(operator.max_parallelism, "max parallelism")?);
    match &operator.coordinator {
        None => out.write_u8(tag::NULL),
        Some(bytes) => write_stream(out, &StreamStateHandle::ByteStream(bytes.clone()))?,
    }
    if operator.fully_finished {
        out.write_i32(-1);
        return Ok(());
    }
    count(
        out,
        operator.subtasks.len() + operator.finished_subtasks.len(),
        "subtasks",
    )?;
    let mut indices: Vec<u32> = operator
        .subtasks
        .keys()
        .chain(&operator.finished_subtasks)
        .copied()
        .collect();
    indices.sort_unstable();
    for index in indices {
        let number = int(index, "subtask")?;
        if operator.finished_subtasks.contains(&index) {
            if operator.subtasks.contains_key(&index) {
                return Err(
                    Error::incompatible("write _metadata", "a subtask is finished and has state")
                        .with("subtask", index),
                );
            }
            out.write_i32(-number - 1);
        } else if let Some(state) = operator.subtasks.get(&index) {
            out.write_i32(number);
            write_subtask(out, state, version).map_err(|e| e.with("subtask", index))?;
        }
    }
    Ok(())
}

fn write_subtask(out: &mut DataOutput, state: &OperatorSubtaskState, version: i32) -> Result<()> {
    write_operator_states(out, &state.managed_operator, "operator states")?;
    write_operator_states(out, &state.raw_operator, "raw operator states")?;
    write_keyed_states(out, &state.managed_keyed, "keyed states")?;
    write_keyed_states(out, &state.raw_keyed, "raw keyed states")?;
    channel::write(out, &state.input_channel, &state.result_subpartition, version)
}

fn write_operator_states(out: &mut DataOutput, handles: &[OperatorStateHandle], what: &str) -> Result<()> {
    match single(handles, what)? {
        None => out.write_i32(0),
        Some(handle) => {
            out.write_i32(1);
            write_operator_state(out, handle)?;
        }
    }
    Ok(())
}

fn write_keyed_states(out: &mut DataOutput, handles: &[KeyedStateHandle], what: &str) -> Result<()> {
    match single(handles, what)? {
        None => out.write_u8(tag::NULL),
        Some(handle) => write_keyed(out, handle)?,
    }
    Ok(())
}

fn write_operator_state(out: &mut DataOutput, handle: &OperatorStateHandle) -> Result<()> {
    out.write_u8(tag::PARTITIONABLE_OPERATOR_STATE);
    count(out, handle.states.len(), "operator states")?;
    for (name, meta) in &handle.states {
        out.write_utf(name)?;
        out.write_u8(match meta.mode {
            OperatorStateMode::SplitDistribute => 0,
            OperatorStateMode::Union => 1,
            OperatorStateMode::Broadcast => 2,
        });
        count(out, meta.offsets.len(), "elements")?;
        meta.offsets.iter().try_for_each(|o| long(out, *o, "offset"))?;
    }
    write_stream(out, &handle.stream)
}

fn write_keyed(out: &mut DataOutput, handle: &KeyedStateHandle) -> Result<()> {
    match handle {
        KeyedStateHandle::KeyGroups(h) => {
            if h.offsets.len() != h.range.count() {
                return Err(
                    Error::incompatible("write _metadata", "not one offset for each key group")
                        .with("offsets", h.offsets.len())
                        .with("key_groups", h.range),
                );
            }
            out.write_u8(if h.savepoint {
                tag::SAVEPOINT_KEY_GROUPS
            } else {
                tag::KEY_GROUPS_V2
            });
            write_range(out, h.range)?;
            h.offsets.iter().try_for_each(|offset| {
                if *offset == NO_OFFSET_SET {
                    out.write_i64(-1);
                    return Ok(());
                }
                long(out, *offset, "offset")
            })?;
            write_stream(out, &h.stream)?;
            if !h.savepoint {
                out.write_utf(&state_handle_id(handle))?;
            }
        }
        KeyedStateHandle::Incremental(h) => {
            out.write_u8(tag::INCREMENTAL_KEY_GROUPS_V2);
            long(out, h.checkpoint_id, "checkpoint id")?;
            out.write_utf(&h.backend_id)?;
            write_range(out, h.range)?;
            long(out, h.checkpointed_size, "size")?;
            write_stream(out, &h.meta)?;
            write_files(out, &h.shared)?;
            write_files(out, &h.private)?;
            out.write_utf(&state_handle_id(handle))?;
        }
    }
    Ok(())
}

fn write_range(out: &mut DataOutput, range: KeyGroupRange) -> Result<()> {
    out.write_i32(int(range.first(), "key group")?);
    count(out, range.count(), "key groups")
}

fn write_files(out: &mut DataOutput, files: &[HandleAndLocalPath]) -> Result<()> {
    count(out, files.len(), "files")?;
    for file in files {
        out.write_utf(&file.local_path)?;
        write_stream(out, &file.stream)?;
    }
    Ok(())
}

/// The ordinal of Flink's `CheckpointedStateScope.EXCLUSIVE`: a merged file goes with its checkpoint.
const EXCLUSIVE: i32 = 0;

pub(super) fn write_stream(out: &mut DataOutput, stream: &StreamStateHandle) -> Result<()> {
    match stream {
        StreamStateHandle::ByteStream(b) => {
            out.write_u8(tag::BYTE_STREAM);
            out.write_utf(&b.name)?;
            count(out, b.data.len(), "bytes")?;
            out.write_bytes(&b.data);
        }
        StreamStateHandle::File(f) => match &f.path {
            StatePath::Relative(path) => {
                out.write_u8(tag::RELATIVE_STREAM);
                out.write_utf(path)?;
                long(out, f.size, "size")?;
            }
            StatePath::Absolute(path) => {
                out.write_u8(tag::FILE_STREAM);
                long(out, f.size, "size")?;
                out.write_utf(path)?;
            }
        },
        StreamStateHandle::Segment(s) => {
            let (StatePath::Relative(path) | StatePath::Absolute(path)) = &s.file.path;
            out.write_u8(tag::SEGMENT_FILE);
            long(out, s.start, "start")?;
            long(out, s.size, "size")?;
            out.write_i32(EXCLUSIVE);
            out.write_utf(path)?;
            out.write_utf(&s.name)?;
        }
    }
    Ok(())
}

fn single<'a, T>(list: &'a [T], what: &str) -> Result<Option<&'a T>> {
    match list {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        more => Err(Error::incompatible(
            "write _metadata",
            format!("a subtask may have one of its {what}, not several"),
        )
        .with("count", more.len())),
    }
}

pub(super) fn count(out: &mut DataOutput, n: usize, what: &str) -> Result<()> {
    out.write_i32(i32::try_from(n).map_err(|_| too_large(what))?);
    Ok(())
}

pub(super) fn int(n: u32, what: &str) -> Result<i32> {
    i32::try_from(n).map_err(|_| too_large(what))
}

pub(super) fn long(out: &mut DataOutput, n: u64, what: &str) -> Result<()> {
    out.write_i64(i64::try_from(n).map_err(|_| too_large(what))?);
    Ok(())
}

fn too_large(what: &str) -> Error {
    Error::incompatible(
        "write _metadata",
        format!("a number is too large for the format: {what}"),
    )
}
