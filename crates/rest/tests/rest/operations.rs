//! Savepoints, stops, checkpoints and cancellation through the interface.

use crate::{Running, get, http};
use millpond_checkpoint::metadata::{CheckpointProperties, PostCheckpointAction, SavepointFormat};
use millpond_checkpoint::savepoint::load_savepoint;
use millpond_core::ErrorKind;
use millpond_core::host::SystemClock;
use millpond_rest::wire::{SavepointRequest, StopRequest};
use millpond_runtime::master::JobStatus;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

fn request(directory: &str) -> SavepointRequest {
    SavepointRequest {
        target_directory: Some(directory.to_string()),
        ..SavepointRequest::default()
    }
}

/// The whole way of a savepoint: trigger, outcome, the files, and the place in the statistics. The job goes on.
#[test]
fn a_savepoint_is_taken_and_its_path_told() {
    let job = Running::start("saved");
    let client = job.client();
    let trigger = client.trigger_savepoint(&request(&job.savepoints())).unwrap();
    let path = client.wait_for_savepoint(&trigger, |_| {}).unwrap();
    let local = path
        .strip_prefix("file://")
        .or(path.strip_prefix("file:"))
        .unwrap_or(&path);
    assert!(Path::new(local).join("_metadata").is_file(), "{path}");

    let (status, told) = get(job.address(), &job.path(&format!("/savepoints/{trigger}")));
    assert_eq!(status, 200);
    assert_eq!(
        told,
        json!({"status": {"id": "COMPLETED"}, "operation": {"location": path}})
    );
    let latest = client.checkpoints().unwrap().latest.savepoint.unwrap();
    assert_eq!(latest.external_path.as_deref(), Some(path.as_str()));
    assert_eq!(latest.checkpoint_type, "SAVEPOINT");
    assert_eq!(job.handle.status(), JobStatus::Running);
}

/// Flink's idempotence: the same trigger id asks for the same savepoint.
#[test]
fn a_trigger_id_given_twice_takes_one_savepoint() {
    let job = Running::start("once");
    let client = job.client();
    let id = "0123456789abcdef0123456789ABCDEF";
    let again = SavepointRequest {
        trigger_id: Some(id.to_string()),
        ..request(&job.savepoints())
    };
    let first = client.trigger_savepoint(&again).unwrap();
    assert_eq!(first, id.to_ascii_lowercase());
    client.wait_for_savepoint(&first, |_| {}).unwrap();
    assert_eq!(client.trigger_savepoint(&again).unwrap(), first);
    client.wait_for_savepoint(&first, |_| {}).unwrap();
    assert_eq!(client.checkpoints().unwrap().counts.total, 1);
}

/// A savepoint without any folder, or into one that can't be, fails with a cause, and the job goes on.
#[test]
fn a_savepoint_that_fails_tells_its_cause() {
    let job = Running::start("unsaved");
    let client = job.client();
    let trigger = client.trigger_savepoint(&SavepointRequest::default()).unwrap();
    let error = client.wait_for_savepoint(&trigger, |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error
            .to_string()
            .contains("execution.checkpointing.savepoint-dir"),
        "{error}"
    );

    let file = job.folder.path().join("a-file");
    std::fs::write(&file, b"in the way").unwrap();
    let trigger = client
        .trigger_savepoint(&request(file.to_str().unwrap()))
        .unwrap();
    assert!(client.wait_for_savepoint(&trigger, |_| {}).is_err());
    let (_, told) = get(job.address(), &job.path(&format!("/savepoints/{trigger}")));
    assert_eq!(told["status"]["id"], "COMPLETED");
    assert!(
        told["operation"]["failure-cause"]["stack-trace"]
            .as_str()
            .unwrap()
            .len()
            > 10
    );
    assert_eq!(job.handle.status(), JobStatus::Running);
}

/// The server outlives the job until the path was fetched, although its owner drops it as soon as the job is over.
#[test]
fn a_stop_ends_the_job_and_its_path_can_still_be_fetched() {
    for drain in [false, true] {
        let mut job = Running::start("stopped");
        let client = job.client();
        let trigger = client
            .trigger_stop(&StopRequest {
                target_directory: Some(job.savepoints()),
                drain,
                ..StopRequest::default()
            })
            .unwrap();
        let (handle, server) = (job.handle.clone(), job.server.take());
        let owner = millpond_core::host::spawn("owner", move || {
            let result = handle.wait().unwrap();
            drop(server);
            result
        })
        .unwrap();
        job.until(|j| j.handle.is_over());
        // Later than the owner's drop, within the moment that the server stays.
        millpond_core::host::sleep(Duration::from_millis(100));
        let path = client.wait_for_savepoint(&trigger, |_| {}).unwrap();
        let result = owner.join().unwrap();
        assert_eq!(result.savepoint.as_deref(), Some(path.as_str()));
        assert!(client.status().is_err(), "the server is gone");
    }
}

/// Nobody comes for the path: the server goes all the same, after its short grace.
#[test]
fn a_path_that_nobody_fetches_doesnt_hold_the_process_up() {
    let mut job = Running::start("unfetched");
    let body = json!({"cancel-job": true, "target-directory": job.savepoints()}).to_string();
    let (status, _) = http(
        job.address(),
        "POST",
        &job.path("/savepoints"),
        "",
        body.as_bytes(),
    );
    assert_eq!(status, 202);
    job.until(|j| j.handle.is_over());
    assert_eq!(job.handle.status(), JobStatus::Finished);
    let clock = SystemClock::shared();
    let start = clock.monotonic_nanos();
    drop(job.server.take());
    let millis = (clock.monotonic_nanos() - start) / 1_000_000;
    assert!((1_500..10_000).contains(&millis), "{millis} ms");
}

