//! Records in flight of a snapshot, on their way back into a channel.

use super::codec::Wanted;
use super::recorder::InputChannel;
use crate::element::StreamElement;
use millpond_core::{Error, Result};
use millpond_state::handle::StreamStateHandle;
use millpond_state::stream::StateHandleReader;
use millpond_types::KeyGroupRange;

const LENGTH_BYTES: u64 = 4;

/// What one channel of a snapshot held, for one channel of the task that is to process it.
#[derive(Clone, Debug)]
pub struct RestoredChannel {
    /// The task's channel.
    pub channel: usize,
    /// Where the elements are; a record may begin in one part and end in the next.
    pub parts: Vec<ChannelPart>,
    /// The key groups whose records are this task's; `None`: all.
    pub key_groups: Option<KeyGroupRange>,
    /// Whether watermarks are taken over: only while the channel leads from and to the same instances as before.
    pub watermarks: bool,
}

/// Some bytes of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelPart {
    /// The stream.
    pub stream: StreamStateHandle,
    /// Where in it the part's length stands, followed by the part.
    pub offset: u64,
}

/// What the task's channels have to deliver before all else, for each channel that has something.
pub(crate) fn read_channels(
    restored: &[RestoredChannel],
    channels: &[InputChannel],
    reader: &dyn StateHandleReader,
) -> Result<Vec<(usize, Vec<StreamElement>)>> {
    let mut all: Vec<(usize, Vec<StreamElement>)> = Vec::new();
    for one in restored {
        let codec = channels
            .get(one.channel)
            .and_then(|c| c.codec.as_ref())
            .ok_or_else(|| {
                Error::illegal_state(
                    "restore records in flight",
                    "the channel's records have no serializer",
                )
                .with("channel", one.channel)
            })?;
        let mut bytes = Vec::new();
        for part in &one.parts {
            read_part(part, reader, &mut bytes)?;
        }
        let wanted = Wanted {
            key_groups: one.key_groups,
            watermarks: one.watermarks,
        };
        let elements = codec.decode(&bytes, wanted).map_err(|e| {
            e.hint(
                "records in flight are read as the type that the edge carries now; if it was changed, start the job as it was, \
                 take a savepoint, and start the changed job from that",
            )
        })?;
        match all.iter_mut().find(|(channel, _)| *channel == one.channel) {
            Some((_, known)) => known.extend(elements),
            None => all.push((one.channel, elements)),
        }
    }
    Ok(all)
}

fn read_part(part: &ChannelPart, reader: &dyn StateHandleReader, bytes: &mut Vec<u8>) -> Result<()> {
    let size = part.stream.size();
    let start = part.offset.saturating_add(LENGTH_BYTES);
    let beyond = || {
        Error::corrupt("restore records in flight", "a part goes beyond its stream")
            .with("offset", part.offset)
            .with("size", size)
    };
    if start > size {
        return Err(beyond());
    }
    let field = reader.read_range(&part.stream, part.offset..start)?;
    let length = <[u8; 4]>::try_from(&*field)
        .ok()
        .and_then(|b| u64::try_from(i32::from_be_bytes(b)).ok())
        .ok_or_else(beyond)?;
    let end = start.saturating_add(length);
    if end > size {
        return Err(beyond());
    }
    bytes.extend_from_slice(&reader.read_range(&part.stream, start..end)?);
    Ok(())
}
