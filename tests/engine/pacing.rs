//! When checkpoints of a running job are triggered: pauses, several at once, backlogs, tasks that have ended.
//!
//! Method: a driven clock; the master is known to have dealt with each change before its effect is looked at.

use super::{count_into, environment, eventually, expected_counts, numbers, occurrences};
use millpond_api::{
    Boundedness, InputStatus, Source, SourceOutput, SourceReader, SourceReaderContext, WatermarkStrategy,
};
use millpond_checkpoint::coordinator::FailureKind;
use millpond_connectors::{CollectSink, DataGeneratorSource, DiscardingSink};
use millpond_core::host::{ManualClock, sleep};
use millpond_core::{Configuration, Result};
use millpond_runtime::datastream::StreamExecutionEnvironment;
use millpond_runtime::master::{JobHandle, JobStatus, submit};
use millpond_state::query::QueryKey;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A job that runs, and its clock.
struct Paced {
    job: JobHandle,
    clock: Arc<ManualClock>,
}

impl Paced {
    /// Starts what `build` adds to an environment with a checkpoint every second.
    fn start(options: &[(&str, &str)], build: impl FnOnce(&StreamExecutionEnvironment)) -> Paced {
        let env = StreamExecutionEnvironment::new(Configuration::new());
        env.set_parallelism(1)
            .enable_checkpointing(Duration::from_secs(1));
        for (key, value) in options {
            env.set_option(&format!("execution.checkpointing.{key}"), value);
        }
        build(&env);
        let clock = ManualClock::new(1_700_000_000_000);
        let job = submit(env.build_job_graph(Some("paced")).unwrap(), clock.clone()).unwrap();
        let paced = Paced { job, clock };
        eventually("all tasks", || paced.job.status() == JobStatus::Running);
        paced.settle();
        paced
    }
    /// Waits until the master has dealt with everything so far: it answers in the order of the requests.
    fn settle(&self) {
        let nobody = self.job.query_state("nobody", "nothing", QueryKey::text("0"));
        nobody.wait().unwrap_err();
    }
    fn pass(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
        self.settle();
    }
    fn triggered(&self) -> u64 {
        self.job.details().checkpoints.counts.total
    }
    fn completed(&self, n: u64) {
        eventually("checkpoints", || {
            self.job.details().checkpoints.counts.completed == n
        });
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        self.job.cancel();
        let _ = self.job.wait();
    }
}

#[test]
fn the_next_checkpoint_waits_for_the_pause() {
    let paced = Paced::start(&[("min-pause", "5 s")], |env| {
        numbers(env, None, 1_000).sink_to(DiscardingSink::new());
    });
    paced.pass(1_000);
    paced.completed(1);
    paced.pass(4_999);
    assert_eq!(paced.triggered(), 1);
    paced.pass(1);
    paced.completed(2);
}

/// Holds the records of a task back while it is shut.
#[derive(Default)]
struct Gate {
    shut: Mutex<bool>,
    moved: Condvar,
    waiting: AtomicBool,
}

impl Gate {
    fn set(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.moved.notify_all();
    }
    fn pass(&self) {
        let mut shut = self.shut.lock().unwrap();
        while *shut {
            self.waiting.store(true, Ordering::SeqCst);
            shut = self.moved.wait(shut).unwrap();
        }
    }
}

#[test]
fn as_many_checkpoints_are_under_way_as_are_allowed() {
    let gate = Arc::new(Gate::default());
    gate.set(true);
    let held = Arc::clone(&gate);
    let paced = Paced::start(&[("max-concurrent-checkpoints", "2")], |env| {
        let numbers = numbers(env, None, 1_000).map(move |n| {
            held.pass();
            n
        });
        numbers.sink_to(DiscardingSink::new());
    });
    paced.pass(1);
    eventually("a task that stands still", || gate.waiting.load(Ordering::SeqCst));
    for triggered in [1, 2, 2, 2] {
        paced.pass(1_000);
        assert_eq!(paced.triggered(), triggered);
    }
    gate.set(false);
    // Their states are written beside each other: whichever is there first may subsume the one before it, and nothing else fails.
    let statistics = || paced.job.details().checkpoints;
    eventually("the third", || {
        let latest = statistics().latest_completed;
        latest.is_some_and(|latest| latest.checkpoint == 3)
    });
    assert_eq!(
        (statistics().counts.total, statistics().counts.in_progress),
        (3, 0)
    );
    for failure in statistics().history.into_iter().filter_map(|c| c.failure) {
        assert_eq!(failure.kind, FailureKind::Subsumed, "{failure:?}");
    }
}

