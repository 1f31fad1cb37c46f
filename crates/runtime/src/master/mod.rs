//! The job master: deploys a job's tasks, drives its checkpoints, restarts it, ends it. Flink's `JobMaster`.
//!
//! One thread that reads events and carries out what the pure state machines decide: the checkpoint coordinator
//! ([`millpond_checkpoint::coordinator`]) and the restart strategy ([`restart`]). It never waits for a task or for the storage
//! of state; only small reads and writes of the checkpoint's folder happen on it.

mod assign;
mod checkpoints;
mod deploy;
mod end;
mod event;
mod execute;
mod executor;
mod failover;
mod handle;
mod host;
mod in_flight;
mod launch;
mod query;
mod regions;
pub mod restart;
mod settings;
mod start;
pub mod status;
mod storage;
mod task_view;
mod tasks;
mod view;

pub use handle::{JobExecutionResult, JobHandle, Pending, SavepointInfo};
pub(crate) use host::JobHost;
pub(crate) use settings::Settings;
pub use status::{JobDetails, JobStatus, VertexDetails};

use crate::graph::JobGraph;
use crate::task::SnapshotExecutor;
use deploy::{Executions, task_ids};
use event::{MasterEvent, Request};
use failover::Phase;
use host::Threads;
use millpond_checkpoint::completed::CompletedCheckpointStore;
use millpond_checkpoint::coordinator::{
    CheckpointCoordinator, CheckpointPlan, CoordinatorEvent, Now, SavepointToken, TaskId,
};
use millpond_checkpoint::result_store::JobResult;
use millpond_checkpoint::storage::{CompletedCheckpoint, FileSystemCheckpointStorage};
use millpond_core::hash::HashMap;
use millpond_core::host::{Clock, Wake, spawn};
use millpond_core::{CheckpointId, Error, Result};
use regions::Regions;
use restart::RestartStrategy;
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use storage::{Locations, TaskStates};
use view::JobView;

const NANOS_PER_MS: u64 = 1_000_000;

/// How often counters are sampled for rates: Flink's interval for views.
const SAMPLE_EVERY_MS: i64 = 5_000;

/// Starts a job. It runs on threads of its own from here on.
///
/// # Errors
/// Config when an option is wrong; NotFound, Corrupt or Incompatible when the snapshot to start from is missing, damaged or
/// another job's; Io when the checkpoint folder can't be used. Nothing runs then.
pub fn submit(graph: JobGraph, clock: Arc<dyn Clock>) -> Result<JobHandle> {
    let (handle, master) = prepare(graph, clock, Arc::new(Threads))?;
    if let Some(mut master) = master {
        let thread = spawn("job-master", move || master.run())?;
        *handle.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    }
    Ok(handle)
}

/// All of [`submit`] that comes before anything runs. Without a master the job has come to its end before.
pub(crate) fn prepare(
    mut graph: JobGraph,
    clock: Arc<dyn Clock>,
    host: Arc<dyn JobHost>,
) -> Result<(JobHandle, Option<Master>)> {
    let settings = Settings::read(&graph.config)?;
    let (sender, events) = channel();
    let view = JobView::new(&graph, Arc::clone(&clock));
    let handle = JobHandle {
        view: Arc::clone(&view),
        events: sender.clone(),
        thread: Arc::new(Mutex::new(None)),
    };
    let storage = host.open_storage(&graph, &settings)?;
    if has_ended_before(&storage, &settings, &view)? {
        return Ok((handle, None));
    }
    storage.acquire()?;
    // Looked for again: until now the job may have been another process's, which ended it and took away all that was left of it.
    if has_ended_before(&storage, &settings, &view)? {
        return Ok((handle, None));
    }
    let start = start::find(&storage, &settings)?;
    if let Some(snapshot) = &start.snapshot {
        assign::take_over_max_parallelism(snapshot.metadata(), &mut graph);
        view.set_max_parallelism(&graph);
        // What doesn't fit is said before anything runs.
        assign::assign(snapshot.metadata(), &graph, settings.allow_non_restored)?;
        in_flight::assign(snapshot.metadata(), &graph)?;
    }
    if settings.coordinator.unaligned {
        in_flight::check_serializers(&graph)?;
    }
    let surroundings = Surroundings {
        clock,
        host,
        storage,
        view,
    };
    let master = Master::new(graph, settings, surroundings, start, (sender, events))?;
    Ok((handle, Some(master)))
}

