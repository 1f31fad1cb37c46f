//! The side of a job that others may look at while it runs. The master writes it, handles read it.

use super::handle::JobExecutionResult;
use super::status::{JobDetails, JobStatus, VertexDetails, vertex_id};
use crate::graph::JobGraph;
use crate::operator::OperatorMetrics;
use crate::task::TaskMetrics;
use millpond_checkpoint::coordinator::{CheckpointStatistics, TaskId};
use millpond_core::hash::HashMap;
use millpond_core::{Error, JobId, Result};
use millpond_state::metrics::HistogramStatistics;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The side of a job that others may look at.
pub(super) struct JobView {
    pub(super) job_id: JobId,
    name: String,
    start_ms: i64,
    vertices: Vec<VertexDetails>,
    inner: Mutex<Inner>,
    ended: Condvar,
}

struct Inner {
    status: JobStatus,
    timestamps: HashMap<&'static str, i64>,
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

/// The counters of one running task.
pub(super) struct TaskView {
    pub(super) id: TaskId,
    pub(super) task: Arc<TaskMetrics>,
    pub(super) operators: Vec<Arc<OperatorMetrics>>,
    pub(super) state: TaskState,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskState {
    Deploying,
    Running,
    Finished,
    /// Cancelled or failed.
    Gone,
}

impl JobView {
    pub(super) fn new(graph: &JobGraph, now_ms: i64) -> Arc<Self> {
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
            name: graph.name.clone(),
            start_ms: now_ms,
            vertices: vertices.collect(),
            inner: Mutex::new(Inner {
                status: JobStatus::Initializing,
                timestamps: HashMap::from_iter([(JobStatus::Initializing.as_str(), now_ms)]),
                end_ms: None,
                restarts: 0,
                full_restarts: 0,
                root_exception: None,
                tasks: Vec::new(),
                checkpoints: CheckpointStatistics::default(),
                outcome: None,
            }),
            ended: Condvar::new(),
        })
    }

    pub(super) fn status(&self) -> JobStatus {
        self.lock().status
    }

    pub(super) fn set_status(&self, status: JobStatus, now_ms: i64) {
        let mut inner = self.lock();
        if inner.status != status {
            tracing::info!(job = %self.job_id, name = %self.name, from = inner.status.as_str(), to = status.as_str(), "job status");
        }
        inner.status = status;
        inner.timestamps.insert(status.as_str(), now_ms);
        if status.is_globally_terminal() {
            inner.end_ms = Some(now_ms);
        }
    }

    /// Puts started tasks in the place of what they were before.
    pub(super) fn set_tasks(&self, started: Vec<TaskView>) {
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

    pub(super) fn failed(&self, now_ms: i64, why: String) {
        self.lock().root_exception = Some((now_ms, why));
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

    pub(super) fn details(&self, now_ms: i64) -> JobDetails {
        let inner = self.lock();
        JobDetails {
            job_id: self.job_id,
            name: self.name.clone(),
            status: inner.status,
            status_timestamps_ms: inner.timestamps.clone(),
            start_ms: self.start_ms,
            end_ms: inner.end_ms,
            now_ms,
            restarts: inner.restarts,
            full_restarts: inner.full_restarts,
            root_exception: inner.root_exception.clone(),
            vertices: self
                .vertices
                .iter()
                .enumerate()
                .map(|(v, details)| sum_up(details, v, &inner.tasks))
                .collect(),
            checkpoints: inner.checkpoints.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds what a histogram of one task says, by the names that Flink's REST interface gives such values. Of percentiles those of the slowest
/// task count.
fn add_statistics(counters: &mut BTreeMap<String, u64>, name: &str, statistics: &HistogramStatistics) {
    *counters.entry(format!("{name}_count")).or_default() += statistics.count;
    for (what, value) in [
        ("p50", statistics.p50),
        ("p99", statistics.p99),
        ("max", statistics.max),
    ] {
        let slowest = counters.entry(format!("{name}_{what}")).or_default();
        *slowest = value.max(*slowest);
    }
}

fn sum_up(details: &VertexDetails, vertex: usize, tasks: &[TaskView]) -> VertexDetails {
    let mut sum = details.clone();
    let (mut busy, mut idle, mut backpressured) = (0, 0, 0);
    let mut watermark = i64::MAX;
    let mut counters: BTreeMap<String, u64> = BTreeMap::new();
    let own = || tasks.iter().filter(|t| t.id.vertex as usize == vertex);
    for t in own() {
        sum.running += u32::from(t.state == TaskState::Running);
        sum.finished += u32::from(t.state == TaskState::Finished);
        sum.records_in += t.task.records_in();
        sum.records_out += t.task.records_out();
        busy += t.task.busy_nanos();
        idle += t.task.idle_nanos();
        backpressured += t.task.backpressured_nanos();
        watermark = watermark.min(t.task.current_watermark());
        for operator in &t.operators {
            let of_state = operator.keyed_state.key_counts().into_iter();
            let gauges = operator.gauges.values();
            for (name, value) in operator.user.values().into_iter().chain(of_state).chain(gauges) {
                *counters.entry(name).or_default() += value;
            }
            for (name, statistics) in operator.keyed_state.statistics() {
                add_statistics(&mut counters, &name, &statistics);
            }
        }
    }
    if details.is_sink {
        let taken = |t: &TaskView| {
            t.operators
                .last()
                .map_or(0, |o| o.records_in.load(Ordering::Relaxed))
        };
        sum.records_out = own().map(taken).sum();
    }
    if details.is_source {
        let emitted = |t: &TaskView| {
            t.operators
                .first()
                .map_or(0, |o| o.records_out.load(Ordering::Relaxed))
        };
        sum.records_in = own().map(emitted).sum();
    }
    let total = (busy + idle + backpressured).max(1) as f64;
    sum.busy = busy as f64 / total;
    sum.idle = idle as f64 / total;
    sum.backpressured = backpressured as f64 / total;
    sum.watermark_ms = (own().next().is_some() && watermark != i64::MIN).then_some(watermark);
    sum.counters = counters.into_iter().collect();
    sum
}
