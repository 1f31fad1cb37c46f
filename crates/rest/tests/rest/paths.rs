//! What the paths tell about a job.

use crate::{Running, get};
use serde_json::{Value, json};

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Overview, job and exceptions of a running job carry Flink's names and the job's own numbers.
#[test]
fn a_running_job_tells_about_itself_in_flinks_words() {
    let job = Running::start("told");
    let id = job.handle.job_id().to_string();
    job.until(|j| {
        let details = j.handle.details();
        details.records_out() > 0 && details.vertices.iter().all(|v| v.running == 2)
    });

    let (status, overview) = get(job.address(), "/overview");
    assert_eq!(status, 200);
    assert_eq!(overview["taskmanagers"], 1);
    assert_eq!(overview["slots-total"], 2);
    assert_eq!(
        (&overview["jobs-running"], &overview["jobs-failed"]),
        (&1.into(), &0.into())
    );

    let (_, jobs) = get(job.address(), "/jobs");
    assert_eq!(jobs["jobs"][0]["id"], id);
    assert_eq!(jobs["jobs"][0]["status"], "RUNNING");

    let (_, jobs) = get(job.address(), "/jobs/overview");
    let summary = &jobs["jobs"][0];
    let names = [
        "duration",
        "end-time",
        "jid",
        "last-modification",
        "name",
        "start-time",
        "state",
        "tasks",
    ];
    assert_eq!(keys(summary), names);
    assert_eq!(summary["name"], "told");
    assert_eq!(summary["end-time"], -1);
    assert_eq!(summary["tasks"]["running"], 4);
    assert_eq!(summary["tasks"]["total"], 4);

    let (_, details) = get(job.address(), &job.path(""));
    assert_eq!(details["jid"], id);
    assert_eq!(details["timestamps"]["FAILED"], 0);
    assert_eq!(
        details["timestamps"]["RUNNING"].as_i64(),
        job.handle.details().status_timestamps_ms.get("RUNNING").copied()
    );
    assert_eq!(details["status-counts"]["RUNNING"], 2);
    let vertices = details["vertices"].as_array().unwrap();
    assert_eq!(vertices.len(), 2);
    assert!(
        vertices[0]["name"].as_str().unwrap().contains("numbers"),
        "{vertices:?}"
    );
    assert_eq!(vertices[1]["tasks"]["RUNNING"], 2);
    assert!(vertices[1]["metrics"]["read-records"].as_u64().unwrap() > 0);
    assert_eq!(vertices[1]["metrics"]["read-records-complete"], false);

    let (_, state) = get(job.address(), &job.path("/status"));
    assert_eq!(state["status"], "RUNNING");
    let (_, exceptions) = get(job.address(), &job.path("/exceptions"));
    assert_eq!(exceptions["root-exception"], Value::Null);
    assert_eq!(
        exceptions["exceptionHistory"]["entries"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
}

/// Every job's checkpoints by number, sort and task; the newest first.
#[test]
fn checkpoints_are_told_with_counts_history_and_tasks() {
    let job = Running::with("checkpointed", &[("execution.checkpointing.interval", "150 ms")]);
    job.until(|j| j.handle.details().checkpoints.counts.completed >= 3);

    let (status, all) = get(job.address(), &job.path("/checkpoints"));
    assert_eq!(status, 200);
    assert_eq!(keys(&all), ["counts", "history", "latest", "summary"]);
    assert!(all["counts"]["completed"].as_u64().unwrap() >= 3);
    assert_eq!(all["latest"]["savepoint"], Value::Null);
    let latest = &all["latest"]["completed"];
    assert_eq!(latest["className"], "completed");
    assert_eq!(latest["checkpoint_type"], "CHECKPOINT");
    assert_eq!(latest["num_acknowledged_subtasks"], 4);
    let ids: Vec<u64> = all["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["id"].as_u64().unwrap())
        .collect();
    assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");
    let sizes = &all["summary"]["end_to_end_duration"];
    assert!(sizes["min"].as_i64() <= sizes["p50"].as_i64() && sizes["p50"].as_i64() <= sizes["max"].as_i64());

    let client = job.client();
    let one = client.checkpoint(latest["id"].as_u64().unwrap()).unwrap();
    assert_eq!(one.tasks.len(), 2);
    for task in one.tasks.values() {
        assert_eq!((task.num_subtasks, task.num_acknowledged_subtasks), (2, 2));
        assert_eq!(task.status, "COMPLETED");
    }
    assert_eq!(
        one.tasks.values().map(|t| t.state_size).sum::<u64>(),
        one.state_size
    );
    assert_eq!(client.checkpoints().unwrap().counts.failed, 0);
}

/// A job that was cancelled still answers until its server is dropped, as over.
#[test]
fn a_job_that_is_over_says_so() {
    let job = Running::start("over");
    job.handle.cancel();
    assert!(job.client().wait_for_end(std::time::Duration::from_secs(10)));
    job.until(|j| j.handle.is_over());
    let summary = job.client().summary().unwrap();
    assert_eq!(summary.state, "CANCELED");
    assert!(summary.end_time >= summary.start_time);
    // Measured by another clock than the one that dates start and end.
    let dated = summary.end_time - summary.start_time;
    assert!(summary.duration.abs_diff(dated) < 1_000, "{summary:?}");
    assert_eq!(get(job.address(), "/overview").1["jobs-cancelled"], 1);
}

/// One vertex's part of a checkpoint, task by task, under Flink's names.
#[test]
fn a_vertex_tells_its_part_of_a_checkpoint_task_by_task() {
    let job = Running::with("parts", &[("execution.checkpointing.interval", "150 ms")]);
    job.until(|j| j.handle.details().checkpoints.counts.completed >= 2);
    let (_, all) = get(job.address(), &job.path("/checkpoints"));
    let id = all["latest"]["completed"]["id"].as_u64().unwrap();
    let sink = job.handle.details().vertices[1].id.clone();
    let path = job.path(&format!("/checkpoints/details/{id}/subtasks/{sink}"));
    let (status, part) = get(job.address(), &path);
    assert_eq!(status, 200);
    assert_eq!(
        (part["id"].as_u64(), part["num_subtasks"].as_u64()),
        (Some(id), Some(2))
    );
    let summary = [
        "alignment",
        "checkpoint_duration",
        "checkpointed_size",
        "end_to_end_duration",
        "start_delay",
        "state_size",
    ];
    assert_eq!(keys(&part["summary"]), summary);
    assert_eq!(
        keys(&part["summary"]["alignment"]),
        ["buffered", "duration", "persisted", "processed"]
    );
    let subtasks = part["subtasks"].as_array().unwrap();
    assert_eq!(subtasks.len(), 2);
    for (index, subtask) in subtasks.iter().enumerate() {
        assert_eq!(subtask["index"].as_u64(), Some(index as u64));
        assert_eq!(subtask["status"], "completed");
        let names = [
            "aborted",
            "ack_timestamp",
            "alignment",
            "checkpoint",
            "checkpointed_size",
            "end_to_end_duration",
            "index",
            "start_delay",
            "state_size",
            "status",
            "unaligned_checkpoint",
        ];
        assert_eq!(keys(subtask), names);
        assert_eq!(keys(&subtask["checkpoint"]), ["async", "sync"]);
        assert_eq!(subtask["unaligned_checkpoint"], false);
    }
}

/// Goal: the settings of checkpoints under Flink's names: those that are set, and defaults.
#[test]
fn the_settings_of_checkpoints_are_told_in_flinks_words() {
    let job = Running::start("plain");
    let (status, config) = get(job.address(), &job.path("/checkpoints/config"));
    assert_eq!(status, 200);
    let defaults = json!({
        "mode": "exactly_once",
        "interval": i64::MAX,
        "timeout": 600_000,
        "min_pause": 0,
        "max_concurrent": 1,
        "externalization": {"enabled": false, "delete_on_cancellation": true},
        "state_backend": "HashMapStateBackend",
        "checkpoint_storage": "JobManagerCheckpointStorage",
        "unaligned_checkpoints": false,
        "tolerable_failed_checkpoints": 0,
        "aligned_checkpoint_timeout": 0,
        "checkpoints_after_tasks_finish": true,
        "state_changelog_enabled": false,
    });
    assert_eq!(config, defaults);

    let folder = tempfile::tempdir().unwrap();
    let job = Running::with(
        "set",
        &[
            ("execution.checkpointing.dir", folder.path().to_str().unwrap()),
            ("execution.checkpointing.interval", "90 s"),
            ("execution.checkpointing.timeout", "1 min"),
            ("execution.checkpointing.min-pause", "5 s"),
            ("execution.checkpointing.tolerable-failed-checkpoints", "3"),
            ("execution.checkpointing.unaligned.enabled", "true"),
            ("execution.checkpointing.aligned-checkpoint-timeout", "10 s"),
            (
                "execution.checkpointing.externalized-checkpoint-retention",
                "RETAIN_ON_CANCELLATION",
            ),
            ("execution.checkpointing.checkpoints-after-tasks-finish", "false"),
        ],
    );
    let (_, config) = get(job.address(), &job.path("/checkpoints/config"));
    let expected = json!({
        "mode": "exactly_once",
        "interval": 90_000,
        "timeout": 60_000,
        "min_pause": 5_000,
        "max_concurrent": 1,
        "externalization": {"enabled": true, "delete_on_cancellation": false},
        "state_backend": "HashMapStateBackend",
        "checkpoint_storage": "FileSystemCheckpointStorage",
        "unaligned_checkpoints": true,
        "tolerable_failed_checkpoints": 3,
        "aligned_checkpoint_timeout": 10_000,
        "checkpoints_after_tasks_finish": false,
        "state_changelog_enabled": false,
    });
    assert_eq!(config, expected);
}
