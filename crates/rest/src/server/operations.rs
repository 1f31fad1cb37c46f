//! The paths that ask the job for something: savepoints, stop, checkpoints, cancellation. Flink's `SavepointHandlers`,
//! `StopWithSavepointHandlers`, `CheckpointHandlers` and `JobCancellationHandler`. And the disposal of savepoints, which is asked of
//! a cluster there: `SavepointDisposalHandlers`.

use super::Shared;
use super::answer::{Answer, Refusal};
use super::routes::JobState;
use super::triggers::{Expected, Operation, Progress};
use crate::wire::{
    CheckpointOutcome, CheckpointRequest, DisposalOutcome, DisposalRequest, FailureCause, OperationStatus,
    SavepointOutcome, SavepointRequest, StatusId, StopRequest, Triggered,
};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use millpond_checkpoint::savepoint::dispose_savepoint;
use millpond_checkpoint::storage::StorageOptions;
use millpond_runtime::master::{JobHandle, Pending, SavepointInfo};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::oneshot;

type Accepted<T> = Answer<(StatusCode, Json<T>)>;
type Body = Result<Bytes, BytesRejection>;

/// The query of `PATCH /jobs/:jobid`.
#[derive(Deserialize)]
pub(super) struct Termination {
    mode: Option<String>,
}

pub(super) async fn trigger_savepoint(
    State(shared): JobState,
    Path(job): Path<String>,
    body: Body,
) -> Accepted<Triggered> {
    shared.check(&job)?;
    let request: SavepointRequest = read(body)?;
    let native = is_native(request.format_type.as_deref())?;
    let target = request.target_directory;
    start(&shared, Operation::Savepoint, request.trigger_id, |job| {
        match (request.cancel_job, native) {
            (true, true) => job.stop_with_native_savepoint(false, target),
            (true, false) => job.stop_with_savepoint(false, target),
            (false, true) => job.trigger_native_savepoint(target),
            (false, false) => job.trigger_savepoint(target),
        }
    })
}

pub(super) async fn stop(
    State(shared): JobState,
    Path(job): Path<String>,
    body: Body,
) -> Accepted<Triggered> {
    shared.check(&job)?;
    let request: StopRequest = read(body)?;
    let native = is_native(request.format_type.as_deref())?;
    let target = request.target_directory;
    start(&shared, Operation::Savepoint, request.trigger_id, |job| {
        if native {
            job.stop_with_native_savepoint(request.drain, target)
        } else {
            job.stop_with_savepoint(request.drain, target)
        }
    })
}

pub(super) async fn dispose(State(shared): JobState, body: Body) -> Answer<Json<Triggered>> {
    let request: DisposalRequest = read(body)?;
    if request.savepoint_path.is_empty() {
        return Err(Refusal::bad_request(
            "savepoint-path is missing: the savepoint to delete",
        ));
    }
    let trigger_id = request.trigger_id.as_deref().map(hex_id).transpose()?;
    running(&shared)?;
    // The store is reached as the job reaches its own.
    let options = StorageOptions::from_configuration(shared.job.configuration())?;
    let request_id = shared.triggers.start(Operation::Disposal, trigger_id, || {
        let (answer, expected) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            // With the server gone, nobody will ask.
            let _ = answer.send(dispose_savepoint(&request.savepoint_path, &options));
        });
        Expected::Disposal(expected)
    })?;
    Ok(Json(Triggered { request_id }))
}

pub(super) async fn trigger_checkpoint(
    State(shared): JobState,
    Path(job): Path<String>,
    body: Body,
) -> Accepted<Triggered> {
    shared.check(&job)?;
    let request: CheckpointRequest = read(body)?;
    only("checkpointType", request.checkpoint_type.as_deref(), "CONFIGURED")?;
    start(
        &shared,
        Operation::Checkpoint,
        request.trigger_id,
        JobHandle::trigger_checkpoint,
    )
}

pub(super) async fn savepoint_status(
    State(shared): JobState,
    Path((job, trigger)): Path<(String, String)>,
) -> Answer<Json<OperationStatus<SavepointOutcome>>> {
    shared.check(&job)?;
    let over = progress(&shared, Operation::Savepoint, &trigger)?.map(|outcome| match outcome {
        Ok(info) => SavepointOutcome {
            location: info.map(|info| info.path),
            failure_cause: None,
        },
        Err(cause) => SavepointOutcome {
            location: None,
            failure_cause: Some(cause),
        },
    });
    Ok(status(over))
}

