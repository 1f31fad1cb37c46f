//! The side of a job that others may look at while it runs. The master writes it, handles read it.

use super::handle::JobExecutionResult;
use super::status::{JobDetails, JobStatus, VertexDetails, vertex_id};
use super::task_view::{TaskState, TaskView, sum_up};
use crate::graph::JobGraph;
use crate::metrics::{
    CheckpointNumbers, JobMetrics, OperatorInstanceMetrics, StatusTimes, SubtaskMetrics, job_metrics,
    operator_metrics, task_metrics,
};
use millpond_checkpoint::coordinator::{CheckpointStatistics, TaskId};
use millpond_core::hash::HashMap;
use millpond_core::host::Clock;
use millpond_core::{Configuration, Error, JobId, Result};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

const NANOS_PER_MS: u64 = 1_000_000;

/// The side of a job that others may look at.
pub(super) struct JobView {
    pub(super) job_id: JobId,
    pub(super) config: Arc<Configuration>,
    name: String,
    start_ms: i64,
    start_nanos: u64,
    /// For each vertex, its operators' ids and names.
    operators: Vec<Vec<(String, String)>>,
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
    ended: Condvar,
}

struct Inner {
    vertices: Vec<VertexDetails>,
    status: JobStatus,
    timestamps: HashMap<&'static str, i64>,
    /// When it entered the status, and when it last ceased to run, by the monotonic clock.
    status_since_nanos: u64,
    down_since_nanos: Option<u64>,
    end_nanos: Option<u64>,
    end_ms: Option<i64>,
    restarts: u32,
    full_restarts: u32,
    root_exception: Option<(i64, String)>,
    tasks: Vec<TaskView>,
    checkpoints: CheckpointStatistics,
    outcome: Option<Outcome>,
}

enum Outcome {
    Ended(Box<JobExecutionResult>),
    /// The error goes to who asks first; who asks later gets its text.
    Failed(Option<Error>, millpond_core::ErrorKind, String),
}

impl JobView {
    pub(super) fn new(graph: &JobGraph, clock: Arc<dyn Clock>) -> Arc<Self> {
        let now_ms = clock.now_ms();
        let vertices = graph
            .vertices
            .iter()
            .enumerate()
            .map(|(number, v)| VertexDetails {
                id: vertex_id(graph, number),
                name: v.name.clone(),
                is_source: v.is_source,
                is_sink: !graph.edges.iter().any(|e| e.source == number),
                parallelism: v.parallelism,
                max_parallelism: v.max_parallelism,
                ..VertexDetails::default()
            });
        Arc::new(JobView {
            job_id: graph.job_id,
            config: Arc::clone(&graph.config),
            name: graph.name.clone(),
            start_ms: now_ms,
            start_nanos: clock.monotonic_nanos(),
            operators: graph
                .vertices
                .iter()
                .map(|v| {
                    v.operators
                        .iter()
                        .map(|o| (o.id.to_string(), o.name.clone()))
                        .collect()
                })
                .collect(),
            inner: Mutex::new(Inner {
                vertices: vertices.collect(),
                status: JobStatus::Initializing,
                timestamps: HashMap::from_iter([(JobStatus::Initializing.as_str(), now_ms)]),
                status_since_nanos: clock.monotonic_nanos(),
                down_since_nanos: None,
                end_nanos: None,
                end_ms: None,
                restarts: 0,
                full_restarts: 0,
                root_exception: None,
                tasks: Vec::new(),
                checkpoints: CheckpointStatistics::default(),
                outcome: None,
            }),
            ended: Condvar::new(),
            clock,
        })
    }

    /// Takes over what the snapshot settled that the job starts from.
    pub(super) fn set_max_parallelism(&self, graph: &JobGraph) {
        let mut inner = self.lock();
        for (details, vertex) in inner.vertices.iter_mut().zip(&graph.vertices) {
            details.max_parallelism = vertex.max_parallelism;
        }
    }

    pub(super) fn status(&self) -> JobStatus {
        self.lock().status
    }

    pub(super) fn set_status(&self, status: JobStatus) {
        let (now_ms, now_nanos) = (self.clock.now_ms(), self.clock.monotonic_nanos());
        let mut inner = self.lock();
        match status {
            JobStatus::Running => inner.down_since_nanos = None,
            _ if inner.status == JobStatus::Running => inner.down_since_nanos = Some(now_nanos),
            _ => {}
        }
        if inner.status != status {
            inner.status_since_nanos = now_nanos;
        }
        if inner.status != status {
            tracing::info!(job = %self.job_id, name = %self.name, from = inner.status.as_str(), to = status.as_str(), "job status");
        }
        inner.status = status;
        inner.timestamps.insert(status.as_str(), now_ms);
        if status.is_globally_terminal() {
            inner.end_ms = Some(now_ms);
            inner.end_nanos = Some(now_nanos);
        }
    }

    /// Puts started tasks in the place of what they were before.
    pub(super) fn set_tasks(&self, mut started: Vec<TaskView>) {
        let now_nanos = self.clock.monotonic_nanos();
        started.iter_mut().for_each(|task| task.sample(now_nanos));
        let mut inner = self.lock();
        inner
            .tasks
            .retain(|old| started.iter().all(|new| new.id != old.id));
        inner.tasks.extend(started);
        inner.tasks.sort_by_key(|task| task.id);
    }

