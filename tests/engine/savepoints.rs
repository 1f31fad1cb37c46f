//! Savepoints: on demand, with stop, drained, at another parallelism, moved, of another job.

use super::{checkpoints, count_into, environment, expected_counts, numbers, occurrences};
use millpond_api::WatermarkStrategy;
use millpond_connectors::{CollectSink, DataGeneratorSource};
use millpond_core::ErrorKind;
use millpond_runtime::datastream::StreamExecutionEnvironment;
use millpond_runtime::master::{JobDetails, JobStatus};

fn stop_and_continue(parallelisms: &[u32]) {
    let dir = tempfile::tempdir().unwrap();
    let sink = CollectSink::exactly_once();
    let mut from: Option<String> = None;
    for (i, parallelism) in parallelisms.iter().enumerate() {
        let env = environment(*parallelism);
        env.set_option(
            "execution.checkpointing.dir",
            dir.path().join("checkpoints").display(),
        );
        if let Some(path) = &from {
            env.set_option("execution.state-recovery.path", path);
        }
        let last = i + 1 == parallelisms.len();
        count_into(
            &numbers(&env, Some(12_000), if last { 1_000_000 } else { 10_000 }),
            &sink,
        );
        let job = env.execute_async("moving").unwrap();
        if !last {
            checkpoints(&job, 3);
            let target = dir.path().join("savepoints").display().to_string();
            let savepoint = job.stop_with_savepoint(false, Some(target)).wait().unwrap();
            from = Some(savepoint.path);
        }
        let result = job.wait().unwrap();
        assert_eq!(result.details.status, JobStatus::Finished);
        assert_eq!(result.savepoint.is_some(), !last);
    }
    assert_eq!(
        occurrences(sink.collected()),
        expected_counts(12_000),
        "{parallelisms:?}"
    );
}

#[test]
fn a_job_stopped_with_a_savepoint_goes_on_at_any_parallelism() {
    stop_and_continue(&[2, 3, 1]);
    stop_and_continue(&[1, 4]);
}

/// Goal: a job that doesn't name its max parallelism takes that of the snapshot, keeps it, and is told why where it can't.
/// Method: a job with 31 key groups is stopped and goes on twice without naming them, at other parallelisms.
#[test]
fn the_max_parallelism_is_the_snapshots_unless_the_job_names_another() {
    let dir = tempfile::tempdir().unwrap();
    let sink = CollectSink::exactly_once();
    let job = |parallelism, from: Option<&str>| {
        let env = environment(parallelism);
        if let Some(path) = from {
            env.set_option("execution.state-recovery.path", path);
        }
        let rate = if parallelism == 1 { 1_000_000 } else { 10_000 };
        count_into(&numbers(&env, Some(12_000), rate), &sink);
        env
    };
    let stop = |env: StreamExecutionEnvironment| {
        let job = env.execute_async("keyed").unwrap();
        checkpoints(&job, 3);
        let target = Some(dir.path().display().to_string());
        let savepoint = job.stop_with_savepoint(false, target).wait().unwrap();
        (key_groups(&job.wait().unwrap().details), savepoint.path)
    };
    let first = job(2, None);
    first.set_max_parallelism(31);
    let (groups, first) = stop(first);
    assert_eq!(groups, 31);
    let (groups, second) = stop(job(3, Some(&first)));
    assert_eq!(groups, 31, "not 128");

    let other = job(2, Some(&second));
    other.set_max_parallelism(64);
    let hint_of = |env: StreamExecutionEnvironment| {
        let error = env.execute("keyed").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible, "{error}");
        error.to_string()
    };
    let error = hint_of(other);
    assert!(error.contains("set pipeline.max-parallelism to 31"), "{error}");
    let error = hint_of(job(32, Some(&second)));
    assert!(error.contains("lower the parallelism to 31"), "{error}");

    let result = job(1, Some(&second)).execute("keyed").unwrap();
    assert_eq!(key_groups(&result.details), 31);
    assert_eq!(occurrences(sink.collected()), expected_counts(12_000));
}

