//! The paths.

use super::Shared;
use super::answer::Refusal;
use super::guard::local_only;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::routing::get;
use axum::{Json, Router, middleware};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/jobs", get(jobs))
        .layer(middleware::from_fn(local_only))
        .with_state(shared)
}

async fn jobs(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!({"jobs": [{"id": shared.job.job_id().to_string(), "status": shared.job.status().as_str()}]}))
}