/// Whether the job has come to its end before. Then `view` says so, and nothing else is left of it.
fn has_ended_before(
    storage: &Arc<FileSystemCheckpointStorage>,
    settings: &Settings,
    view: &JobView,
) -> Result<bool> {
    let Some(result) = storage.uphold_job_result()? else {
        return Ok(false);
    };
    // The process may have ended in the middle of its cleaning up.
    CompletedCheckpointStore::new(Arc::clone(storage), settings.retained)?
        .shutdown(&result, settings.retention)?;
    view.set_status(JobStatus::Finished);
    view.end(Ok(already_finished(view, storage, &result)));
    Ok(true)
}

/// What a master finds when it starts.
struct Surroundings {
    clock: Arc<dyn Clock>,
    host: Arc<dyn JobHost>,
    storage: Arc<FileSystemCheckpointStorage>,
    view: Arc<JobView>,
}

fn already_finished(
    view: &JobView,
    storage: &FileSystemCheckpointStorage,
    result: &JobResult,
) -> JobExecutionResult {
    let details = view.details();
    JobExecutionResult {
        job_id: details.job_id,
        name: details.name.clone(),
        net_runtime_ms: 0,
        savepoint: None,
        details,
        already_finished: Some(format!(
            "this job has come to its end before ({}); to run it again from the start, give it another name (-D pipeline.name=...) \
             or remove {}",
            result.message.as_deref().unwrap_or("its input ended"),
            storage.job_directory()
        )),
    }
}

/// See the module.
pub(crate) struct Master {
    graph: Arc<JobGraph>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    host: Arc<dyn JobHost>,
    view: Arc<JobView>,
    sender: Sender<MasterEvent>,
    events: Receiver<MasterEvent>,
    storage: Arc<FileSystemCheckpointStorage>,
    store: CompletedCheckpointStore,
    locations: Arc<Locations>,
    executor: Arc<dyn SnapshotExecutor>,
    coordinator: CheckpointCoordinator<TaskStates>,
    restart: RestartStrategy,
    /// What the next attempt starts from, and whether it is the job's own checkpoint.
    snapshot: Option<(CompletedCheckpoint, bool)>,
    executions: Executions,
    regions: Regions,
    phase: Phase,
    /// Checkpoints that will never complete, as far back as late acknowledgements may come.
    given_up: BTreeSet<CheckpointId>,
    savepoints: HashMap<SavepointToken, Sender<Result<SavepointInfo>>>,
    next_token: SavepointToken,
    /// When counters are sampled next, by the steady clock.
    next_sample_ms: i64,
    /// Kept here since the clock holds it weakly.
    _clock_wake: Arc<dyn Wake>,
}

struct ClockWake(Mutex<Sender<MasterEvent>>);

impl Wake for ClockWake {
    fn wake(&self) {
        let _ = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .send(MasterEvent::ClockMoved);
    }
}

impl Master {
    fn new(
        graph: JobGraph,
        settings: Settings,
        surroundings: Surroundings,
        start: start::StartingPoint,
        (sender, events): (Sender<MasterEvent>, Receiver<MasterEvent>),
    ) -> Result<Self> {
        let Surroundings {
            clock,
            host,
            storage,
            view,
        } = surroundings;
        let coordinator = new_coordinator(&graph, &settings, start.next_checkpoint);
        let restart = RestartStrategy::from_configuration(
            &graph.config,
            settings.checkpointing_enabled,
            host.entropy(),
        )?;
        let executor = host.snapshot_executor()?;
        let wake: Arc<dyn Wake> = Arc::new(ClockWake(Mutex::new(sender.clone())));
        clock.subscribe(Arc::downgrade(&wake));
        Ok(Master {
            regions: Regions::of_graph(&graph),
            graph: Arc::new(graph),
            settings,
            clock,
            host,
            view,
            sender,
            events,
            storage,
            store: start.store,
            locations: Arc::default(),
            executor,
            coordinator,
            restart,
            snapshot: start.snapshot.map(|s| (s, start.recovered)),
            executions: Executions::default(),
            phase: Phase::Starting,
            given_up: BTreeSet::new(),
            savepoints: HashMap::default(),
            next_token: 0,
            next_sample_ms: 0,
            _clock_wake: wake,
        })
    }

