//! The stream engine: job graph, tasks, channels, watermarks, checkpoints at work, restart.
//!
//! | module | what it holds |
//! |---|---|
//! | [`channel`] | bounded channels between tasks, with backpressure |
//! | [`datastream`] | how a job is written: environment and streams |
//! | [`element`] | what travels through channels |
//! | [`master`] | deploys a job, drives its checkpoints, restarts it, ends it |
//! | [`metrics`] | what a job measures, under Flink's names |
//! | [`operator`] | the operator contracts, and chains of operators |
//! | [`in_flight`] | records that an unaligned checkpoint overtakes |
//! | [`graph`] | a job as vertices and edges, ready to deploy |
//! | [`testing`] | runs one operator by hand, for tests of user functions |
//! | [`task`] | one parallel instance of a vertex: a step function over its inputs |
//! | [`watermark`] | the watermark of a task with several channels |
//!
//! This layer knows nothing of command lines and HTTP.

pub mod channel;
pub mod datastream;
pub mod element;
pub mod graph;
pub mod in_flight;
pub mod master;
pub mod metrics;
pub mod operator;
mod operators;
#[cfg(test)]
mod simulation;
pub mod task;
pub mod testing;
pub mod watermark;
