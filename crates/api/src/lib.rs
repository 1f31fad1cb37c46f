//! What a user's job is written against: functions and their contexts, sources, sinks, watermark strategies, windows.
//!
//! User functions depend on this layer alone and never on how the embedded engine runs them (decision D3): the same
//! function object must later run inside a Flink task. So nothing here knows tasks, channels or the coordinator.

pub mod collector;
pub mod function;
pub mod side_output;
pub mod sink;
pub mod source;
pub mod time;
pub mod watermark;
pub mod window;

pub use collector::{Collector, Output};
pub use side_output::{OutputTag, SideOutputs};
pub use sink::{
    CommitRequest, Committer, CommitterInitContext, Sink, SinkContext, SinkWriter, WriterInitContext,
};
pub use source::{
    Boundedness, InputStatus, Source, SourceOutput, SourceReader, SourceReaderContext, SourceSplit,
    SplitAssignment, SplitOutput,
};
pub use time::{NO_TIMESTAMP, Watermark};
pub use watermark::{WatermarkGenerator, WatermarkStrategy};

/// A type whose values flow through a stream.
///
/// Values are moved from thread to thread, never serialized; they are cloned only where one stream feeds two consumers
/// or is broadcast.
pub trait Data: Clone + Send + 'static {}

impl<T: Clone + Send + 'static> Data for T {}
