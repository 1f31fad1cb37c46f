//! A job and its vertices as Flink's REST interface shows them.

use crate::wire::{
    ExceptionEntry, ExceptionHistory, Exceptions, Job, JobSummary, Overview, TaskShares, Vertex,
    VertexMetrics,
};
use millpond_runtime::master::{JobDetails, JobStatus, VertexDetails};
use std::collections::BTreeMap;

/// Flink's `ExecutionState`s, in its order.
const TASK_STATES: [&str; 10] = [
    "CREATED",
    "SCHEDULED",
    "DEPLOYING",
    "RUNNING",
    "FINISHED",
    "CANCELING",
    "CANCELED",
    "FAILED",
    "RECONCILING",
    "INITIALIZING",
];

/// Every status of a job that Flink lists with its time.
const JOB_STATES: [&str; 11] = [
    "INITIALIZING",
    "CREATED",
    "RUNNING",
    "FAILING",
    "FAILED",
    "CANCELLING",
    "CANCELED",
    "FINISHED",
    "RESTARTING",
    "SUSPENDED",
    "RECONCILING",
];

pub(in crate::server) fn overview(d: &JobDetails) -> Overview {
    let slots = d.vertices.iter().map(|v| v.parallelism).max().unwrap_or(0);
    let is = |status| u32::from(d.status == status);
    let over = d.status.is_globally_terminal();
    Overview {
        taskmanagers: 1,
        slots_total: slots,
        slots_available: if over { slots } else { 0 },
        jobs_running: u32::from(!over),
        jobs_finished: is(JobStatus::Finished),
        jobs_cancelled: is(JobStatus::Canceled),
        jobs_failed: is(JobStatus::Failed),
        millpond_version: env!("CARGO_PKG_VERSION").to_string(),
    }
}

pub(in crate::server) fn job_summary(d: &JobDetails) -> JobSummary {
    let mut tasks: BTreeMap<String, u32> = TASK_STATES.iter().map(|s| (s.to_lowercase(), 0)).collect();
    for (state, count) in d.vertices.iter().flat_map(|v| task_states(v, d.status)) {
        *tasks.entry(state.to_lowercase()).or_default() += count;
    }
    tasks.insert(
        "total".to_string(),
        d.vertices.iter().map(|v| v.parallelism).sum(),
    );
    JobSummary {
        jid: d.job_id.to_string(),
        name: d.name.clone(),
        state: d.status.as_str().to_string(),
        start_time: d.start_ms,
        end_time: d.end_ms.unwrap_or(-1),
        duration: d.duration_ms,
        last_modification: d
            .status_timestamps_ms
            .values()
            .copied()
            .max()
            .unwrap_or(d.start_ms),
        tasks,
    }
}

pub(in crate::server) fn job(d: &JobDetails) -> Job {
    let vertices: Vec<Vertex> = d.vertices.iter().map(|v| vertex(v, d.status)).collect();
    let mut status_counts: BTreeMap<String, u32> = TASK_STATES.iter().map(|s| (s.to_string(), 0)).collect();
    for v in &vertices {
        *status_counts.entry(v.status.clone()).or_default() += 1;
    }
    let entered = |s: &&str| {
        (
            s.to_string(),
            d.status_timestamps_ms.get(*s).copied().unwrap_or(0),
        )
    };
    Job {
        jid: d.job_id.to_string(),
        name: d.name.clone(),
        state: d.status.as_str().to_string(),
        start_time: d.start_ms,
        end_time: d.end_ms.unwrap_or(-1),
        duration: d.duration_ms,
        max_parallelism: d
            .vertices
            .iter()
            .map(|v| i64::from(v.max_parallelism))
            .max()
            .unwrap_or(-1),
        now: d.now_ms,
        timestamps: JOB_STATES.iter().map(entered).collect(),
        vertices,
        status_counts,
        restarts: d.restarts,
    }
}