/// Goal: a checkpoint that was taken while others were under way restores each record once. Method: behind full queues checkpoints
/// take longer than the interval; the job is cancelled in the midst of them and goes on from the last that was complete.
#[test]
fn checkpoints_that_overlap_restore_exactly_once() {
    let dir = tempfile::tempdir().unwrap();
    let sink = CollectSink::exactly_once();
    let start = |slow: bool| {
        let env = environment(2);
        env.enable_checkpointing(Duration::from_millis(10));
        env.set_option("execution.checkpointing.dir", dir.path().display());
        env.set_option("execution.checkpointing.max-concurrent-checkpoints", 3);
        env.set_option(
            "execution.checkpointing.externalized-checkpoint-retention",
            "RETAIN_ON_CANCELLATION",
        );
        env.set_option("taskmanager.network.memory.buffers-per-channel", 1);
        let slowed = numbers(&env, Some(8_000), 1_000_000)
            .rebalance()
            .map(move |n| {
                if slow {
                    sleep(Duration::from_micros(200));
                }
                n
            })
            .uid("slowed");
        count_into(&slowed, &sink);
        env.execute_async("overlapping").unwrap()
    };
    let job = start(true);
    eventually("checkpoints beside each other", || {
        let counts = job.details().checkpoints.counts;
        counts.completed > 0 && counts.in_progress > 1
    });
    job.cancel();
    job.wait().unwrap_err();
    let result = start(false).wait().unwrap();
    assert!(result.details.checkpoints.latest_restored.is_some());
    assert_eq!(occurrences(sink.collected()), expected_counts(8_000));
}

/// What a test and a [`Watched`] source know of each other.
#[derive(Default)]
struct Watch {
    in_backlog: AtomicBool,
    polls: AtomicU64,
    ended: AtomicBool,
}

/// A source that says whether it works off a backlog, and shows how far it is.
struct Watched<S> {
    source: S,
    watch: Arc<Watch>,
}

struct WatchedReader<R> {
    reader: R,
    watch: Arc<Watch>,
}

impl<S: Source> Source for Watched<S> {
    type Out = S::Out;
    type Split = S::Split;
    type Reader = WatchedReader<S::Reader>;

    fn boundedness(&self) -> Boundedness {
        self.source.boundedness()
    }
    fn create_splits(&self, parallelism: u32) -> Result<Vec<S::Split>> {
        self.source.create_splits(parallelism)
    }
    fn create_reader(&self, ctx: &SourceReaderContext) -> Result<Self::Reader> {
        let reader = self.source.create_reader(ctx)?;
        let watch = Arc::clone(&self.watch);
        Ok(WatchedReader { reader, watch })
    }
}

impl<R: SourceReader> SourceReader for WatchedReader<R> {
    type Out = R::Out;
    type Split = R::Split;

    fn add_splits(&mut self, splits: Vec<R::Split>) -> Result<()> {
        self.reader.add_splits(splits)
    }
    fn poll_next(&mut self, out: &mut SourceOutput<'_, R::Out>) -> Result<InputStatus> {
        self.watch.polls.fetch_add(1, Ordering::SeqCst);
        let status = self.reader.poll_next(out)?;
        if status == InputStatus::EndOfInput {
            self.watch.ended.store(true, Ordering::SeqCst);
        }
        Ok(status)
    }
    fn snapshot_state(&mut self, checkpoint_id: u64) -> Result<Vec<R::Split>> {
        self.reader.snapshot_state(checkpoint_id)
    }
    fn is_processing_backlog(&self) -> bool {
        self.watch.in_backlog.load(Ordering::SeqCst)
    }
}