    pub(super) fn set_task_state(&self, id: TaskId, state: TaskState) {
        if let Some(task) = self.lock().tasks.iter_mut().find(|t| t.id == id) {
            task.state = state;
        }
    }

    pub(super) fn set_checkpoints(&self, checkpoints: CheckpointStatistics) {
        self.lock().checkpoints = checkpoints;
    }

    pub(super) fn failed(&self, why: String) {
        self.lock().root_exception = Some((self.clock.now_ms(), why));
    }

    /// Tasks were restarted, all of them or some.
    pub(super) fn restarted(&self, full: bool) {
        let mut inner = self.lock();
        inner.restarts += 1;
        inner.full_restarts += u32::from(full);
    }

    pub(super) fn end(&self, outcome: Result<JobExecutionResult>) {
        let outcome = match outcome {
            Ok(result) => Outcome::Ended(Box::new(result)),
            Err(error) => {
                let (kind, text) = (error.kind(), error.report());
                Outcome::Failed(Some(error), kind, text)
            }
        };
        self.lock().outcome = Some(outcome);
        self.ended.notify_all();
    }

    pub(super) fn is_over(&self) -> bool {
        self.lock().outcome.is_some()
    }

    pub(super) fn wait_for_result(&self) -> Result<JobExecutionResult> {
        let mut inner = self.lock();
        loop {
            match &mut inner.outcome {
                None => inner = self.ended.wait(inner).unwrap_or_else(PoisonError::into_inner),
                Some(Outcome::Ended(result)) => return Ok((**result).clone()),
                Some(Outcome::Failed(error, kind, text)) => {
                    return Err(error
                        .take()
                        .unwrap_or_else(|| Error::new(*kind, "run job", text.clone())));
                }
            }
        }
    }

    /// Takes a sample of every counter that has a rate: to be called every few seconds.
    pub(super) fn sample(&self) {
        let now_nanos = self.clock.monotonic_nanos();
        self.lock()
            .tasks
            .iter_mut()
            .for_each(|task| task.sample(now_nanos));
    }

    /// Everything that the job measures.
    pub(super) fn metrics(&self) -> JobMetrics {
        let now_nanos = self.clock.monotonic_nanos();
        let inner = self.lock();
        let since = |nanos: u64| now_nanos.saturating_sub(nanos) / NANOS_PER_MS;
        let times = StatusTimes {
            status: inner.status,
            for_ms: since(inner.status_since_nanos),
            down_ms: inner.down_since_nanos.map(since),
            restarts: inner.restarts,
            full_restarts: inner.full_restarts,
        };
        JobMetrics {
            job_id: self.job_id,
            job_name: self.name.clone(),
            metrics: job_metrics(times, &CheckpointNumbers(&inner.checkpoints)),
            tasks: inner
                .tasks
                .iter()
                .map(|task| self.subtask_metrics(&inner.vertices, task, now_nanos))
                .collect(),
        }
    }

    fn subtask_metrics(&self, vertices: &[VertexDetails], task: &TaskView, now_nanos: u64) -> SubtaskMetrics {
        let number = task.id.vertex as usize;
        let vertex = vertices.get(number);
        let names = self.operators.get(number).into_iter().flatten();
        let operators = names.zip(task.operators.iter().zip(&task.operator_rates));
        SubtaskMetrics {
            task_id: vertex.map(|v| v.id.clone()).unwrap_or_default(),
            task_name: vertex.map(|v| v.name.clone()).unwrap_or_default(),
            subtask_index: task.id.subtask,
            attempt: task.attempt,
            metrics: task_metrics(&task.task, &task.task_rates, now_nanos),
            operators: operators
                .map(|((id, name), (metrics, rates))| OperatorInstanceMetrics {
                    operator_id: id.clone(),
                    operator_name: name.clone(),
                    metrics: operator_metrics(metrics, rates, now_nanos),
                })
                .collect(),
        }
    }

    pub(super) fn details(&self) -> JobDetails {
        let now_ms = self.clock.now_ms();
        let inner = self.lock();
        JobDetails {
            job_id: self.job_id,
            name: self.name.clone(),
            status: inner.status,
            status_timestamps_ms: inner.timestamps.clone(),
            start_ms: self.start_ms,
            end_ms: inner.end_ms,
            now_ms,
            duration_ms: self.ran_for_ms(&inner),
            restarts: inner.restarts,
            full_restarts: inner.full_restarts,
            root_exception: inner.root_exception.clone(),
            vertices: inner
                .vertices
                .iter()
                .enumerate()
                .map(|(v, details)| sum_up(details, v, &inner.tasks))
                .collect(),
            checkpoints: inner.checkpoints.clone(),
        }
    }

    fn ran_for_ms(&self, inner: &Inner) -> i64 {
        let end = inner.end_nanos.unwrap_or_else(|| self.clock.monotonic_nanos());
        i64::try_from(end.saturating_sub(self.start_nanos) / NANOS_PER_MS).unwrap_or(i64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
