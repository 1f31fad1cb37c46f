//! The job master: deploys a job's tasks, drives its checkpoints, restarts it, ends it. Flink's `JobMaster`.
//!
//! One thread that reads events and carries out what the pure state machines decide: the checkpoint coordinator
//! ([`millpond_checkpoint::coordinator`]) and the restart strategy ([`restart`]). It never waits for a task or for the storage
//! of state; only small reads and writes of the checkpoint's folder happen on it.

mod assign;
mod checkpoints;
mod deploy;
mod event;
mod execute;
mod executor;
mod failover;
mod handle;
mod query;
pub mod restart;
mod settings;
mod start;
pub mod status;
mod storage;

mod view;

pub use handle::{JobExecutionResult, JobHandle, Pending, SavepointInfo};
pub use status::{JobDetails, JobStatus, VertexDetails};

use crate::graph::JobGraph;
use crate::task::{TaskControl, TaskEvent, TaskEventKind, TaskEventSink};
use deploy::{Attempt, AttemptPlan, task_ids};
use event::{MasterEvent, Request};
use executor::SnapshotThreads;
use failover::{AfterStop, Phase};
use millpond_checkpoint::completed::CompletedCheckpointStore;
use millpond_checkpoint::coordinator::{
    CheckpointCoordinator, CheckpointPlan, CoordinatorEvent, FailureReason, FinishReason, SavepointToken,
    TaskId,
};
use millpond_checkpoint::result_store::{JobResult, JobStatus as EndStatus};
use millpond_checkpoint::storage::{CompletedCheckpoint, FileSystemCheckpointStorage};
use millpond_core::hash::HashMap;
use millpond_core::host::{Clock, Wake, entropy, spawn};
use millpond_core::{CheckpointId, Error, Result};
use restart::RestartStrategy;
use settings::Settings;
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use storage::{Locations, TaskStates};
use view::{JobView, TaskState};

/// How many threads write snapshots: enough to keep a disk busy beside the tasks, few enough not to take their cores.
const SNAPSHOT_THREADS: usize = 2;

/// Starts a job. It runs on threads of its own from here on.
///
/// # Errors
/// Config when an option is wrong; NotFound, Corrupt or Incompatible when the snapshot to start from is missing, damaged or
/// another job's; Io when the checkpoint folder can't be used. Nothing runs then.
pub fn submit(graph: JobGraph, clock: Arc<dyn Clock>) -> Result<JobHandle> {
    let settings = Settings::read(&graph.config)?;
    let (sender, events) = channel();
    let view = JobView::new(&graph, clock.now_ms());
    let handle = JobHandle {
        view: Arc::clone(&view),
        events: sender.clone(),
        thread: Arc::new(Mutex::new(None)),
        clock: Arc::clone(&clock),
    };
    let storage = storage::open(&graph, &settings)?;
    if let Some(result) = storage.read_job_result()? {
        // The process may have ended in the middle of its cleaning up.
        CompletedCheckpointStore::new(Arc::clone(&storage), settings.retained)?
            .shutdown(&result, settings.retention)?;
        view.set_status(JobStatus::Finished, clock.now_ms());
        view.end(Ok(already_finished(&view, &storage, &result, clock.now_ms())));
        return Ok(handle);
    }
    let start = start::find(&storage, &settings)?;
    if let Some(snapshot) = &start.snapshot {
        // What doesn't fit is said before anything runs.
        assign::assign(snapshot.metadata(), &graph, settings.allow_non_restored)?;
    }
    let mut master = Master::new(graph, settings, clock, storage, start, view, (sender, events))?;
    let thread = spawn("job-master", move || master.run())?;
    *handle.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    Ok(handle)
}

