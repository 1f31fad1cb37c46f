//! Savepoints, their disposal, stops and checkpoints on demand: the request, its id, and how far it is. Flink's
//! `SavepointTriggerRequestBody`, `SavepointDisposalRequest`, `StopWithSavepointRequestBody`, `CheckpointTriggerRequestBody` and
//! `AsynchronousOperationResult`.
//!
//! A field that isn't known is refused: a misspelt folder must not end in the configured one.

use serde::{Deserialize, Serialize};

/// The body of `POST /jobs/:jobid/savepoints`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavepointRequest {
    /// The folder to put it in; the configured one when absent.
    #[serde(rename = "target-directory", default)]
    pub target_directory: Option<String>,
    /// Whether the job ends with it.
    #[serde(rename = "cancel-job", default)]
    pub cancel_job: bool,
    /// CANONICAL (the default) or NATIVE.
    #[serde(rename = "formatType", default)]
    pub format_type: Option<String>,
    /// The id to give the operation, 32 hexadecimal digits, so that asking again asks for the same one.
    #[serde(rename = "triggerId", default)]
    pub trigger_id: Option<String>,
}

/// The body of `POST /jobs/:jobid/stop`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopRequest {
    /// The folder to put the savepoint in; the configured one when absent.
    #[serde(rename = "targetDirectory", default)]
    pub target_directory: Option<String>,
    /// Whether all timers fire before: the end of the job's work, not a place to go on from.
    #[serde(default)]
    pub drain: bool,
    /// CANONICAL (the default) or NATIVE.
    #[serde(rename = "formatType", default)]
    pub format_type: Option<String>,
    /// See [`SavepointRequest::trigger_id`].
    #[serde(rename = "triggerId", default)]
    pub trigger_id: Option<String>,
}

/// The body of `POST /jobs/:jobid/checkpoints`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointRequest {
    /// Only CONFIGURED is there.
    #[serde(rename = "checkpointType", default)]
    pub checkpoint_type: Option<String>,
    /// See [`SavepointRequest::trigger_id`].
    #[serde(rename = "triggerId", default)]
    pub trigger_id: Option<String>,
}

/// The body of `POST /savepoint-disposal`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisposalRequest {
    /// The savepoint to delete: its folder.
    #[serde(rename = "savepoint-path", default)]
    pub savepoint_path: String,
    /// See [`SavepointRequest::trigger_id`].
    #[serde(rename = "triggerId", default)]
    pub trigger_id: Option<String>,
}

/// The answer to a trigger. Flink's `TriggerResponse`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triggered {
    /// What to ask the status path for.
    #[serde(rename = "request-id")]
    pub request_id: String,
}

/// How far an operation is. Flink's `AsynchronousOperationResult`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationStatus<T> {
    /// Whether it is over.
    pub status: StatusId,
    /// What came of it, once it is over.
    pub operation: Option<T>,
}

/// Flink's `QueueStatus`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusId {
    /// IN_PROGRESS or COMPLETED; a failed operation is COMPLETED, too, with a cause.
    pub id: String,
}

/// What came of a savepoint or stop: one of the two. Flink's `SavepointInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SavepointOutcome {
    /// The savepoint's path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_cause: Option<FailureCause>,
}

/// What came of a disposal: nothing, or why it failed. Flink's `AsynchronousOperationInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DisposalOutcome {
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_cause: Option<FailureCause>,
}

/// What came of a checkpoint on demand: one of the two. Flink's `CheckpointInfo`, which spells the cause another way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointOutcome {
    /// The checkpoint's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_id: Option<u64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_cause: Option<FailureCause>,
}

/// Flink's `SerializedThrowable`, without the serialized Java object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureCause {
    /// The kind of error, as `ErrorKind::as_str` names it.
    pub class: String,
    /// The error with all its causes, on one line.
    #[serde(rename = "stack-trace")]
    pub stack_trace: String,
}
