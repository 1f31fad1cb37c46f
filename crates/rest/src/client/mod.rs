//! The client's side: finds running jobs and asks them. The `millpond` command is built on it.
//!
//! | item | what it is |
//! |---|---|
//! | [`list`], [`find`] | who runs, by the registry folder and the jobs' own word |
//! | [`JobClient`] | one job's REST interface as methods |

mod connection;
mod find;
mod job;
mod wait;

pub use find::{FoundJob, find, list};
pub use job::JobClient;
pub use wait::Waiting;
