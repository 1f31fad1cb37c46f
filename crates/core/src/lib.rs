//! What every layer of Millpond stands on: errors, clock and threads, ids, hashing, configuration.
//!
//! Nothing here knows about state, checkpoints or streams. The one place in the project that may touch
//! the wall clock, OS randomness, raw thread spawn and sleep is [`host`]; everything else takes a
//! [`host::Clock`] or calls [`host::spawn`], so that tests can drive time and a seed can replay a run.

pub mod config;
pub mod error;
pub mod failpoint;
pub mod hash;
pub mod host;
pub mod ids;
pub mod memory;

pub use config::{ConfigOption, Configuration};
pub use error::{Error, ErrorKind, Result};
pub use ids::{CheckpointId, JobId, OperatorId};
