//! Checkpoints whose barriers overtake records, in whole jobs: under backpressure, through restarts, at other parallelisms.

use super::{counted, eventually, expected_counts, occurrences};
use millpond_api::{Data, WatermarkStrategy};
use millpond_connectors::{CollectSink, DataGeneratorSource, DiscardingSink};
use millpond_core::ErrorKind;
use millpond_core::host::{SystemClock, sleep};
use millpond_runtime::datastream::StreamExecutionEnvironment;
use millpond_runtime::master::{JobHandle, JobStatus};
use millpond_types::StateType;
use std::path::Path;
use std::time::Duration;

const COUNT: u64 = 6_000;

fn unaligned(parallelism: u32, interval_ms: u64) -> StreamExecutionEnvironment {
    let env = super::environment(parallelism);
    env.enable_checkpointing(Duration::from_millis(interval_ms));
    env.set_option("execution.checkpointing.unaligned.enabled", true);
    env
}

/// Numbers as fast as they can, through a rebalanced and a keyed edge, to a count that can't keep up.
fn slow_count(env: &StreamExecutionEnvironment, sink: &CollectSink<(i64, i64)>) {
    env.set_option("taskmanager.network.memory.buffers-per-channel", 2);
    let source = DataGeneratorSource::new(|i| i as i64, Some(COUNT));
    let numbers = env
        .from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
        .uid("numbers")
        .rebalance()
        .map(|n| n)
        .uid("map");
    counted::<i64>(&numbers)
        .map(|result| {
            sleep(Duration::from_micros(100));
            result
        })
        .uid("slow")
        .sink_to(sink.clone())
        .uid("sink");
}

/// How many completed checkpoints of the history have records in flight.
fn with_records(job: &JobHandle) -> usize {
    let history = job.details().checkpoints.history;
    history
        .iter()
        .filter(|c| c.path.is_some() && c.unaligned && c.persisted_bytes > 0)
        .count()
}

/// Goal: through restarts at other parallelisms each record counts once, although most of them are in flight when checkpoints
/// are taken. Method: the job is cancelled right after such a checkpoint and started again from it.
#[test]
fn records_in_flight_find_their_way_at_any_parallelism() {
    for (timeout, parallelisms) in [("0 ms", [2, 3, 1, 4]), ("30 ms", [1, 2, 2, 3])] {
        let dir = tempfile::tempdir().unwrap();
        let sink = CollectSink::exactly_once();
        for (i, parallelism) in parallelisms.iter().enumerate() {
            let env = unaligned(*parallelism, 25);
            env.set_option("execution.checkpointing.dir", dir.path().display());
            env.set_option("execution.checkpointing.aligned-checkpoint-timeout", timeout);
            env.set_option(
                "execution.checkpointing.externalized-checkpoint-retention",
                "RETAIN_ON_CANCELLATION",
            );
            slow_count(&env, &sink);
            let job = env.execute_async("in flight").unwrap();
            if i + 1 == parallelisms.len() {
                assert_eq!(job.wait().unwrap().details.status, JobStatus::Finished);
                assert!(job.details().checkpoints.latest_restored.is_some());
            } else {
                eventually("a checkpoint with records in flight", || with_records(&job) > 0);
                job.cancel();
                assert!(job.wait().is_err());
            }
        }
        assert_eq!(
            occurrences(sink.collected()),
            expected_counts(COUNT as i64),
            "{timeout} {parallelisms:?}"
        );
    }
}

/// A job whose end takes a thousand records a second while its source is as fast as it can be.
fn backpressured(env: &StreamExecutionEnvironment) -> JobHandle {
    let source = DataGeneratorSource::new(|i| i as i64, None);
    env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
        .rebalance()
        .map(|n| {
            sleep(Duration::from_millis(1));
            n
        })
        .sink_to(DiscardingSink::new());
    env.execute_async("slow sink").unwrap()
}

fn millis_until_completed(job: &JobHandle, limit_ms: u64) -> Option<i64> {
    let clock = SystemClock::shared();
    let limit = clock.monotonic_nanos() + limit_ms * 1_000_000;
    while clock.monotonic_nanos() < limit {
        if let Some(completed) = job.details().checkpoints.latest_completed {
            return Some(completed.end_to_end_ms);
        }
        sleep(Duration::from_millis(5));
    }
    None
}

/// Goal: behind full queues an unaligned checkpoint doesn't wait for them, at once or after a timeout, and an aligned one does.
/// Method: a sink that takes a thousand records a second, whose channel holds eight batches of 1,024.
#[test]
fn a_checkpoint_that_overtakes_does_not_wait_for_full_queues() {
    for timeout in ["0 ms", "200 ms"] {
        let env = unaligned(1, 300);
        env.set_option("execution.checkpointing.aligned-checkpoint-timeout", timeout);
        let job = backpressured(&env);
        let took = millis_until_completed(&job, 5_000).expect("it completes");
        let latest = job.details().checkpoints.latest_completed.unwrap();
        assert!(took < 1_500, "{timeout}: {took} ms");
        assert!(
            latest.unaligned && latest.persisted_bytes > 8 * 1_024 * 8,
            "{latest:?}"
        );
        job.cancel();
        assert!(job.wait().is_err());
    }
    let env = super::environment(1);
    env.enable_checkpointing(Duration::from_millis(300));
    let job = backpressured(&env);
    assert_eq!(
        millis_until_completed(&job, 2_500),
        None,
        "the queue alone takes eight seconds"
    );
    job.cancel();
    assert!(job.wait().is_err());
}

