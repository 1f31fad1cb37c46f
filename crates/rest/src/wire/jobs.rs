//! Jobs and their vertices. Flink's `JobDetails` (of the overview), `JobDetailsInfo` and `JobExceptionsInfoWithHistory`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `/overview`: this process. Flink's `ClusterOverview`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Overview {
    /// Always 1: the process itself.
    pub taskmanagers: u32,
    /// As many as the highest parallelism of a vertex.
    pub slots_total: u32,
    /// Slots that nothing runs in.
    pub slots_available: u32,
    /// Jobs that have not ended.
    pub jobs_running: u32,
    /// Jobs that came to their end.
    pub jobs_finished: u32,
    /// Jobs that were cancelled.
    pub jobs_cancelled: u32,
    /// Jobs that failed.
    pub jobs_failed: u32,
    /// The version of this program.
    pub millpond_version: String,
}

/// `/jobs/overview`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobsOverview {
    /// The one job that the process runs.
    pub jobs: Vec<JobSummary>,
}

/// A job in the overview. Times are in milliseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobSummary {
    /// Its id.
    pub jid: String,
    /// Its name.
    pub name: String,
    /// Its status, such as RUNNING.
    pub state: String,
    /// When it started.
    pub start_time: i64,
    /// When it ended; -1 while it runs.
    pub end_time: i64,
    /// From its start to its end or now, in milliseconds.
    pub duration: i64,
    /// When its status last changed.
    pub last_modification: i64,
    /// How many of its tasks are in which state, with their number under `total`.
    pub tasks: BTreeMap<String, u32>,
}

/// `/jobs/:jobid`. Times are in milliseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub jid: String,
    /// Its name.
    pub name: String,
    /// Its status, such as RUNNING.
    pub state: String,
    /// When it started.
    #[serde(rename = "start-time")]
    pub start_time: i64,
    /// When it ended; -1 while it runs.
    #[serde(rename = "end-time")]
    pub end_time: i64,
    /// From its start to its end or now, in milliseconds.
    pub duration: i64,
    /// The highest number of key groups of its vertices.
    #[serde(rename = "maxParallelism")]
    pub max_parallelism: i64,
    /// The clock's time when this was put together.
    pub now: i64,
    /// When it entered each status; 0: never.
    pub timestamps: BTreeMap<String, i64>,
    /// Its vertices, in their order.
    pub vertices: Vec<Vertex>,
    /// How many vertices are in which state.
    #[serde(rename = "status-counts")]
    pub status_counts: BTreeMap<String, u32>,
    /// How often it was restarted. Not in Flink's answer.
    pub restarts: u32,
}

/// A vertex. Flink's `JobDetailsInfo.JobVertexDetailsInfo`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vertex {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How many key groups its keyed state has.
    #[serde(rename = "maxParallelism")]
    pub max_parallelism: u32,
    /// How many tasks it has.
    pub parallelism: u32,
    /// The state of its tasks together.
    pub status: String,
    /// How many of its tasks are in which state.
    pub tasks: BTreeMap<String, u32>,
    /// Its counters.
    pub metrics: VertexMetrics,
    /// Where its time goes. Not in Flink's answer, which gives times in milliseconds among the metrics.
    pub shares: TaskShares,
    /// The lowest watermark of its tasks, in milliseconds; absent before the first. Not in Flink's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<i64>,
    /// Counters of its functions, sources and sinks. Flink has them under `/accumulators` and `/metrics`.
    pub counters: BTreeMap<String, u64>,
}

/// The part of Flink's `IOMetricsInfo` that there is without a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VertexMetrics {
    /// Records that came in.
    pub read_records: u64,
    /// Whether that is the final number.
    pub read_records_complete: bool,
    /// Records that went out.
    pub write_records: u64,
    /// Whether that is the final number.
    pub write_records_complete: bool,
}

/// Shares of time, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskShares {
    /// At work.
    pub busy: f64,
    /// Without input.
    pub idle: f64,
    /// Waiting for a full output.
    pub backpressured: f64,
}

/// `/jobs/:jobid/exceptions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exceptions {
    /// Why the job last failed; absent when it never did.
    #[serde(rename = "root-exception")]
    pub root_exception: Option<String>,
    /// When, in milliseconds since the epoch.
    pub timestamp: Option<i64>,
    /// The same, as Flink's newer clients read it.
    #[serde(rename = "exceptionHistory")]
    pub exception_history: ExceptionHistory,
}

/// The failures that are remembered: the last one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionHistory {
    /// The failures.
    pub entries: Vec<ExceptionEntry>,
    /// Whether there were more.
    pub truncated: bool,
}

/// A failure of the job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionEntry {
    /// What kind of error: the part of its text before the first colon.
    #[serde(rename = "exceptionName")]
    pub exception_name: String,
    /// The error with all its causes.
    pub stacktrace: String,
    /// When, in milliseconds since the epoch.
    pub timestamp: i64,
}
