//! The stream engine: job graph, tasks, channels, watermarks, checkpoints at work, restart.
//!
//! | module | what it holds |
//! |---|---|
//! | [`element`] | what travels through channels |
//! | [`operator`] | the operator contracts, and chains of operators |
//! | [`graph`] | a job as vertices and edges, ready to deploy |
//! | [`task`] | one parallel instance of a vertex: a step function over its inputs |
//!
//! This layer knows nothing of command lines and HTTP.

pub mod element;
pub mod graph;
pub mod operator;
pub mod task;
