//! What a job runs on in a simulated process: coroutines for threads, the world's storage for a disk.

use super::coroutine::pause;
use super::faults::Mutant;
use super::scheduler::{Process, Wait, steady_ms};
use super::store::{Medium, ROOT};
use crate::channel::SendMode;
use crate::graph::JobGraph;
use crate::master::{JobHost, Settings};
use crate::task::{Driven, SnapshotExecutor, SnapshotJob, Step, StreamTask, TaskDeployment, drive};
use millpond_checkpoint::storage::FileSystemCheckpointStorage;
use millpond_core::Result;
use millpond_core::host::{Background, JoinHandle, ManualClock};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Stand for threads in the trace.
const SNAPSHOT: u64 = 1 << 40;
const DELETION: u64 = 2 << 40;
const TASK: u64 = 3 << 40;

/// See the module.
pub(super) struct SimulatedHost {
    pub(super) medium: Medium,
    pub(super) snapshots: Arc<Snapshots>,
}

impl JobHost for SimulatedHost {
    fn send_mode(&self) -> SendMode {
        SendMode::Overdraft
    }

    fn start_task(&self, mut deployment: TaskDeployment) -> Result<Option<JoinHandle<()>>> {
        if self.medium.faults.mutant == Mutant::ForgetsChannel {
            deployment.in_flight.pop();
        }
        let process = Arc::clone(&self.medium.process);
        let number = TASK + (u64::from(deployment.id.vertex) << 16) + u64::from(deployment.id.subtask);
        let body = move || run_task(&process, deployment);
        self.medium.process.spawn(number, Box::new(body));
        Ok(None)
    }

    fn snapshot_executor(&self) -> Result<Arc<dyn SnapshotExecutor>> {
        Ok(Arc::clone(&self.snapshots) as _)
    }

    fn open_storage(
        &self,
        graph: &JobGraph,
        settings: &Settings,
    ) -> Result<Arc<FileSystemCheckpointStorage>> {
        Ok(FileSystemCheckpointStorage::on_store(
            Arc::new(self.medium.clone()),
            ROOT,
            graph.job_id,
            settings.storage.clone(),
            Arc::new(Deletions(self.medium.clone())),
        ))
    }

    fn entropy(&self) -> u64 {
        self.medium.faults.below(u64::MAX)
    }
}

fn run_task(process: &Process, deployment: TaskDeployment) {
    let mut task = StreamTask::new(deployment);
    let signal = Arc::clone(task.signal());
    while !process.is_dead() {
        signal.take_wake_up();
        pause(match drive(&mut task) {
            Driven::Over => return,
            Driven::Step(Step::Progress | Step::Finished) => Wait::Turn,
            Driven::Step(Step::Idle { until_ms }) => Wait::Task(Arc::clone(&signal), until_ms),
            Driven::Step(Step::Blocked { until_ms }) => Wait::Task(Arc::clone(&signal), until_ms),
        });
    }
}

/// The asynchronous parts of snapshots, each on a thread of its own, so that they finish in any order.
pub(super) struct Snapshots {
    process: Arc<Process>,
    clock: Arc<ManualClock>,
    under_way: Arc<AtomicUsize>,
}

impl Snapshots {
    pub(super) fn of(process: &Arc<Process>, clock: &Arc<ManualClock>) -> Arc<Self> {
        Arc::new(Snapshots {
            process: Arc::clone(process),
            clock: Arc::clone(clock),
            under_way: Arc::default(),
        })
    }
}

impl SnapshotExecutor for Snapshots {
    fn execute(&self, job: SnapshotJob) {
        let under_way = Arc::clone(&self.under_way);
        under_way.fetch_add(1, Ordering::Relaxed);
        let body = move || {
            job();
            under_way.fetch_sub(1, Ordering::Relaxed);
        };
        self.process.spawn(SNAPSHOT, Box::new(body));
    }

    fn close(&self) {
        while self.under_way.load(Ordering::Relaxed) > 0 && !self.process.is_dead() {
            wait_a_while(&self.clock);
        }
    }
}

/// For threads that look again and again: others go on, and time does, too.
fn wait_a_while(clock: &ManualClock) {
    pause(Wait::Until(steady_ms(clock) + 1));
}

/// Deletes beside the job.
struct Deletions(Medium);

impl Background for Deletions {
    fn run(&self, work: Box<dyn FnOnce() + Send>) {
        self.0.process.spawn(DELETION, work);
    }
    fn pause(&self) {
        wait_a_while(&self.0.clock);
    }
}
