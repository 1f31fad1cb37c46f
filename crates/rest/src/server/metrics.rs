//! The paths that tell what the job measures. Flink's `JobMetricsHandler`, `JobVertexMetricsHandler` and `SubtaskMetricsHandler`.

use super::answer::{Answer, Refusal};
use super::routes::JobState;
use crate::metrics::answer;
use crate::wire::MetricEntry;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use millpond_runtime::metrics::{Metric, MetricValue, SubtaskMetrics};
use serde::Deserialize;

/// The query of the paths: with `get`, the values of these; without, the ids of all.
#[derive(Deserialize)]
pub(super) struct Selection {
    get: Option<String>,
}

type Metrics = Answer<Json<Vec<MetricEntry>>>;

pub(super) async fn prometheus(State(shared): JobState) -> Response {
    answer(&shared.job, true)
}

pub(super) async fn of_job(
    State(shared): JobState,
    Path(job): Path<String>,
    Query(selection): Query<Selection>,
) -> Metrics {
    shared.check(&job)?;
    Ok(selection.of(shared.job.metrics().metrics.iter().flat_map(|m| entries("", m))))
}

pub(super) async fn of_vertex(
    State(shared): JobState,
    Path((job, vertex)): Path<(String, String)>,
    Query(selection): Query<Selection>,
) -> Metrics {
    shared.check(&job)?;
    let metrics = shared.job.metrics();
    let mut tasks = metrics.tasks.iter().filter(|t| t.task_id == vertex).peekable();
    if tasks.peek().is_none() {
        return Err(no_vertex(&vertex));
    }
    Ok(selection.of(tasks.flat_map(|t| of_task(t, &format!("{}.", t.subtask_index)))))
}

pub(super) async fn of_subtask(
    State(shared): JobState,
    Path((job, vertex, subtask)): Path<(String, String, u32)>,
    Query(selection): Query<Selection>,
) -> Metrics {
    shared.check(&job)?;
    let metrics = shared.job.metrics();
    let is_meant = |t: &&SubtaskMetrics| t.task_id == vertex && t.subtask_index == subtask;
    let task = metrics.tasks.iter().find(is_meant);
    let task = task.ok_or_else(|| no_vertex(&format!("{vertex} with a subtask {subtask}")))?;
    Ok(selection.of(of_task(task, "").into_iter()))
}

fn no_vertex(what: &str) -> Refusal {
    Refusal::not_found(format!(
        "no vertex {what} here; GET /jobs/:jobid lists the vertices"
    ))
}

/// A task's metrics and those of its operators, which stand behind the operator's name.
fn of_task(task: &SubtaskMetrics, prefix: &str) -> Vec<MetricEntry> {
    let own = task.metrics.iter().flat_map(|m| entries(prefix, m));
    let of_operators = task.operators.iter().flat_map(|operator| {
        let prefix = format!("{prefix}{}.", operator.operator_name);
        let of_operator = operator.metrics.iter();
        of_operator.flat_map(|m| entries(&prefix, m)).collect::<Vec<_>>()
    });
    own.chain(of_operators).collect()
}

/// A number is an entry, a histogram several.
fn entries(prefix: &str, metric: &Metric) -> Vec<MetricEntry> {
    let entry = |suffix: &str, value: String| MetricEntry {
        id: format!("{prefix}{}{suffix}", metric.name),
        value: Some(value),
    };
    match metric.value {
        MetricValue::Integer(value) => vec![entry("", value.to_string())],
        MetricValue::Rate(value) => vec![entry("", value.to_string())],
        MetricValue::Histogram(s) => vec![
            entry("_count", s.count.to_string()),
            entry("_min", s.min.to_string()),
            entry("_max", s.max.to_string()),
            entry("_mean", s.mean.to_string()),
            entry("_p50", s.p50.to_string()),
            entry("_p75", s.p75.to_string()),
            entry("_p95", s.p95.to_string()),
            entry("_p98", s.p98.to_string()),
            entry("_p99", s.p99.to_string()),
            entry("_p999", s.p999.to_string()),
        ],
    }
}

impl Selection {
    fn of(&self, entries: impl Iterator<Item = MetricEntry>) -> Json<Vec<MetricEntry>> {
        let Some(wanted) = &self.get else {
            let without_value = |e: MetricEntry| MetricEntry { value: None, ..e };
            return Json(entries.map(without_value).collect());
        };
        let wanted: Vec<&str> = wanted.split(',').collect();
        let is_wanted = |e: &MetricEntry| wanted.contains(&e.id.as_str());
        Json(entries.filter(is_wanted).collect())
    }
}
