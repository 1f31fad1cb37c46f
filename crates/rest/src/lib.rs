//! The REST interface of a running job: Flink's paths and JSON, served by the job's own process, on loopback.
//!
//! | module | what it holds |
//! |---|---|
//! | [`server`] | answers for one job, on a thread of its own |
//! | [`registry`] | the folder in which running jobs are found |
//! | [`metrics`] | what the job measures, in Prometheus' text form |
//! | [`client`] | finds jobs and asks them; what the `millpond` command is built on |
//! | [`wire`] | the JSON that server and client exchange |
//!
//! Which paths exist and which fields of Flink's are left out stands in `docs/rest-api.md`.

pub mod client;
mod http;
pub mod metrics;
pub mod registry;
pub mod server;
pub mod wire;