    /// The thread's work: to the job's end.
    fn run(&mut self) {
        self.start();
        while !self.is_over() {
            let event = self.next_event();
            self.handle(event);
        }
    }

    /// Starts the tasks.
    pub(crate) fn start(&mut self) {
        self.deploy(&self.regions.all());
        self.advance_phase();
    }

    /// Whether the job has ended.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Does what has to be done after an event, or at a time that something was to be done at.
    pub(crate) fn handle(&mut self, event: Option<MasterEvent>) {
        match event {
            Some(MasterEvent::Task(event)) => self.task_event(event),
            Some(MasterEvent::Stored { checkpoint, result }) => self.stored(checkpoint, result),
            Some(MasterEvent::Request(request)) => self.request(request),
            Some(MasterEvent::ClockMoved) | None => self.tell_coordinator(CoordinatorEvent::Tick),
        }
        self.advance_phase();
        self.view.set_checkpoints(self.coordinator.statistics());
        self.sample_if_due();
    }

    fn sample_if_due(&mut self) {
        let now_ms = self.now().steady_ms;
        if now_ms >= self.next_sample_ms {
            self.view.sample();
            self.next_sample_ms = now_ms.saturating_add(SAMPLE_EVERY_MS);
        }
    }

    /// When the coordinator, a restart or the sampling has its next deed to do, by the steady clock.
    pub(crate) fn deadline_ms(&self) -> Option<i64> {
        let sample = Some(self.next_sample_ms);
        [self.coordinator.next_deadline_ms(), self.restart_due_ms(), sample]
            .into_iter()
            .flatten()
            .min()
    }

    /// The next event, or `None` when it is time for the next deed.
    fn next_event(&self) -> Option<MasterEvent> {
        let nanos = |ms: i64| u64::try_from(ms).unwrap_or(0).saturating_mul(NANOS_PER_MS);
        let timeout = self
            .deadline_ms()
            .and_then(|at| self.clock.block_until(nanos(at)));
        match timeout {
            // The master holds a sender itself, so the channel is never disconnected.
            Some(timeout) => self.events.recv_timeout(timeout).ok(),
            None => self.events.recv().ok(),
        }
    }

    /// The next event that is there, for whoever drives the master by hand.
    #[cfg(test)]
    pub(crate) fn take_event(&self) -> Option<MasterEvent> {
        self.events.try_recv().ok()
    }

    /// Whether the time of the next deed has come.
    #[cfg(test)]
    pub(crate) fn is_due(&self) -> bool {
        self.deadline_ms().is_some_and(|at| at <= self.now().steady_ms)
    }

    /// What is waited for goes by the steady clock; people are told the wall clock's time.
    fn now(&self) -> Now {
        Now {
            steady_ms: i64::try_from(self.clock.monotonic_nanos() / NANOS_PER_MS).unwrap_or(i64::MAX),
            wall_ms: self.clock.now_ms(),
        }
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Cancel => self.cancel(),
            Request::Query {
                uid,
                state,
                key,
                answer,
            } => self.query(&uid, state, key, answer),
            Request::Savepoint { kind, target, answer } => {
                let target = target.or_else(|| self.settings.savepoint_dir.clone());
                if kind.is_savepoint() && target.is_none() {
                    let error = Error::config("take savepoint", "no folder to put it in")
                        .hint("name one, or set execution.checkpointing.savepoint-dir");
                    let _ = answer.send(Err(error));
                    return;
                }
                let token = self.next_token;
                self.next_token += 1;
                self.savepoints.insert(token, answer);
                self.tell_coordinator(CoordinatorEvent::TriggerSavepoint { token, kind, target });
            }
        }
    }

    fn set_status(&self, status: JobStatus) {
        self.view.set_status(status);
    }
}

fn new_coordinator(
    graph: &JobGraph,
    settings: &Settings,
    first_checkpoint: CheckpointId,
) -> CheckpointCoordinator<TaskStates> {
    let (sources, others): (Vec<_>, Vec<_>) = task_ids(graph).partition(|(_, is_source)| *is_source);
    let ids = |tasks: Vec<(TaskId, bool)>| tasks.into_iter().map(|(id, _)| id);
    let plan = CheckpointPlan::new(ids(sources), ids(others));
    CheckpointCoordinator::new(settings.coordinator.clone(), plan, first_checkpoint)
}
