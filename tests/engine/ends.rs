//! How jobs end: by themselves, cancelled, and asked to run again.

use super::{count_into, environment, eventually, expected_counts, numbers, occurrences};
use millpond_connectors::CollectSink;
use millpond_core::ErrorKind;
use millpond_runtime::master::JobStatus;

#[test]
fn a_bounded_job_ends_with_a_checkpoint_that_commits_its_last_output() {
    let sink = CollectSink::exactly_once();
    let env = environment(2);
    // An interval far longer than the job: only the final checkpoint can commit anything.
    env.enable_checkpointing(std::time::Duration::from_secs(3600));
    count_into(&numbers(&env, Some(5000), 1_000_000), &sink);
    let result = env.execute("bounded").unwrap();
    assert_eq!(result.details.status, JobStatus::Finished);
    assert_eq!(result.details.checkpoints.counts.completed, 1);
    assert_eq!(occurrences(sink.collected()), expected_counts(5000));
    assert_eq!(
        (result.details.records_in(), result.details.records_out()),
        (5000, 5000)
    );
}

#[test]
fn without_checkpoints_a_bounded_job_commits_when_its_input_ends() {
    let sink = CollectSink::exactly_once();
    let env = environment(3);
    env.enable_checkpointing(std::time::Duration::ZERO);
    count_into(&numbers(&env, Some(1000), 1_000_000), &sink);
    let result = env.execute("no checkpoints").unwrap();
    assert_eq!(result.details.checkpoints.counts.total, 0);
    assert_eq!(occurrences(sink.collected()), expected_counts(1000));
}

#[test]
fn a_cancelled_job_says_so_and_answers_no_more() {
    let env = environment(2);
    count_into(&numbers(&env, None, 10_000), &CollectSink::new());
    let job = env.execute_async("endless").unwrap();
    eventually("running", || job.status() == JobStatus::Running);
    job.cancel();
    assert_eq!(job.wait().unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(job.status(), JobStatus::Canceled);
    let e = job
        .trigger_savepoint(Some("/nowhere".to_string()))
        .wait()
        .unwrap_err();
    assert_eq!(e.kind(), ErrorKind::IllegalState, "{e}");
}

#[test]
fn a_finished_job_with_durable_checkpoints_is_not_run_twice() {
    let dir = tempfile::tempdir().unwrap();
    let sink = CollectSink::exactly_once();
    let run = |name: &str| {
        let env = environment(2);
        env.set_option("execution.checkpointing.dir", dir.path().display());
        count_into(&numbers(&env, Some(1000), 1_000_000), &sink);
        env.execute(name).unwrap()
    };
    assert!(run("daily").already_finished.is_none());
    let again = run("daily").already_finished.expect("the job has its result");
    assert!(
        again.contains("pipeline.name"),
        "tells how to run it again: {again}"
    );
    assert_eq!(occurrences(sink.collected()), expected_counts(1000));
    assert!(run("another name").already_finished.is_none());
}
