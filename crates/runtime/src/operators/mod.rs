//! The concrete operators: what runs user functions, sources and sinks inside a chain.
//!
//! Each counts its records in and out with plain stores (it is the only writer of its counters), wraps what a user function
//! returns as an error with the operator's name, and passes what the operators behind it fail with on as it is.

mod apply;
mod async_keyed;
mod co_process;
mod keyed;
mod meter;
mod opened;
mod process;
mod raw;
mod sink;
mod source;
#[cfg(test)]
mod tests;
mod user_code;
mod watermarks;
mod window;

pub(crate) use apply::{FilterOperator, FlatMapOperator, MapOperator, TryMapOperator};
pub(crate) use async_keyed::{AsyncKeyedCoProcessOperator, AsyncKeyedProcessOperator};
pub(crate) use co_process::CoProcessOperator;
pub(crate) use keyed::{
    KeyedBroadcastOperator, KeyedCoProcessOperator, KeyedProcessOperator, ReduceFunctionAdapter,
};
pub(crate) use process::ProcessOperator;
pub(crate) use sink::SinkOperator;
pub(crate) use source::SourceNode;
pub(crate) use watermarks::TimestampsAndWatermarksOperator;
pub(crate) use window::{
    AggregatedContents, ListedContents, PassThrough, ReducedContents, WindowOperator, WindowSpec,
};
