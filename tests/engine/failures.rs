//! What user functions and storage do wrong, and how the job goes on.

use super::{KEYS, checkpoints, count_into, environment, eventually, expected_counts, numbers, occurrences};
use millpond_connectors::CollectSink;
use millpond_core::{Error, ErrorKind};
use millpond_runtime::master::JobStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Fails (by `how`) the first `times` times that it sees `at`, and counts how often it did.
fn fails(
    times: u32,
    at: i64,
    how: fn() -> Error,
) -> (
    Arc<AtomicU32>,
    impl Fn(i64) -> millpond_core::Result<i64> + Send + Sync,
) {
    let failed = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&failed);
    let f = move |n| {
        if n == at && count.fetch_add(1, Ordering::SeqCst) < times {
            return Err(how());
        }
        Ok(n)
    };
    (failed, f)
}

#[test]
fn a_failing_function_restarts_the_job_and_each_record_still_counts_once() {
    for parallelism in [1, 2, 3] {
        let sink = CollectSink::exactly_once();
        let env = environment(parallelism);
        let (failed, f) = fails(2, 3000, || Error::user("bad luck"));
        count_into(&numbers(&env, Some(4000), 20_000).try_map(f), &sink);
        let result = env.execute("unlucky").unwrap();
        assert_eq!(result.details.restarts, 2, "{:?}", result.details.root_exception);
        assert!(failed.load(Ordering::SeqCst) >= 2);
        assert_eq!(
            occurrences(sink.collected()),
            expected_counts(4000),
            "parallelism {parallelism}"
        );
        let (_, why) = result.details.root_exception.unwrap();
        assert!(why.contains("bad luck"), "{why}");
    }
}

#[test]
fn at_least_once_loses_nothing() {
    let sink = CollectSink::exactly_once();
    let env = environment(2);
    env.set_option("execution.checkpointing.mode", "AT_LEAST_ONCE");
    let (_, f) = fails(1, 3000, || Error::user("bad luck"));
    count_into(
        &numbers(&env, Some(4000), 20_000)
            .try_map(f)
            .rebalance()
            .map(|n| n),
        &sink,
    );
    env.execute("at least once").unwrap();
    let seen = sink.collected();
    let keys_counted: std::collections::BTreeMap<i64, i64> =
        seen.iter().fold(Default::default(), |mut m, (k, n)| {
            let highest = m.entry(*k).or_insert(0);
            *highest = (*highest).max(*n);
            m
        });
    for (key, highest) in keys_counted {
        let times = (0..4000).filter(|n| n % KEYS == key).count() as i64;
        assert!(highest >= times, "key {key}: {highest} of {times}");
    }
}

#[test]
fn a_panic_is_an_error_that_names_task_operator_and_message() {
    let env = environment(2);
    env.set_option("restart-strategy.type", "none");
    count_into(
        &numbers(&env, Some(1000), 1_000_000)
            .map(|n| {
                if n == 500 {
                    panic!("division of labour by zero")
                } else {
                    n
                }
            })
            .name("divider"),
        &CollectSink::new(),
    );
    let e = env.execute("panicky").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::UserFunction);
    assert!(
        e.report().contains("panicked") && e.report().contains("division of labour by zero"),
        "{}",
        e.report()
    );
    assert!(e.context("task").is_some_and(|t| t.contains("divider")), "{e}");
    assert_eq!(e.context("operator"), Some("divider"), "{e}");
}

#[test]
fn after_the_last_allowed_restart_the_job_fails_with_its_own_error() {
    let env = environment(2);
    let (failed, f) = fails(u32::MAX, 10, || Error::user("never works"));
    count_into(&numbers(&env, None, 10_000).try_map(f), &CollectSink::new());
    let job = env.execute_async("hopeless").unwrap();
    let e = job.wait().unwrap_err();
    assert!(e.report().contains("never works"), "{}", e.report());
    assert_eq!(job.status(), JobStatus::Failed);
    assert_eq!(
        failed.load(Ordering::SeqCst),
        4,
        "the first attempt and three restarts"
    );
}

#[test]
fn a_checkpoint_that_cannot_be_stored_fails_alone_while_failures_are_tolerated() {
    let dir = tempfile::tempdir().unwrap();
    let sink = CollectSink::exactly_once();
    let env = environment(2);
    env.set_option(
        "execution.checkpointing.dir",
        dir.path().join("checkpoints").display(),
    );
    env.set_option("execution.checkpointing.tolerable-failed-checkpoints", 1_000_000);
    count_into(&numbers(&env, Some(20_000), 10_000), &sink);
    let job = env.execute_async("bad disk").unwrap();
    checkpoints(&job, 2);
    // A file where the folder was: nothing can be written there any more, whoever the user is.
    let (folder, aside) = (dir.path().join("checkpoints"), dir.path().join("aside"));
    std::fs::rename(&folder, &aside).unwrap();
    std::fs::write(&folder, "not a folder").unwrap();
    eventually("a failed checkpoint", || {
        job.details().checkpoints.counts.failed >= 2
    });
    assert_eq!(job.status(), JobStatus::Running);
    let why = job
        .details()
        .checkpoints
        .latest_failed
        .unwrap()
        .failure
        .unwrap()
        .to_string();
    assert!(why.contains("checkpoints"), "names the folder: {why}");
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&aside, &folder).unwrap();
    let completed = job.details().checkpoints.counts.completed;
    checkpoints(&job, completed + 1);
    let result = job.wait().unwrap();
    assert_eq!(result.details.restarts, 0);
    assert_eq!(occurrences(sink.collected()), expected_counts(20_000));
}

#[test]
fn too_many_failed_checkpoints_fail_the_job() {
    let dir = tempfile::tempdir().unwrap();
    let env = environment(1);
    env.set_option(
        "execution.checkpointing.dir",
        dir.path().join("checkpoints").display(),
    );
    env.set_option("execution.checkpointing.tolerable-failed-checkpoints", 2);
    env.set_option("restart-strategy.type", "none");
    count_into(&numbers(&env, None, 10_000), &CollectSink::new());
    let job = env.execute_async("worse disk").unwrap();
    checkpoints(&job, 1);
    std::fs::rename(dir.path().join("checkpoints"), dir.path().join("aside")).unwrap();
    std::fs::write(dir.path().join("checkpoints"), "not a folder").unwrap();
    let e = job.wait().unwrap_err();
    assert!(e.to_string().contains("tolerable-failed-checkpoints"), "{e}");
    assert_eq!(job.details().checkpoints.counts.failed, 3);
}

#[test]
fn a_job_that_failed_for_good_keeps_its_checkpoints_and_goes_on_when_it_is_started_again() {
    let dir = tempfile::tempdir().unwrap();
    let sink = CollectSink::exactly_once();
    let run = |fails: bool| {
        let env = environment(2);
        env.set_option("execution.checkpointing.dir", dir.path().display());
        env.set_option("restart-strategy.type", "none");
        let guard = move |n: i64| {
            if fails && n == 3000 {
                Err(Error::user("a bug"))
            } else {
                Ok(n)
            }
        };
        count_into(
            &numbers(&env, Some(4000), 20_000).try_map(guard).uid("guard"),
            &sink,
        );
        env.execute("mended later")
    };
    assert!(run(true).unwrap_err().report().contains("a bug"));
    let result = run(false).unwrap();
    assert!(
        result.details.checkpoints.latest_restored.is_some(),
        "it did not start afresh"
    );
    assert_eq!(occurrences(sink.collected()), expected_counts(4000));
}
