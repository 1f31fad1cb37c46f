//! What a job runs on: threads and the machine's storage in production, a seeded scheduler in a simulation.
//!
//! Everything that the master starts beside itself is started here, so that whoever drives the host drives the whole job.

use super::executor::SnapshotThreads;
use super::settings::Settings;
use super::storage;
use crate::channel::SendMode;
use crate::graph::JobGraph;
use crate::task::{SnapshotExecutor, TaskDeployment, run_task_thread};
use millpond_checkpoint::storage::FileSystemCheckpointStorage;
use millpond_core::Result;
use millpond_core::host::{JoinHandle, entropy};
use std::sync::Arc;

/// How many threads write snapshots: enough to keep a disk busy beside the tasks, few enough not to take their cores.
const SNAPSHOT_THREADS: usize = 2;

/// See the module.
pub(crate) trait JobHost: Send + Sync {
    /// Whether a task may block while it writes.
    fn send_mode(&self) -> SendMode;

    /// Runs a task to its end, beside the master. The thread to wait for, if it has one of its own.
    ///
    /// # Errors
    /// Io when there is no thread to be had.
    fn start_task(&self, deployment: TaskDeployment) -> Result<Option<JoinHandle<()>>>;

    /// What writes snapshots.
    ///
    /// # Errors
    /// Io when there is no thread to be had.
    fn snapshot_executor(&self) -> Result<Arc<dyn SnapshotExecutor>>;

    /// Opens the storage that the job's options name.
    ///
    /// # Errors
    /// Config for a place that makes no sense, Io when it can't be used.
    fn open_storage(&self, graph: &JobGraph, settings: &Settings)
    -> Result<Arc<FileSystemCheckpointStorage>>;

    /// A seed that nobody can guess, or everybody.
    fn entropy(&self) -> u64;
}

/// A thread for each task.
pub(crate) struct Threads;

impl JobHost for Threads {
    fn send_mode(&self) -> SendMode {
        SendMode::Blocking
    }
    fn start_task(&self, deployment: TaskDeployment) -> Result<Option<JoinHandle<()>>> {
        run_task_thread(deployment).map(Some)
    }
    fn snapshot_executor(&self) -> Result<Arc<dyn SnapshotExecutor>> {
        Ok(SnapshotThreads::start(SNAPSHOT_THREADS)?)
    }
    fn open_storage(
        &self,
        graph: &JobGraph,
        settings: &Settings,
    ) -> Result<Arc<FileSystemCheckpointStorage>> {
        storage::open(graph, settings)
    }
    fn entropy(&self) -> u64 {
        entropy()
    }
}
