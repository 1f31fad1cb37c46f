//! How a job is written: an environment, streams made from it, and what can be done with them. Flink's DataStream API.
//!
//! | type | what it is |
//! |---|---|
//! | [`StreamExecutionEnvironment`] | where a job begins: options, sources, the finished graph |
//! | [`DataStream`] | a stream of records of one type |
//! | [`SingleOutputStreamOperator`] | a stream together with the operator that it comes from, to be named and tuned |
//! | [`KeyedStream`] | a stream partitioned by key: state and timers |
//! | [`WindowedStream`] | a keyed stream in windows |
//! | [`BroadcastStream`] | a stream of which every instance gets all |
//! | [`ConnectedStreams`], [`KeyedConnectedStreams`], [`BroadcastConnectedStream`] | two streams of different types, processed together |
//! | [`DataStreamSink`] | the end of a stream |
//! | [`RestartStrategies`] | what happens when the job fails |
//!
//! Nothing runs here: every call adds to a graph, which [`StreamExecutionEnvironment::build_job_graph`] checks and turns
//! into a job that can be deployed. Streams are cheap to clone, and one stream may have several consumers.

mod connected;
mod environment;
mod keyed;
mod operator;
mod restart_strategies;
mod sink;
mod stream;
#[cfg(test)]
mod tests;
mod windowed;

pub use connected::{
    AsyncKeyedConnectedStreams, BroadcastConnectedStream, ConnectedStreams, KeyedConnectedStreams,
};
pub use environment::StreamExecutionEnvironment;
pub use keyed::{AsyncKeyedStream, KeyedStream};
pub use operator::SingleOutputStreamOperator;
pub use restart_strategies::{RestartStrategies, RestartStrategyConfiguration};
pub use sink::DataStreamSink;
pub use stream::{BroadcastStream, DataStream};
pub use windowed::WindowedStream;
