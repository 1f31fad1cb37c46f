//! What the engine says about a job, in Flink's words for it.

mod checkpoints;
mod config;
mod jobs;
mod subtasks;

pub(super) use checkpoints::{checkpoint, checkpoints};
pub(super) use config::checkpoint_config;
pub(super) use jobs::{exceptions, job, job_summary, overview};
pub(super) use subtasks::subtasks;
