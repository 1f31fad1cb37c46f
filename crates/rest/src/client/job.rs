//! One job's REST interface as methods.

use super::connection::Connection;
use crate::wire::{
    Checkpoint, CheckpointOutcome, CheckpointRequest, Checkpoints, Exceptions, Job, JobSummary, JobsOverview,
    OperationStatus, SavepointOutcome, SavepointRequest, StopRequest, Triggered,
};
use millpond_core::{Error, ErrorKind, JobId, Result};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;

/// How long one request may take.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// A job of another process. Every method is one request, limited to 10 seconds, but those that say that they wait.
///
/// # Errors
/// All methods: Io when the job can't be reached; NotFound when what was asked for isn't there; Config when a value is wrong;
/// IllegalState when the job is over.
#[derive(Clone, Debug)]
pub struct JobClient {
    pub(super) connection: Connection,
    job_id: JobId,
}

impl JobClient {
    /// The job `job_id` at `address`. Nothing is sent yet.
    pub fn new(address: SocketAddr, job_id: JobId) -> Self {
        JobClient {
            connection: Connection::new(address, REQUEST_WITHIN),
            job_id,
        }
    }

    /// The job's id.
    pub fn job_id(&self) -> JobId {
        self.job_id
    }

    /// Where its REST interface listens.
    pub fn address(&self) -> SocketAddr {
        self.connection.address()
    }

    /// The job in short.
    ///
    /// # Errors
    /// See the type.
    pub fn summary(&self) -> Result<JobSummary> {
        let overview: JobsOverview = self.connection.get("/jobs/overview")?;
        let id = self.job_id.to_string();
        overview.jobs.into_iter().find(|j| j.jid == id).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "ask job", "another job answers there")
                .with("job", id)
                .with("address", self.address())
        })
    }

    /// The job with its vertices.
    ///
    /// # Errors
    /// See the type.
    pub fn job(&self) -> Result<Job> {
        self.connection.get(&self.path(""))
    }

    /// The job's status, such as RUNNING.
    ///
    /// # Errors
    /// See the type.
    pub fn status(&self) -> Result<String> {
        let answer: Value = self.connection.get(&self.path("/status"))?;
        Ok(answer
            .get("status")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_string())
    }

    /// Why the job last failed, if it did.
    ///
    /// # Errors
    /// See the type.
    pub fn exceptions(&self) -> Result<Exceptions> {
        self.connection.get(&self.path("/exceptions"))
    }

    /// The job's checkpoints.
    ///
    /// # Errors
    /// See the type.
    pub fn checkpoints(&self) -> Result<Checkpoints> {
        self.connection.get(&self.path("/checkpoints"))
    }

    /// One checkpoint with its tasks.
    ///
    /// # Errors
    /// See the type; NotFound also when it is no longer remembered.
    pub fn checkpoint(&self, id: u64) -> Result<Checkpoint> {
        self.connection
            .get(&self.path(&format!("/checkpoints/details/{id}")))
    }

    /// Asks for a savepoint and returns the trigger id to ask for its outcome with.
    ///
    /// # Errors
    /// See the type.
    pub fn trigger_savepoint(&self, request: &SavepointRequest) -> Result<String> {
        self.trigger("/savepoints", request)
    }

    /// Asks for a savepoint after which the job ends, and returns the trigger id.
    ///
    /// # Errors
    /// See the type.
    pub fn trigger_stop(&self, request: &StopRequest) -> Result<String> {
        self.trigger("/stop", request)
    }

    /// Asks for a checkpoint now, and returns the trigger id.
    ///
    /// # Errors
    /// See the type.
    pub fn trigger_checkpoint(&self) -> Result<String> {
        self.trigger("/checkpoints", &CheckpointRequest::default())
    }

    /// How far a savepoint or stop is.
    ///
    /// # Errors
    /// See the type.
    pub fn savepoint_status(&self, trigger_id: &str) -> Result<OperationStatus<SavepointOutcome>> {
        self.connection
            .get(&self.path(&format!("/savepoints/{trigger_id}")))
    }

    /// How far a checkpoint on demand is.
    ///
    /// # Errors
    /// See the type.
    pub fn checkpoint_status(&self, trigger_id: &str) -> Result<OperationStatus<CheckpointOutcome>> {
        self.connection
            .get(&self.path(&format!("/checkpoints/{trigger_id}")))
    }

    /// What `key`, as text or JSON, has in `state` of the operator with this uid.
    ///
    /// # Errors
    /// See the type; NotFound names the operators or states that there are.
    pub fn state(&self, uid: &str, state: &str, key: &str) -> Result<Value> {
        let [uid, state, key] = [uid, state, key].map(percent_encoded);
        self.connection
            .get(&self.path(&format!("/state/{uid}/{state}?key={key}")))
    }

    /// Cancels the job; its tasks are told, not waited for: see [`JobClient::wait_for_end`].
    ///
    /// # Errors
    /// See the type.
    pub fn cancel(&self) -> Result<()> {
        let _: Value = self.connection.patch(&self.path("?mode=cancel"))?;
        Ok(())
    }

    fn trigger(&self, path: &str, request: &impl serde::Serialize) -> Result<String> {
        let answer: Triggered = self.connection.post(&self.path(path), request)?;
        Ok(answer.request_id)
    }

    fn path(&self, rest: &str) -> String {
        format!("/jobs/{}{rest}", self.job_id)
    }
}

/// `text` as a part of a path or query.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