#[derive(Clone)]
struct NoSerializer(#[expect(dead_code, reason = "only its type matters")] i64);

/// Goal: what can't work is refused before the job runs, by name and with what to do.
#[test]
fn contradictions_are_refused() {
    let env = unaligned(1, 100);
    env.set_option("execution.checkpointing.max-concurrent-checkpoints", 2);
    let source = || DataGeneratorSource::new(|i| i as i64, Some(1));
    let stream = env.from_source(source(), WatermarkStrategy::no_watermarks(), "n");
    stream.sink_to(DiscardingSink::new());
    let error = env.execute_async("two at a time").err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error.report().contains("max-concurrent-checkpoints"),
        "{}",
        error.report()
    );

    let env = unaligned(2, 100);
    let stream = env.from_source(source(), WatermarkStrategy::no_watermarks(), "n");
    let unknown = stream.map(NoSerializer).rebalance();
    unknown.sink_to(DiscardingSink::new());
    let error = env.execute_async("no serializer").err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.report().contains("NoSerializer"), "{}", error.report());
}

/// Goal: pointwise edges stay aligned, so their records need no serializer; AT_LEAST_ONCE ignores the option.
#[test]
fn edges_and_modes_that_do_not_allow_it_stay_aligned() {
    for mode in ["EXACTLY_ONCE", "AT_LEAST_ONCE"] {
        let env = unaligned(1, 20);
        env.disable_operator_chaining();
        env.set_option("execution.checkpointing.mode", mode);
        let source = DataGeneratorSource::new(|i| i as i64, None).rate_per_second(1_000);
        let stream = env.from_source(source, WatermarkStrategy::no_watermarks(), "n");
        if mode == "EXACTLY_ONCE" {
            stream.map(NoSerializer).sink_to(DiscardingSink::new());
        } else {
            stream.rebalance().sink_to(DiscardingSink::new());
        }
        let job = env.execute_async("forward").unwrap();
        super::checkpoints(&job, 2);
        let stats = job.details().checkpoints;
        assert!(stats.history.iter().all(|c| !c.unaligned));
        job.cancel();
        assert!(job.wait().is_err());
    }
}

/// Goal: a snapshot with records in flight isn't restored into a job whose edge is another one now. Method: the keyed edge
/// becomes a forward one.
#[test]
fn a_changed_edge_refuses_records_in_flight() {
    let dir = tempfile::tempdir().unwrap();
    let start = |rebalance: bool| {
        let env = unaligned(1, 20);
        env.disable_operator_chaining();
        env.set_option("execution.checkpointing.dir", dir.path().display());
        env.set_option(
            "execution.checkpointing.externalized-checkpoint-retention",
            "RETAIN_ON_CANCELLATION",
        );
        let source = DataGeneratorSource::new(|i| i as i64, None);
        let stream = env
            .from_source(source, WatermarkStrategy::no_watermarks(), "n")
            .uid("n");
        let slow = |n: i64| {
            sleep(Duration::from_micros(200));
            n
        };
        let mapped = if rebalance {
            stream.rebalance().map(slow)
        } else {
            stream.map(slow)
        };
        mapped.uid("slow").sink_to(DiscardingSink::new()).uid("sink");
        env.execute_async("changed")
    };
    let job = start(true).unwrap();
    eventually("a checkpoint with records in flight", || with_records(&job) > 0);
    job.cancel();
    assert!(job.wait().is_err());
    let error = start(false).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.report().contains("savepoint"), "{}", error.report());
}

/// Goal: records in flight aren't read as another type than they were written as. Method: the type that travels changes.
#[test]
fn a_changed_type_refuses_records_in_flight() {
    fn start<T: Data + StateType>(dir: &Path, convert: fn(i64) -> T) -> JobHandle {
        let env = unaligned(1, 20);
        env.set_option("execution.checkpointing.dir", dir.display());
        env.set_option(
            "execution.checkpointing.externalized-checkpoint-retention",
            "RETAIN_ON_CANCELLATION",
        );
        let source = DataGeneratorSource::new(|i| i as i64, None);
        env.from_source(source, WatermarkStrategy::no_watermarks(), "n")
            .uid("n")
            .map(convert)
            .uid("convert")
            .rebalance()
            .map(|value| {
                sleep(Duration::from_micros(200));
                value
            })
            .uid("slow")
            .sink_to(DiscardingSink::new())
            .uid("sink");
        env.execute_async("retyped").unwrap()
    }
    let dir = tempfile::tempdir().unwrap();
    let job = start(dir.path(), |n| n);
    eventually("a checkpoint with records in flight", || with_records(&job) > 0);
    job.cancel();
    assert!(job.wait().is_err());
    for error in [
        start(dir.path(), |n| n as i32).wait().unwrap_err(),
        start(dir.path(), |n| n.to_string()).wait().unwrap_err(),
    ] {
        let report = error.report();
        assert!(
            report.contains("read as the type that the edge carries now"),
            "{report}"
        );
    }
}