/// How many key groups the counting operator has.
fn key_groups(details: &JobDetails) -> u32 {
    let counting = details.vertices.iter().find(|v| !v.is_source).unwrap();
    counting.max_parallelism
}

#[test]
fn a_savepoint_on_demand_leaves_the_job_running_and_can_be_moved() {
    let dir = tempfile::tempdir().unwrap();
    let sink = CollectSink::exactly_once();
    let env = environment(2);
    count_into(&numbers(&env, None, 10_000), &sink);
    let job = env.execute_async("looked at").unwrap();
    checkpoints(&job, 1);
    let savepoint = job
        .trigger_savepoint(Some(dir.path().display().to_string()))
        .wait()
        .unwrap();
    let completed = job.details().checkpoints.counts.completed;
    checkpoints(&job, completed + 1);
    assert_eq!(job.status(), JobStatus::Running);
    job.cancel();
    assert!(job.wait().is_err());

    let written = std::path::PathBuf::from(savepoint.path.trim_start_matches("file:"));
    let moved = dir.path().join("elsewhere");
    std::fs::rename(&written, &moved).unwrap();
    let env = environment(3);
    env.set_option("execution.state-recovery.path", moved.display());
    count_into(&numbers(&env, None, 10_000), &CollectSink::new());
    let job = env.execute_async("looked at").unwrap();
    checkpoints(&job, 1);
    assert_eq!(
        job.details().checkpoints.latest_restored.map(|r| r.checkpoint),
        Some(savepoint.checkpoint)
    );
    job.cancel();
    assert!(job.wait().is_err());
    assert!(
        moved.join("_metadata").exists(),
        "a savepoint is its user's and never deleted"
    );
}

#[test]
fn draining_fires_every_timer_and_ends_the_stream() {
    let dir = tempfile::tempdir().unwrap();
    let sink = CollectSink::exactly_once();
    let env = environment(2);
    count_into(&numbers(&env, None, 10_000), &sink);
    let job = env.execute_async("drained").unwrap();
    checkpoints(&job, 2);
    job.stop_with_savepoint(true, Some(dir.path().display().to_string()))
        .wait()
        .unwrap();
    let result = job.wait().unwrap();
    assert_eq!(result.details.watermark_ms(), Some(i64::MAX));
    // Endless input of two instances: each has a run from its start, every record of it once.
    assert!(occurrences(sink.collected()).values().all(|times| *times == 1));
    assert!(!sink.is_empty());
}

#[test]
fn a_savepoint_of_another_job_is_refused_by_operator_unless_state_may_be_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let env = environment(2);
    count_into(&numbers(&env, None, 10_000), &CollectSink::new());
    let job = env.execute_async("one").unwrap();
    checkpoints(&job, 1);
    let savepoint = job
        .stop_with_savepoint(false, Some(dir.path().display().to_string()))
        .wait()
        .unwrap();
    job.wait().unwrap();

    let other = || {
        let env = environment(2);
        env.set_option("execution.state-recovery.path", &savepoint.path);
        let source = DataGeneratorSource::new(|i| i as i64, Some(10));
        env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
            .uid("other numbers")
            .sink_to(CollectSink::new());
        env
    };
    let e = other().execute("two").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Incompatible);
    assert!(e.to_string().contains("--allow-non-restored-state"), "{e}");
    assert!(
        e.context("operators")
            .unwrap()
            .contains(&millpond_core::OperatorId::from_uid("count").to_string()),
        "{e}"
    );
    assert!(
        e.context("operators_without_state")
            .unwrap()
            .contains("other numbers"),
        "{e}"
    );
    let env = other();
    env.set_option("execution.state-recovery.ignore-unclaimed-state", true);
    env.execute("two").unwrap();
}