/// Checkpoints on demand, in a job without periodic ones.
#[test]
fn a_checkpoint_is_taken_on_demand() {
    let job = Running::start("on demand");
    let (status, answer) = http(
        job.address(),
        "POST",
        &job.path("/checkpoints"),
        "",
        b"{\"checkpointType\": \"CONFIGURED\"}",
    );
    assert_eq!(status, 202);
    let trigger = answer["request-id"].as_str().unwrap();
    let id = job.client().wait_for_checkpoint(trigger).unwrap();
    assert_eq!(job.client().checkpoint(id).unwrap().checkpoint_type, "CHECKPOINT");
    // A checkpoint's trigger is no savepoint's.
    assert_eq!(
        get(job.address(), &job.path(&format!("/savepoints/{trigger}"))).0,
        404
    );
}

/// Cancelled through the interface; afterwards there is nothing to cancel or save any more.
#[test]
fn a_job_is_cancelled_once() {
    let job = Running::start("cancelled");
    let (status, answer) = http(job.address(), "PATCH", &job.path("?mode=cancel"), "", b"");
    assert_eq!((status, answer), (202, json!({})));
    job.until(|j| j.handle.is_over());
    assert_eq!(job.handle.status(), JobStatus::Canceled);
    assert_eq!(job.client().cancel().unwrap_err().kind(), ErrorKind::IllegalState);
    let late = job
        .client()
        .trigger_savepoint(&request(&job.savepoints()))
        .unwrap_err();
    assert_eq!(late.kind(), ErrorKind::IllegalState);
    assert!(late.to_string().contains("CANCELED"), "{late}");
}

/// More operations than are remembered: the oldest outcome is forgotten, the newest are there, and nothing grows without bound.
#[test]
fn only_the_last_outcomes_are_remembered() {
    let job = Running::start("busy");
    let client = job.client();
    let triggers: Vec<String> = (0..205)
        .map(|_| client.trigger_savepoint(&SavepointRequest::default()).unwrap())
        .collect();
    let (first, last) = (triggers.first().unwrap(), triggers.last().unwrap());
    assert_eq!(
        client.wait_for_savepoint(last, |_| {}).unwrap_err().kind(),
        ErrorKind::Config
    );
    assert_eq!(
        client.savepoint_status(first).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    let remembered = triggers
        .iter()
        .filter(|t| client.savepoint_status(t).is_ok())
        .count();
    assert_eq!(remembered, 200);
}

/// Goal: a stop with a native savepoint writes one, and ends the job with it.
#[test]
fn a_stop_can_be_native() {
    let mut job = Running::start("stopped natively");
    let stop = StopRequest {
        format_type: Some("NATIVE".to_string()),
        target_directory: Some(job.savepoints()),
        ..StopRequest::default()
    };
    let client = job.client();
    let path = client
        .wait_for_savepoint(&client.trigger_stop(&stop).unwrap(), |_| {})
        .unwrap();
    assert_eq!(
        job.handle.wait().unwrap().savepoint.as_deref(),
        Some(path.as_str())
    );
    drop(job.server.take());
    let savepoint = load_savepoint(&path).unwrap();
    let native = CheckpointProperties::savepoint(PostCheckpointAction::Suspend, SavepointFormat::Native);
    assert_eq!(savepoint.metadata().properties, Some(native));
}

/// Goal: a savepoint is deleted on request, and why not is told when it can't be. The trigger id given twice deletes once.
#[test]
fn savepoints_are_disposed_of() {
    let job = Running::start("disposed of");
    let client = job.client();
    let trigger = client.trigger_savepoint(&request(&job.savepoints())).unwrap();
    let path = client.wait_for_savepoint(&trigger, |_| {}).unwrap();
    let id = "0123456789abcdef0123456789abcdef";
    let body = json!({"savepoint-path": path, "triggerId": id}).to_string();
    for _ in 0..2 {
        let (status, answer) = http(job.address(), "POST", "/savepoint-disposal", "", body.as_bytes());
        assert_eq!((status, answer), (200, json!({ "request-id": id })));
        assert_eq!(outcome_of_disposal(&job, id), json!({}));
        assert!(load_savepoint(&path).is_err());
    }

    let body = json!({ "savepoint-path": path }).to_string();
    let (_, answer) = http(job.address(), "POST", "/savepoint-disposal", "", body.as_bytes());
    let failed = outcome_of_disposal(&job, answer["request-id"].as_str().unwrap());
    assert_eq!(
        failed["failure-cause"]["class"],
        ErrorKind::NotFound.as_str(),
        "{failed}"
    );
}

/// What a disposal came to, once it is over.
fn outcome_of_disposal(job: &Running, trigger: &str) -> Value {
    let told = || get(job.address(), &format!("/savepoint-disposal/{trigger}"));
    job.until(|_| told().1.pointer("/status/id") == Some(&json!("COMPLETED")));
    let (status, told) = told();
    assert_eq!(status, 200);
    told.get("operation").cloned().unwrap_or_default()
}