fn watched(env: &StreamExecutionEnvironment, count: Option<u64>, watch: &Arc<Watch>) {
    let source = Watched {
        source: DataGeneratorSource::new(|i| i, count).rate_per_second(1_000),
        watch: Arc::clone(watch),
    };
    env.from_source(source, WatermarkStrategy::no_watermarks(), "watched")
        .sink_to(DiscardingSink::new());
}

impl Paced {
    /// Lets a source say `in_backlog`, a millisecond from now, and the master hear it.
    fn set_backlog(&self, watch: &Watch, in_backlog: bool) {
        watch.in_backlog.store(in_backlog, Ordering::SeqCst);
        let polls = watch.polls.load(Ordering::SeqCst);
        self.clock.advance(Duration::from_millis(1));
        eventually("a poll", || watch.polls.load(Ordering::SeqCst) > polls);
        // What the task says after that poll comes before its part of this.
        self.job.trigger_checkpoint().wait().unwrap();
        self.settle();
    }
}

/// Goal: checkpoints are rarer while a source works off a backlog, and as they were afterwards. One by hand, which
/// [`Paced::set_backlog`] takes, changes nothing in the pace.
#[test]
fn checkpoints_are_rarer_during_a_backlog() {
    let watch = Arc::new(Watch::default());
    let paced = Paced::start(&[("interval-during-backlog", "10 s")], |env| {
        watched(env, None, &watch)
    });
    paced.set_backlog(&watch, true);
    let by_hand = 1;
    // The one that was to come before stays.
    paced.pass(999);
    paced.completed(by_hand + 1);
    paced.pass(9_999);
    assert_eq!(paced.triggered(), by_hand + 1);
    paced.pass(1);
    paced.completed(by_hand + 2);

    paced.set_backlog(&watch, false);
    let by_hand = 2;
    paced.pass(999);
    assert_eq!(paced.triggered(), by_hand + 2);
    paced.pass(1);
    paced.completed(by_hand + 3);
    paced.pass(1_000);
    paced.completed(by_hand + 4);
}

#[test]
fn there_are_no_checkpoints_during_a_backlog_if_so_wished() {
    let watch = Arc::new(Watch::default());
    let paced = Paced::start(&[("interval-during-backlog", "0")], |env| {
        watched(env, None, &watch)
    });
    paced.set_backlog(&watch, true);
    let by_hand = 1;
    paced.pass(100_000);
    assert_eq!(paced.triggered(), by_hand);
    paced.set_backlog(&watch, false);
    let by_hand = 2;
    paced.pass(1_000);
    paced.completed(by_hand + 1);
}

/// Goal: once a task has read all its input, checkpoints go on or not, as the option says. Method: one of two sources ends.
#[test]
fn checkpoints_go_on_after_a_task_ended_unless_the_job_says_otherwise() {
    for go_on in [true, false] {
        let (ends, endless) = (Arc::new(Watch::default()), Arc::new(Watch::default()));
        let option = (
            "checkpoints-after-tasks-finish",
            if go_on { "true" } else { "false" },
        );
        let paced = Paced::start(&[option], |env| {
            watched(env, Some(3), &ends);
            watched(env, None, &endless);
        });
        paced.pass(500);
        eventually("the end of a source", || ends.ended.load(Ordering::SeqCst));
        // What the task said at its end comes before its part of this.
        paced.job.trigger_checkpoint().wait().unwrap();
        paced.settle();
        let by_hand = 1;
        paced.pass(500);
        if go_on {
            paced.completed(by_hand + 1);
            paced.pass(1_000);
            paced.completed(by_hand + 2);
        } else {
            paced.pass(10_000);
            assert_eq!(paced.triggered(), by_hand);
        }
    }
}
