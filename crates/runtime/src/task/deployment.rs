//! All that a task needs to start: put together by the master, the same for a thread and for the seeded scheduler.

use super::event::TaskEvent;
use crate::channel::InputGate;
use crate::graph::{ChainFactory, OperatorDescription, TaskOutput};
use crate::in_flight::{InputChannel, RestoredChannel};
use crate::operator::{OperatorMetrics, RestoredState, TaskInfo};
use millpond_checkpoint::barrier::{CheckpointBarrier, CheckpointingMode};
use millpond_checkpoint::coordinator::TaskId;
use millpond_core::host::Clock;
use millpond_core::{CheckpointId, Configuration, Result};
use millpond_state::stream::{CheckpointStreamFactory, StateHandleReader};
use millpond_types::SerializerRegistry;
use std::sync::Arc;

/// Takes a task's news. Called from the task's thread and from those that snapshots are written on; must not block.
pub type TaskEventSink = Arc<dyn Fn(TaskEvent) + Send + Sync>;

/// A piece of work for a [`SnapshotExecutor`].
pub type SnapshotJob = Box<dyn FnOnce() + Send>;

/// Runs the asynchronous parts of snapshots beside the tasks.
pub trait SnapshotExecutor: Send + Sync {
    /// Runs `job` soon, beside the caller.
    fn execute(&self, job: SnapshotJob);

    /// Waits until every job is done. Later ones are dropped: what they would write, nobody needs.
    fn close(&self) {}
}

/// The checkpoint storage, as a task sees it.
pub trait CheckpointStorageAccess: Send + Sync {
    /// Where the state of the checkpoint of `barrier` is written to. Called on a thread of the [`SnapshotExecutor`].
    ///
    /// # Errors
    /// Io when the storage refuses; the task declines the checkpoint and goes on.
    fn stream_factory(&self, barrier: &CheckpointBarrier) -> Result<Arc<dyn CheckpointStreamFactory>>;
}

/// What a task needs to take part in checkpoints.
#[derive(Clone)]
pub struct TaskCheckpointing {
    /// Whether checkpoints will come.
    pub enabled: bool,
    /// Whether channels wait for each other's barriers.
    pub mode: CheckpointingMode,
    /// Whether barriers may overtake the records in this task's channels: every edge into it allows that.
    pub overtaking: bool,
    /// Where state goes.
    pub storage: Arc<dyn CheckpointStorageAccess>,
    /// What writes it.
    pub executor: Arc<dyn SnapshotExecutor>,
    /// The checkpoint that this job recovered from by itself, if it did.
    pub recovered_checkpoint_id: Option<CheckpointId>,
    /// The id of the first checkpoint that this attempt can take.
    pub first_checkpoint_id: CheckpointId,
}

/// One operator of the task.
#[derive(Clone, Debug)]
pub struct OperatorDeployment {
    /// Which one.
    pub description: OperatorDescription,
    /// What it is restored with. `None`: the job starts afresh.
    pub restored: Option<RestoredState>,
    /// Its counters.
    pub metrics: Arc<OperatorMetrics>,
}

/// All that a task needs to start.
pub struct TaskDeployment {
    /// Where it stands in its job; names the attempt.
    pub info: TaskInfo,
    /// What the coordinator calls it.
    pub id: TaskId,
    /// Whether its chain begins with a source.
    pub is_source: bool,
    /// Makes its chain.
    pub factory: Arc<dyn ChainFactory>,
    /// Its operators.
    pub operators: Vec<OperatorDeployment>,
    /// Its input, with a sender connected to every channel.
    pub gate: InputGate,
    /// For each channel of the gate, what checkpoints know of it.
    pub channels: Vec<InputChannel>,
    /// Records in flight of the snapshot that it is restored from.
    pub in_flight: Vec<RestoredChannel>,
    /// Its outputs, as [`ChainFactory::create`] wants them.
    pub outputs: Vec<TaskOutput>,
    /// Its part in checkpoints.
    pub checkpointing: TaskCheckpointing,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The job's options.
    pub config: Arc<Configuration>,
    /// The serializers that the job registered.
    pub serializers: Arc<SerializerRegistry>,
    /// Reads restored state.
    pub state_reader: Arc<dyn StateHandleReader>,
    /// Takes its news.
    pub events: TaskEventSink,
}
