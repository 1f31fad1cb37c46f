//! Handles of channel state in `_metadata`: Flink's `ChannelStateHandleSerializerV1`, and in version 6 its `V2`, which puts a
//! byte for the kind before each handle.

use super::decode::{bad, read_long, read_stream, unknown, unsupported};
use super::encode::{count, int, long, write_stream};
use millpond_core::Result;
use millpond_state::handle::{
    ChannelStateHandle, InputChannelInfo, InputChannelStateHandle, ResultSubpartitionInfo,
    ResultSubpartitionStateHandle,
};
use millpond_types::{DataInput, DataOutput};

/// From this version on handles have a kind.
const VERSION_WITH_KINDS: i32 = 6;
const MERGED_INPUT_CHANNEL: u8 = 3;
const MERGED_RESULT_SUBPARTITION: u8 = 4;
/// Subtask, channel, number of offsets, size, tag of the stream.
const HANDLE_BYTES_MIN: usize = 4 + 8 + 4 + 8 + 1;

/// One side of a channel, as two numbers of the format.
pub(super) trait ChannelInfo: Sized {
    /// The byte of version 6.
    const KIND: u8;
    fn numbers(&self) -> (u32, u32);
    fn of(edge: u32, channel: u32) -> Self;
}

impl ChannelInfo for InputChannelInfo {
    const KIND: u8 = 1;
    fn numbers(&self) -> (u32, u32) {
        (self.gate, self.channel)
    }
    fn of(gate: u32, channel: u32) -> Self {
        InputChannelInfo { gate, channel }
    }
}

impl ChannelInfo for ResultSubpartitionInfo {
    const KIND: u8 = 2;
    fn numbers(&self) -> (u32, u32) {
        (self.partition, self.subpartition)
    }
    fn of(partition: u32, subpartition: u32) -> Self {
        ResultSubpartitionInfo {
            partition,
            subpartition,
        }
    }
}

/// The channel state of a subtask: the reading side, then the writing side.
pub(super) fn write(
    out: &mut DataOutput,
    input: &[InputChannelStateHandle],
    output: &[ResultSubpartitionStateHandle],
    version: i32,
) -> Result<()> {
    write_all(out, input, version)?;
    write_all(out, output, version)
}

fn write_all<I: ChannelInfo>(
    out: &mut DataOutput,
    handles: &[ChannelStateHandle<I>],
    version: i32,
) -> Result<()> {
    count(out, handles.len(), "channel states")?;
    for handle in handles {
        if version >= VERSION_WITH_KINDS {
            out.write_u8(I::KIND);
        }
        let (edge, channel) = handle.info.numbers();
        out.write_i32(int(handle.subtask, "subtask")?);
        out.write_i32(int(edge, "edge")?);
        out.write_i32(int(channel, "channel")?);
        count(out, handle.offsets.len(), "offsets")?;
        handle.offsets.iter().try_for_each(|o| long(out, *o, "offset"))?;
        long(out, handle.size, "size")?;
        write_stream(out, &handle.stream)?;
    }
    Ok(())
}

/// As [`write`] wrote it.
pub(super) fn read(
    input: &mut DataInput<'_>,
    version: i32,
) -> Result<(Vec<InputChannelStateHandle>, Vec<ResultSubpartitionStateHandle>)> {
    Ok((read_all(input, version)?, read_all(input, version)?))
}

fn read_all<I: ChannelInfo>(input: &mut DataInput<'_>, version: i32) -> Result<Vec<ChannelStateHandle<I>>> {
    let count = input.read_count(HANDLE_BYTES_MIN)?;
    let mut handles = Vec::with_capacity(count);
    for _ in 0..count {
        if version >= VERSION_WITH_KINDS {
            match input.read_u8()? {
                kind if kind == I::KIND => {}
                MERGED_INPUT_CHANNEL | MERGED_RESULT_SUBPARTITION => return Err(merged()),
                other => return Err(unknown("channel state handle", other)),
            }
        }
        handles.push(read_one(input)?);
    }
    Ok(handles)
}

fn read_one<I: ChannelInfo>(input: &mut DataInput<'_>) -> Result<ChannelStateHandle<I>> {
    let subtask = read_number(input, "subtask")?;
    let edge = read_number(input, "edge")?;
    let channel = read_number(input, "channel")?;
    let count = input.read_count(8)?;
    let mut offsets = Vec::with_capacity(count);
    for _ in 0..count {
        offsets.push(read_long(input, "offset")?);
    }
    Ok(ChannelStateHandle {
        subtask,
        info: I::of(edge, channel),
        offsets,
        size: read_long(input, "size")?,
        stream: read_stream(input)?,
    })
}

fn read_number(input: &mut DataInput<'_>, what: &str) -> Result<u32> {
    u32::try_from(input.read_i32()?).map_err(|_| bad(&format!("a number is negative: {what}")))
}

fn merged() -> millpond_core::Error {
    unsupported("records in flight in merged handles can't be restored").hint(
        "take a savepoint of the job (savepoints are always aligned), or a checkpoint with \
         execution.checkpointing.unaligned.recover-output-on-downstream.enabled: false",
    )
}