pub(in crate::server) fn exceptions(d: &JobDetails) -> Exceptions {
    let entries = d.root_exception.iter().map(|(timestamp, text)| ExceptionEntry {
        exception_name: text.split(':').next().unwrap_or(text).to_string(),
        stacktrace: text.clone(),
        timestamp: *timestamp,
    });
    Exceptions {
        root_exception: d.root_exception.as_ref().map(|(_, text)| text.clone()),
        timestamp: d.root_exception.as_ref().map(|(ms, _)| *ms),
        exception_history: ExceptionHistory {
            entries: entries.collect(),
            truncated: d.restarts > 1,
        },
    }
}

fn vertex(v: &VertexDetails, status: JobStatus) -> Vertex {
    let states = task_states(v, status);
    let over = status.is_globally_terminal();
    let mut tasks: BTreeMap<String, u32> = TASK_STATES.iter().map(|s| (s.to_string(), 0)).collect();
    for (state, count) in states {
        *tasks.entry(state.to_string()).or_default() += count;
    }
    Vertex {
        id: v.id.clone(),
        name: v.name.clone(),
        max_parallelism: v.max_parallelism,
        parallelism: v.parallelism,
        status: together(&states).to_string(),
        tasks,
        metrics: VertexMetrics {
            read_records: v.records_in,
            read_records_complete: over,
            write_records: v.records_out,
            write_records_complete: over,
        },
        shares: TaskShares {
            busy: v.busy,
            idle: v.idle,
            backpressured: v.backpressured,
        },
        watermark: v.watermark_ms,
        counters: v.counters.iter().cloned().collect(),
    }
}

/// How many tasks run, are finished, and neither: what the latter are follows from the job.
fn task_states(v: &VertexDetails, status: JobStatus) -> [(&'static str, u32); 3] {
    let rest = match status {
        JobStatus::Initializing | JobStatus::Created => "CREATED",
        JobStatus::Running => "DEPLOYING",
        JobStatus::Failing | JobStatus::Cancelling => "CANCELING",
        JobStatus::Failed => "FAILED",
        JobStatus::Canceled | JobStatus::Restarting | JobStatus::Finished => "CANCELED",
    };
    let others = v.parallelism.saturating_sub(v.running).saturating_sub(v.finished);
    [("RUNNING", v.running), ("FINISHED", v.finished), (rest, others)]
}

/// Flink's `ExecutionJobVertex.getAggregateJobVertexState`: what is wrong or unfinished shows through.
fn together(states: &[(&'static str, u32); 3]) -> &'static str {
    let [running, finished, rest] = states;
    match (running.1, finished.1, rest.1) {
        (0, 1.., 0) => finished.0,
        (1.., _, 0) => running.0,
        _ => rest.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vertex(running: u32, finished: u32) -> VertexDetails {
        VertexDetails {
            parallelism: 3,
            running,
            finished,
            ..VertexDetails::default()
        }
    }

    /// The state of a vertex follows from its tasks: unfinished ones show through, and tasks that neither run nor ended well are
    /// what the job makes of them.
    #[test]
    fn a_vertex_is_in_the_state_of_its_tasks() {
        for (running, finished, job, expected) in [
            (3, 0, JobStatus::Running, "RUNNING"),
            (1, 2, JobStatus::Running, "RUNNING"),
            (0, 3, JobStatus::Running, "FINISHED"),
            (2, 0, JobStatus::Running, "DEPLOYING"),
            (0, 0, JobStatus::Created, "CREATED"),
            (0, 0, JobStatus::Failed, "FAILED"),
            (0, 2, JobStatus::Canceled, "CANCELED"),
            (1, 0, JobStatus::Cancelling, "CANCELING"),
        ] {
            let states = task_states(&vertex(running, finished), job);
            assert_eq!(together(&states), expected, "{running} {finished} {job:?}");
            assert_eq!(states.iter().map(|s| s.1).sum::<u32>(), 3);
        }
    }
}
