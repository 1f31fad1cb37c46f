//! Handles of channel state: the records that were on their way between two tasks when an unaligned checkpoint was taken.

use super::stream::StreamStateHandle;

/// What was on its way through one channel. Flink's `AbstractChannelStateHandle`.
///
/// The streams of several handles are usually the same file, of which each names its own parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelStateHandle<I> {
    /// The parallel instance that stored it.
    pub subtask: u32,
    /// Which of its channels it belongs to.
    pub info: I,
    /// Where in the stream each part begins: a length of four bytes, then so many bytes. The parts follow each other as one
    /// stream of elements.
    pub offsets: Vec<u64>,
    /// How many bytes the parts take, their lengths included.
    pub size: u64,
    /// The stream.
    pub stream: StreamStateHandle,
}

/// A channel on the side that reads it. Flink's `InputChannelInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputChannelInfo {
    /// Which of the edges into the vertex, counted from 0.
    pub gate: u32,
    /// Which channel of the edge: the sending instance's number.
    pub channel: u32,
}

/// A channel on the side that writes it. Flink's `ResultSubpartitionInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResultSubpartitionInfo {
    /// Which of the edges out of the vertex, counted from 0.
    pub partition: u32,
    /// Which channel of the edge: the receiving instance's number.
    pub subpartition: u32,
}

/// What was on its way on the reading side. Flink's `InputChannelStateHandle`.
pub type InputChannelStateHandle = ChannelStateHandle<InputChannelInfo>;

/// What was on its way on the writing side. Flink's `ResultSubpartitionStateHandle`.
pub type ResultSubpartitionStateHandle = ChannelStateHandle<ResultSubpartitionInfo>;
