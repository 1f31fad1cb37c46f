//! The paths that tell about the job, and what all paths share. Flink's `WebMonitorEndpoint.initializeHandlers`.

use super::Shared;
use super::answer::{Answer, Refusal, failures_as_json};
use super::guard::local_only;
use super::{metrics, operations, view};
use crate::wire::{
    Checkpoint, CheckpointConfigInfo, CheckpointSubtasks, Checkpoints, Exceptions, Job, JobsOverview,
    Overview,
};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use millpond_core::JobId;
use millpond_runtime::master::JobDetails;
use millpond_state::query::QueryKey;
use millpond_types::snapshot::render::Rendered;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Bodies are a path and a few words.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a task may take to say what a key has: less than the client waits.
const STATE_WITHIN: Duration = Duration::from_secs(5);

pub(super) type JobState = State<Arc<Shared>>;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/overview", get(overview))
        .route("/jobs", get(jobs))
        .route("/jobs/overview", get(jobs_overview))
        .route("/jobs/{job}", get(job).patch(operations::cancel))
        .route("/jobs/{job}/status", get(status))
        .route("/jobs/{job}/exceptions", get(exceptions))
        .route(
            "/jobs/{job}/checkpoints",
            get(checkpoints).post(operations::trigger_checkpoint),
        )
        .route("/metrics", get(metrics::prometheus))
        .route("/jobs/{job}/metrics", get(metrics::of_job))
        .route("/jobs/{job}/vertices/{vertex}/metrics", get(metrics::of_vertex))
        .route(
            "/jobs/{job}/vertices/{vertex}/subtasks/{subtask}/metrics",
            get(metrics::of_subtask),
        )
        .route("/jobs/{job}/checkpoints/config", get(checkpoint_config))
        .route("/jobs/{job}/checkpoints/details/{checkpoint}", get(checkpoint))
        .route(
            "/jobs/{job}/checkpoints/details/{checkpoint}/subtasks/{vertex}",
            get(subtasks),
        )
        .route(
            "/jobs/{job}/checkpoints/{trigger}",
            get(operations::checkpoint_status),
        )
        .route("/jobs/{job}/savepoints", post(operations::trigger_savepoint))
        .route(
            "/jobs/{job}/savepoints/{trigger}",
            get(operations::savepoint_status),
        )
        .route("/savepoint-disposal", post(operations::dispose))
        .route("/savepoint-disposal/{trigger}", get(operations::disposal_status))
        .route("/jobs/{job}/state/{uid}/{state}", get(state_of_key))
        .route("/jobs/{job}/stop", post(operations::stop))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(failures_as_json))
        .layer(middleware::from_fn(local_only))
        .with_state(shared)
}

impl Shared {
    /// The job, if `id` is its id.
    pub(super) fn check(&self, id: &str) -> Answer<()> {
        let id: JobId = id
            .parse()
            .map_err(|e: millpond_core::Error| Refusal::bad_request(e.to_string()))?;
        if id == self.job.job_id() {
            return Ok(());
        }
        Err(Refusal::not_found(format!(
            "no job {id} here; this process runs {}",
            self.job.job_id()
        )))
    }

    fn details(&self, id: &str) -> Answer<JobDetails> {
        self.check(id)?;
        Ok(self.job.details())
    }
}

async fn overview(State(shared): JobState) -> Json<Overview> {
    Json(view::overview(&shared.job.details()))
}

async fn jobs(State(shared): JobState) -> Json<Value> {
    Json(json!({"jobs": [{"id": shared.job.job_id().to_string(), "status": shared.job.status().as_str()}]}))
}

async fn jobs_overview(State(shared): JobState) -> Json<JobsOverview> {
    let jobs = vec![view::job_summary(&shared.job.details())];
    Json(JobsOverview { jobs })
}

async fn job(State(shared): JobState, Path(job): Path<String>) -> Answer<Json<Job>> {
    Ok(Json(view::job(&shared.details(&job)?)))
}

