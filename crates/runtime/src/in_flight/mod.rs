//! Records in flight: what of the channels becomes part of an unaligned checkpoint, and how it comes back.
//!
//! | part | what it is |
//! |---|---|
//! | [`RecordCodec`] | writes the records of one edge, whose type only it knows, as Flink writes stream elements |
//! | `InFlightRecorder` | gathers what a task's channels held before their barriers |
//! | [`RestoredChannel`] | what a task has to process before it takes new input |
//!
//! On the normal path nothing here is called: records are moved, never serialized. `docs/checkpointing.md` says which
//! records are in flight, and the format.

mod codec;
mod recorder;
mod restored;
#[cfg(test)]
mod tests;

pub use codec::{RecordCodec, StreamElementCodec, Wanted};
pub use recorder::InputChannel;
pub(crate) use recorder::{InFlightData, InFlightRecorder};
pub(crate) use restored::read_channels;
pub use restored::{ChannelPart, RestoredChannel};