pub(super) async fn checkpoint_status(
    State(shared): JobState,
    Path((job, trigger)): Path<(String, String)>,
) -> Answer<Json<OperationStatus<CheckpointOutcome>>> {
    shared.check(&job)?;
    let over = progress(&shared, Operation::Checkpoint, &trigger)?.map(|outcome| match outcome {
        Ok(info) => CheckpointOutcome {
            checkpoint_id: info.map(|info| info.checkpoint),
            failure_cause: None,
        },
        Err(cause) => CheckpointOutcome {
            checkpoint_id: None,
            failure_cause: Some(cause),
        },
    });
    Ok(status(over))
}

pub(super) async fn disposal_status(
    State(shared): JobState,
    Path(trigger): Path<String>,
) -> Answer<Json<OperationStatus<DisposalOutcome>>> {
    let over = progress(&shared, Operation::Disposal, &trigger)?.map(|outcome| DisposalOutcome {
        failure_cause: outcome.err(),
    });
    Ok(status(over))
}

pub(super) async fn cancel(
    State(shared): JobState,
    Path(job): Path<String>,
    Query(query): Query<Termination>,
) -> Accepted<Value> {
    shared.check(&job)?;
    match query.mode.as_deref() {
        None | Some("cancel") => {}
        Some("stop") => {
            return Err(Refusal::bad_request(
                "mode=stop is no longer there: POST to /jobs/:jobid/stop",
            ));
        }
        Some(other) => {
            return Err(Refusal::bad_request(format!(
                "mode={other} is unknown: only cancel is there"
            )));
        }
    }
    running(&shared)?;
    shared.job.cancel();
    Ok((StatusCode::ACCEPTED, Json(json!({}))))
}

fn start(
    shared: &Shared,
    operation: Operation,
    trigger_id: Option<String>,
    trigger: impl FnOnce(&JobHandle) -> Pending<SavepointInfo>,
) -> Accepted<Triggered> {
    let trigger_id = trigger_id.as_deref().map(hex_id).transpose()?;
    running(shared)?;
    let request_id = shared
        .triggers
        .start(operation, trigger_id, || Expected::Snapshot(trigger(&shared.job)))?;
    Ok((StatusCode::ACCEPTED, Json(Triggered { request_id })))
}

/// What came of the operation; `None` while it is under way.
fn progress(
    shared: &Shared,
    operation: Operation,
    trigger: &str,
) -> Answer<Option<Result<Option<SavepointInfo>, FailureCause>>> {
    let trigger = hex_id(trigger)?;
    let progress = shared
        .triggers
        .progress(operation, &trigger)
        .ok_or_else(|| Refusal::not_found(format!("no operation has the trigger id {trigger}")))?;
    Ok(match progress {
        Progress::UnderWay => None,
        Progress::Completed(info) => Some(Ok(info)),
        Progress::Failed { kind, report } => Some(Err(FailureCause {
            class: kind.as_str().to_string(),
            stack_trace: report,
        })),
    })
}

fn status<T>(operation: Option<T>) -> Json<OperationStatus<T>> {
    let id = if operation.is_some() {
        "COMPLETED"
    } else {
        "IN_PROGRESS"
    };
    let status = StatusId { id: id.to_string() };
    Json(OperationStatus { status, operation })
}

fn running(shared: &Shared) -> Answer<()> {
    let status = shared.job.status();
    if status.is_globally_terminal() {
        let why = format!("the job is over: {}", status.as_str());
        return Err(Refusal::new(StatusCode::CONFLICT, why));
    }
    Ok(())
}

/// An empty body stands for one without fields, as with Flink.
fn read<T: DeserializeOwned + Default>(body: Body) -> Answer<T> {
    let bytes = body.map_err(|e| Refusal::new(e.status(), e.body_text()))?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    let odd = |e: serde_json::Error| Refusal::bad_request(format!("the body is not as it should be: {e}"));
    // A struct could also be read from a list of its fields' values; no such body is meant.
    let fields: serde_json::Map<String, Value> = serde_json::from_slice(&bytes).map_err(odd)?;
    serde_json::from_value(Value::Object(fields)).map_err(odd)
}

fn is_native(format_type: Option<&str>) -> Answer<bool> {
    match format_type {
        None | Some("CANONICAL") => Ok(false),
        Some("NATIVE") => Ok(true),
        Some(other) => Err(Refusal::bad_request(format!(
            "formatType={other} is unknown: CANONICAL and NATIVE are there"
        ))),
    }
}

fn only(field: &str, value: Option<&str>, there: &str) -> Answer<()> {
    match value {
        Some(v) if v != there => Err(Refusal::bad_request(format!(
            "{field}={v} is not available: only {there} is"
        ))),
        _ => Ok(()),
    }
}

/// A trigger id as Flink writes it: 32 hexadecimal digits, here in lower case.
fn hex_id(text: &str) -> Answer<String> {
    if text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(Refusal::bad_request(format!(
        "a trigger id has 32 hexadecimal digits, not {text:?}"
    )))
}