async fn status(State(shared): JobState, Path(job): Path<String>) -> Answer<Json<Value>> {
    shared.check(&job)?;
    Ok(Json(json!({ "status": shared.job.status().as_str() })))
}

async fn exceptions(State(shared): JobState, Path(job): Path<String>) -> Answer<Json<Exceptions>> {
    Ok(Json(view::exceptions(&shared.details(&job)?)))
}

async fn checkpoints(State(shared): JobState, Path(job): Path<String>) -> Answer<Json<Checkpoints>> {
    Ok(Json(view::checkpoints(&shared.details(&job)?)))
}

async fn checkpoint_config(
    State(shared): JobState,
    Path(job): Path<String>,
) -> Answer<Json<CheckpointConfigInfo>> {
    shared.check(&job)?;
    Ok(Json(view::checkpoint_config(shared.job.configuration())?))
}

async fn checkpoint(
    State(shared): JobState,
    Path((job, checkpoint)): Path<(String, String)>,
) -> Answer<Json<Checkpoint>> {
    let details = shared.details(&job)?;
    let id = checkpoint_id(&checkpoint)?;
    view::checkpoint(&details, id)
        .map(Json)
        .ok_or_else(|| not_remembered(&job, id))
}

async fn subtasks(
    State(shared): JobState,
    Path((job, checkpoint, vertex)): Path<(String, String, String)>,
) -> Answer<Json<CheckpointSubtasks>> {
    let details = shared.details(&job)?;
    let id = checkpoint_id(&checkpoint)?;
    if !details.vertices.iter().any(|v| v.id == vertex) {
        return Err(Refusal::not_found(format!(
            "this job has no vertex {vertex}; see /jobs/{job}"
        )));
    }
    view::subtasks(&details, id, &vertex)
        .map(Json)
        .ok_or_else(|| not_remembered(&job, id))
}

fn checkpoint_id(text: &str) -> Answer<u64> {
    text.parse()
        .map_err(|_| Refusal::bad_request(format!("a checkpoint's id is a number, not {text:?}")))
}

fn not_remembered(job: &str, id: u64) -> Refusal {
    Refusal::not_found(format!(
        "no checkpoint {id} of this job is remembered; see /jobs/{job}/checkpoints"
    ))
}

/// The query of `/jobs/:jobid/state/:uid/:state`.
#[derive(Deserialize)]
struct KeyQuery {
    key: String,
}

async fn state_of_key(
    State(shared): JobState,
    Path((job, uid, state)): Path<(String, String, String)>,
    Query(query): Query<KeyQuery>,
) -> Answer<Json<Value>> {
    shared.check(&job)?;
    let mut key = QueryKey::text(&query.key);
    if let Ok(tree) = serde_json::from_str::<Value>(&query.key) {
        key = key.with_json(rendered(tree));
    }
    let pending = shared.job.query_state(&uid, &state, key);
    let view = tokio::task::spawn_blocking(move || pending.wait_for(STATE_WITHIN))
        .await
        .map_err(|e| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))??;
    serde_json::from_str(&view.render().to_string())
        .map(Json)
        .map_err(|e| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))
}

/// JSON as the state layer takes it. The parser has bounded its depth.
fn rendered(json: Value) -> Rendered {
    match json {
        Value::Null => Rendered::Null,
        Value::Bool(value) => Rendered::Bool(value),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Rendered::Int(value),
            (None, Some(value)) => Rendered::UInt(value),
            (None, None) => Rendered::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Rendered::Text(text),
        Value::Array(list) => Rendered::List(list.into_iter().map(rendered).collect()),
        Value::Object(members) => Rendered::Object(
            members
                .into_iter()
                .map(|(name, value)| (name, rendered(value)))
                .collect(),
        ),
    }
}

async fn unknown_path(uri: Uri) -> Refusal {
    Refusal::not_found(format!("no such path: {}", uri.path()))
}

async fn wrong_method(uri: Uri) -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("another method is needed for {}", uri.path()),
    )
}