fn already_finished(
    view: &JobView,
    storage: &FileSystemCheckpointStorage,
    result: &JobResult,
    now_ms: i64,
) -> JobExecutionResult {
    let details = view.details(now_ms);
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
struct Master {
    graph: Arc<JobGraph>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    view: Arc<JobView>,
    sender: Sender<MasterEvent>,
    events: Receiver<MasterEvent>,
    storage: Arc<FileSystemCheckpointStorage>,
    store: CompletedCheckpointStore,
    locations: Arc<Locations>,
    executor: Arc<SnapshotThreads>,
    coordinator: CheckpointCoordinator<TaskStates>,
    restart: RestartStrategy,
    /// What the next attempt starts from, and whether it is the job's own checkpoint.
    snapshot: Option<(CompletedCheckpoint, bool)>,
    attempt: Option<Attempt>,
    attempts: u32,
    phase: Phase,
    /// Checkpoints that will never complete, as far back as late acknowledgements may come.
    given_up: BTreeSet<CheckpointId>,
    savepoints: HashMap<SavepointToken, Sender<Result<SavepointInfo>>>,
    next_token: SavepointToken,
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
        clock: Arc<dyn Clock>,
        storage: Arc<FileSystemCheckpointStorage>,
        start: start::StartingPoint,
        view: Arc<JobView>,
        (sender, events): (Sender<MasterEvent>, Receiver<MasterEvent>),
    ) -> Result<Self> {
        let coordinator = new_coordinator(&graph, &settings, start.next_checkpoint);
        let restart =
            RestartStrategy::from_configuration(&graph.config, settings.checkpointing_enabled, entropy())?;
        let wake: Arc<dyn Wake> = Arc::new(ClockWake(Mutex::new(sender.clone())));
        clock.subscribe(Arc::downgrade(&wake));
        Ok(Master {
            graph: Arc::new(graph),
            settings,
            clock,
            view,
            sender,
            events,
            storage,
            store: start.store,
            locations: Arc::default(),
            executor: SnapshotThreads::start(SNAPSHOT_THREADS)?,
            coordinator,
            restart,
            snapshot: start.snapshot.map(|s| (s, start.recovered)),
            attempt: None,
            attempts: 0,
            phase: Phase::Starting,
            given_up: BTreeSet::new(),
            savepoints: HashMap::default(),
            next_token: 0,
            _clock_wake: wake,
        })
    }

    /// The thread's work: to the job's end.
    fn run(&mut self) {
        self.deploy();
        while !matches!(self.phase, Phase::Over) {
            match self.next_event() {
                Some(MasterEvent::Task(event)) => self.task_event(event),
                Some(MasterEvent::Stored { checkpoint, result }) => self.stored(checkpoint, result),
                Some(MasterEvent::Request(request)) => self.request(request),
                Some(MasterEvent::ClockMoved) | None => self.tell_coordinator(CoordinatorEvent::Tick),
            }
            self.advance_phase();
            self.view.set_checkpoints(self.coordinator.statistics());
        }
    }

    /// The next event, or `None` when it is time for the coordinator's or the restart's next deed.
    fn next_event(&self) -> Option<MasterEvent> {
        let deadline = [self.coordinator.next_deadline_ms(), self.phase.deadline_ms()]
            .into_iter()
            .flatten()
            .min();
        let timeout = deadline.and_then(|at| self.clock.block_for(at));
        match timeout {
            // The master holds a sender itself, so the channel is never disconnected.
            Some(timeout) => self.events.recv_timeout(timeout).ok(),
            None => self.events.recv().ok(),
        }
    }

    /// Starts the tasks of the next attempt.
    fn deploy(&mut self) {
        match self.try_deploy() {
            Ok(attempt) => {
                self.attempt = Some(attempt);
                self.phase = Phase::Starting;
            }
            Err(error) => self.job_failed(error),
        }
    }

    fn try_deploy(&mut self) -> Result<Attempt> {
        self.set_status(JobStatus::Created);
        let number = self.attempts;
        self.attempts = self.attempts.saturating_add(1);
        let restored = match &self.snapshot {
            Some((s, _)) => Some(assign::assign(
                s.metadata(),
                &self.graph,
                self.settings.allow_non_restored,
            )?),
            None => None,
        };
        let state_reader = match &self.snapshot {
            Some((s, _)) => s.location().reader(),
            // Nobody reads without a snapshot; any place will do.
            None => self
                .storage
                .new_checkpoint(self.coordinator.next_checkpoint())?
                .reader(),
        };
        let recovered = self
            .snapshot
            .as_ref()
            .filter(|(_, own)| *own)
            .map(|(s, _)| s.checkpoint_id());
        let (attempt, tasks) = Attempt::start(AttemptPlan {
            graph: &self.graph,
            attempt: number,
            channel_capacity: self.settings.channel_capacity,
            restored,
            state_reader,
            checkpointing: crate::task::TaskCheckpointing {
                enabled: self.settings.checkpointing_enabled,
                mode: self.settings.coordinator.mode,
                storage: Arc::clone(&self.locations) as _,
                executor: Arc::clone(&self.executor) as _,
                recovered_checkpoint_id: recovered,
                first_checkpoint_id: self.coordinator.next_checkpoint(),
            },
            clock: Arc::clone(&self.clock),
            events: task_events(&self.sender),
        })?;
        self.view.set_tasks(tasks);
        Ok(attempt)
    }

    fn task_event(&mut self, event: TaskEvent) {
        let current = self.attempt.as_ref().is_some_and(|a| a.number == event.attempt);
        match event.kind {
            // The coordinator knows what belongs to checkpoints that are over, of earlier attempts too.
            TaskEventKind::Acknowledge(report) => self.acknowledged(event.task, *report),
            TaskEventKind::Decline {
                checkpoint_id,
                kind,
                reason,
            } => {
                let reason = FailureReason::new(kind, reason.report());
                self.tell_coordinator(CoordinatorEvent::Decline {
                    checkpoint: checkpoint_id,
                    task: event.task,
                    reason,
                });
            }
            _ if !current => {}
            TaskEventKind::Running => self.task_running(event.task),
            TaskEventKind::EndOfData => self.task_ended(event.task),
            TaskEventKind::Finished => self.task_gone(event.task, TaskState::Finished, None),
            TaskEventKind::Cancelled => self.task_gone(event.task, TaskState::Gone, None),
            TaskEventKind::QueryElsewhere { query, key_group } => {
                self.forward_query(event.task, query, key_group);
            }
            TaskEventKind::Failed(error) => self.task_gone(event.task, TaskState::Gone, Some(error)),
        }
    }

    fn task_running(&mut self, task: TaskId) {
        self.view.set_task_state(task, TaskState::Running);
        let Some(attempt) = &mut self.attempt else { return };
        attempt.set_state(task, TaskState::Running);
        if !matches!(self.phase, Phase::Starting) || !attempt.all(|s| s == TaskState::Running) {
            return;
        }
        let (number, ended) = (attempt.number, std::mem::take(&mut attempt.ended_early));
        self.phase = Phase::Running;
        self.set_status(JobStatus::Running);
        let restored = self.snapshot.as_ref().map(|(s, _)| s.checkpoint_id());
        self.tell_coordinator(CoordinatorEvent::JobStarted {
            attempt: number,
            restored,
        });
        for task in ended {
            self.tell_coordinator(CoordinatorEvent::TaskReachedEndOfData {
                attempt: number,
                task,
            });
        }
    }

    fn task_ended(&mut self, task: TaskId) {
        let Some(attempt) = &mut self.attempt else { return };
        if matches!(self.phase, Phase::Starting) {
            attempt.ended_early.push(task);
            return;
        }
        let number = attempt.number;
        self.tell_coordinator(CoordinatorEvent::TaskReachedEndOfData {
            attempt: number,
            task,
        });
    }

    fn task_gone(&mut self, task: TaskId, state: TaskState, error: Option<Error>) {
        self.view.set_task_state(task, state);
        if let Some(attempt) = &mut self.attempt {
            attempt.set_state(task, state);
        }
        match error {
            Some(error) if error.context("task").is_some() => self.job_failed(error),
            Some(error) => {
                let vertex = self.graph.vertices.get(task.vertex as usize);
                let name = vertex.map_or("?", |v| v.name.as_str());
                self.job_failed(error.with("task", name).with("subtask", task.subtask));
            }
            None if self.phase.expects_ends() => {}
            None => self.job_failed(
                Error::illegal_state("run job", "a task ended before the job did").with("task", task),
            ),
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

    fn job_result(&self, status: EndStatus, message: Option<String>) -> JobResult {
        JobResult {
            job_id: self.graph.job_id,
            name: self.graph.name.clone(),
            status,
            end_time_ms: self.clock.now_ms(),
            message,
        }
    }

    fn set_status(&self, status: JobStatus) {
        self.view.set_status(status, self.clock.now_ms());
    }

    /// Every task is over and the job with it.
    fn end(&mut self, outcome: std::result::Result<FinishReason, AfterStop>) {
        let (status, end, message, result) = match outcome {
            Ok(FinishReason::EndOfData) => (JobStatus::Finished, EndStatus::Finished, None, Ok(None)),
            Ok(FinishReason::Stopped { path }) => {
                let message = format!("it was stopped with the savepoint {path}");
                (
                    JobStatus::Finished,
                    EndStatus::Finished,
                    Some(message),
                    Ok(Some(path)),
                )
            }
            // To the storage a failed job is one that goes on when it is started again: there is no cluster that would hold
            // its state for it, and whatever was wrong, its checkpoints are what it comes back from.
            Err(AfterStop::Fail(error)) => (
                JobStatus::Failed,
                EndStatus::Suspended,
                Some(error.report()),
                Err(error),
            ),
            Err(AfterStop::Cancel | AfterStop::Restart { .. }) => {
                let error = Error::cancelled("run job").with("job", self.graph.job_id);
                (JobStatus::Canceled, EndStatus::Canceled, None, Err(error))
            }
        };
        self.executor.close();
        let record = self.job_result(end, message);
        let stored = self.store.shutdown(&record, self.settings.retention);
        self.storage.close();
        self.set_status(status);
        self.view.set_checkpoints(self.coordinator.statistics());
        self.phase = Phase::Over;
        let details = self.view.details(self.clock.now_ms());
        self.view.end(result.and_then(|savepoint| {
            stored.map(|()| JobExecutionResult {
                job_id: details.job_id,
                name: details.name.clone(),
                net_runtime_ms: details.end_ms.unwrap_or(details.now_ms) - details.start_ms,
                savepoint,
                details,
                already_finished: None,
            })
        }));
    }
}

fn stopped_with(savepoint: &str) -> String {
    format!("it was stopped with the savepoint {savepoint}")
}

fn task_events(sender: &Sender<MasterEvent>) -> TaskEventSink {
    let sender = Mutex::new(sender.clone());
    Arc::new(move |event| {
        // Once the master is gone, nobody is left to be told.
        let _ = sender
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .send(MasterEvent::Task(event));
    })
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

/// Stops every task of the attempt, if one runs.
fn cancel_tasks(attempt: Option<&Attempt>) {
    if let Some(attempt) = attempt {
        attempt.send_all(&TaskControl::Cancel);
    }
}
