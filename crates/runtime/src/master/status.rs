//! What a job looks like from outside: its status, its tasks' counters, its checkpoints. Read by REST, the terminal and tests.

use crate::graph::JobGraph;
use millpond_checkpoint::coordinator::CheckpointStatistics;
use millpond_core::JobId;
use millpond_core::hash::HashMap;

/// Where a job stands. Flink's `JobStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobStatus {
    /// Its snapshot is being looked for and its tasks are being made.
    Initializing,
    /// Its tasks are being started.
    Created,
    /// Its tasks run.
    Running,
    /// A task failed for good; the others are being stopped.
    Failing,
    /// It failed for good.
    Failed,
    /// It was cancelled; its tasks are being stopped.
    Cancelling,
    /// It was cancelled.
    Canceled,
    /// It came to its end: its input ended, or it was stopped with a savepoint.
    Finished,
    /// A task failed, and the job is about to start again.
    Restarting,
}

impl JobStatus {
    /// As Flink's REST interface spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            JobStatus::Initializing => "INITIALIZING",
            JobStatus::Created => "CREATED",
            JobStatus::Running => "RUNNING",
            JobStatus::Failing => "FAILING",
            JobStatus::Failed => "FAILED",
            JobStatus::Cancelling => "CANCELLING",
            JobStatus::Canceled => "CANCELED",
            JobStatus::Finished => "FINISHED",
            JobStatus::Restarting => "RESTARTING",
        }
    }

    /// Whether nothing will follow.
    pub fn is_globally_terminal(self) -> bool {
        matches!(
            self,
            JobStatus::Failed | JobStatus::Canceled | JobStatus::Finished
        )
    }
}

/// A job at one moment.
#[derive(Clone, Debug)]
pub struct JobDetails {
    /// Its identity.
    pub job_id: JobId,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: JobStatus,
    /// When it entered each status that it was ever in, in milliseconds since the epoch.
    pub status_timestamps_ms: HashMap<&'static str, i64>,
    /// When it was started, in milliseconds since the epoch.
    pub start_ms: i64,
    /// When it ended, if it did.
    pub end_ms: Option<i64>,
    /// The clock's time when this was put together.
    pub now_ms: i64,
    /// How long it has run, in milliseconds, by a clock that nobody sets.
    pub duration_ms: i64,
    /// How often tasks were restarted, all or some. Flink's `numRestarts`.
    pub restarts: u32,
    /// How often all of them were. Flink's `fullRestarts`.
    pub full_restarts: u32,
    /// Why it last failed, with when, if it ever did.
    pub root_exception: Option<(i64, String)>,
    /// Its vertices, in their order.
    pub vertices: Vec<VertexDetails>,
    /// Its checkpoints.
    pub checkpoints: CheckpointStatistics,
}

/// A vertex at one moment: the sums over its tasks.
#[derive(Clone, Debug, Default)]
pub struct VertexDetails {
    /// Its id: that of its first operator.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it begins with a source.
    pub is_source: bool,
    /// Whether nothing stands behind it.
    pub is_sink: bool,
    /// How many tasks it has.
    pub parallelism: u32,
    /// How many key groups its keyed state has.
    pub max_parallelism: u32,
    /// How many of its tasks run.
    pub running: u32,
    /// How many of its tasks are over, well.
    pub finished: u32,
    /// Records that came in.
    pub records_in: u64,
    /// Records that went out; of a vertex with nothing behind it, those that its sink took.
    pub records_out: u64,
    /// The lowest watermark of its tasks; `None` before the first.
    pub watermark_ms: Option<i64>,
    /// The shares of time, from 0 to 1, that its tasks spent at work, without input, and waiting for a full output.
    pub busy: f64,
    /// See `busy`.
    pub idle: f64,
    /// See `busy`.
    pub backpressured: f64,
    /// Counters of its functions, sources and sinks, summed, in the order of their names.
    pub counters: Vec<(String, u64)>,
}

impl JobDetails {
    /// Records that the sources emitted so far.
    pub fn records_in(&self) -> u64 {
        self.vertices
            .iter()
            .filter(|v| v.is_source)
            .map(|v| v.records_in)
            .sum()
    }

    /// Records that reached the sinks.
    pub fn records_out(&self) -> u64 {
        self.vertices
            .iter()
            .filter(|v| v.is_sink)
            .map(|v| v.records_out)
            .sum()
    }

    /// The lowest watermark of all tasks that have one.
    pub fn watermark_ms(&self) -> Option<i64> {
        self.vertices.iter().filter_map(|v| v.watermark_ms).min()
    }
}

pub(super) fn vertex_id(graph: &JobGraph, vertex: usize) -> String {
    let first = graph.vertices.get(vertex).and_then(|v| v.operators.first());
    first.map(|o| o.id.to_string()).unwrap_or_default()
}
