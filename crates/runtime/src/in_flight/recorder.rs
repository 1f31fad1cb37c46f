//! Gathers what a task's channels held before their barriers, and writes it.

use super::codec::{RecordCodec, encode_watermark};
use crate::element::StreamElement;
use millpond_core::{CheckpointId, Error, Result};
use millpond_state::handle::{ChannelStateHandle, InputChannelInfo, InputChannelStateHandle};
use millpond_state::stream::{CheckpointStreamFactory, CheckpointedStateScope};
use millpond_types::DataOutput;
use std::fmt;
use std::io::Write;
use std::sync::Arc;

/// The version of Flink's `ChannelStateSerializerImpl`: what a file of channel state begins with.
const SERIALIZATION_VERSION: i32 = 0;

/// One input channel, as checkpoints know it.
#[derive(Clone)]
pub struct InputChannel {
    /// The edge and the sending instance.
    pub info: InputChannelInfo,
    /// Writes its records; `None`: nobody knows how.
    pub codec: Option<Arc<dyn RecordCodec>>,
}

impl fmt::Debug for InputChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputChannel")
            .field("info", &self.info)
            .field("codec", &self.codec.as_ref().map(|c| c.record_type()))
            .finish()
    }
}

/// Gathers the channel state of one task, one checkpoint at a time.
pub(crate) struct InFlightRecorder {
    channels: Vec<InputChannel>,
    current: Option<Recording>,
}

struct Recording {
    checkpoint: CheckpointId,
    /// The elements of each channel.
    channels: Vec<DataOutput>,
    /// Set when a record could not be written: the checkpoint fails, not the task.
    failed: Option<Error>,
}

impl InFlightRecorder {
    pub(crate) fn new(channels: Vec<InputChannel>) -> Self {
        InFlightRecorder {
            channels,
            current: None,
        }
    }

    /// The checkpoint whose channel state is being gathered.
    pub(crate) fn checkpoint(&self) -> Option<CheckpointId> {
        self.current.as_ref().map(|c| c.checkpoint)
    }

    pub(crate) fn begin(&mut self, checkpoint: CheckpointId) {
        self.current = Some(Recording {
            checkpoint,
            channels: self.channels.iter().map(|_| DataOutput::new()).collect(),
            failed: None,
        });
    }

    /// Takes in an element of `channel`. Events are none: their sender sends them again after a restore.
    pub(crate) fn record(&mut self, channel: usize, element: &StreamElement) {
        let Some(recording) = &mut self.current else {
            return;
        };
        let (Some(out), Some(of)) = (recording.channels.get_mut(channel), self.channels.get(channel)) else {
            return;
        };
        let result = match element {
            StreamElement::Records(batch) => match &of.codec {
                Some(codec) => codec.encode(batch, out),
                None => Err(Error::illegal_state(
                    "store records in flight",
                    "the channel's records have no serializer",
                )),
            },
            StreamElement::Watermark(watermark) => encode_watermark(*watermark, out),
            StreamElement::WatermarkStatus(_)
            | StreamElement::Barrier(_)
            | StreamElement::CancelBarrier(_)
            | StreamElement::EndOfData
            | StreamElement::EndOfPartition => Ok(()),
        };
        if let Err(e) = result {
            let info = of.info;
            recording
                .failed
                .get_or_insert_with(|| e.with("edge", info.gate).with("channel", info.channel));
        }
    }

    /// The channel state, complete.
    ///
    /// # Errors
    /// The first that a record could not be written with.
    pub(crate) fn finish(&mut self) -> Result<InFlightData> {
        let Some(recording) = self.current.take() else {
            return Ok(InFlightData::default());
        };
        if let Some(error) = recording.failed {
            return Err(error);
        }
        let channels = self.channels.iter().map(|c| c.info).zip(recording.channels);
        Ok(InFlightData {
            channels: channels
                .filter(|(_, out)| !out.is_empty())
                .map(|(info, out)| (info, out.into_vec()))
                .collect(),
        })
    }

    pub(crate) fn stop(&mut self) {
        self.current = None;
    }
}

/// The channel state of one task, not stored yet.
#[derive(Debug, Default)]
pub(crate) struct InFlightData {
    channels: Vec<(InputChannelInfo, Vec<u8>)>,
}

impl InFlightData {
    /// Stores it in one stream; nothing where nothing was in flight.
    pub(crate) fn write(
        self,
        subtask: u32,
        streams: &dyn CheckpointStreamFactory,
    ) -> Result<Vec<InputChannelStateHandle>> {
        if self.channels.is_empty() {
            return Ok(Vec::new());
        }
        let mut stream = streams.create(CheckpointedStateScope::Exclusive)?;
        let failed = |e: std::io::Error| {
            Error::new(
                millpond_core::ErrorKind::Io,
                "store records in flight",
                "the stream refused",
            )
            .source(e)
        };
        stream
            .write_all(&SERIALIZATION_VERSION.to_be_bytes())
            .map_err(failed)?;
        let mut parts = Vec::with_capacity(self.channels.len());
        for (info, bytes) in self.channels {
            let length = i32::try_from(bytes.len()).map_err(|e| {
                Error::incompatible("store records in flight", "more than Flink's format can count")
                    .with("bytes", bytes.len())
                    .source(e)
            })?;
            let offset = stream.position();
            stream.write_all(&length.to_be_bytes()).map_err(failed)?;
            stream.write_all(&bytes).map_err(failed)?;
            parts.push((info, offset, stream.position().saturating_sub(offset)));
        }
        let stream = stream.close_and_get_handle()?;
        let handles = parts.into_iter().map(|(info, offset, size)| ChannelStateHandle {
            subtask,
            info,
            offsets: vec![offset],
            size,
            stream: stream.clone(),
        });
        Ok(handles.collect())
    }
}
