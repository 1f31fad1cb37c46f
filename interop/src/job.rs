//! The job: builds it, stops it with a savepoint, restores it. The same as `Main.java`.

use crate::expiring::{self, ExpiringStates};
use crate::keys::{self, Key, UserKey};
use crate::lines::Lines;
use crate::numbers::Numbers;
use crate::rules::{self, Rules};
use crate::states::{KeyedStates, PROCESSING_TIME};
use crate::windows;
use millpond::core::host::{ManualClock, sleep};
use millpond::prelude::*;
use millpond::runtime::master::{JobStatus, submit};
use serde_json::Value;
use std::path::Path;

/// What a run of the job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To fill state and stop with a savepoint.
    Write,
    /// To restore a savepoint and tell what it holds.
    Read,
}

/// Millpond's backends that this program was built with, as `state.backend.type` calls them.
pub const BACKENDS: &[&str] = if cfg!(feature = "rocksdb") {
    &["hashmap", "rocksdb"]
} else {
    &["hashmap"]
};

/// At this parallelism savepoints are compressed; at others they are not. The same as in `Main.java`.
const COMPRESSED_PARALLELISM: u32 = 3;

/// What a job runs with.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// One of [`BACKENDS`].
    pub backend: &'static str,
    /// How many tasks each operator with state runs as.
    pub parallelism: u32,
}

/// How often, at most, a job is asked whether it has taken an element, and how long after each time.
const ASK_COUNT: u32 = 60_000;
const PAUSE: Duration = Duration::from_millis(1);

/// Runs the job until its state is full and stops it with a savepoint below `folder`, whose path is returned. The clock moves from
/// one number to the next when every operator has taken it.
///
/// # Errors
/// As the job; IllegalState when it doesn't process its elements.
pub fn write(folder: &Path, setup: Setup) -> Result<String> {
    let lines = Lines::default();
    let env = environment(setup);
    build(&env, Mode::Write, &lines);
    let clock = ManualClock::new(expiring::written_at(0) - 1);
    let job = submit(env.build_job_graph(Some("interop"))?, clock.clone())?;
    let mut expected = 0;
    for i in 0..keys::COUNT {
        clock.set(expiring::written_at(i));
        expected += KEYED_OPERATORS;
        if i < rules::COUNT {
            expected += u64::from(setup.parallelism);
        }
        await_processed(&job, &lines, expected)?;
    }
    // Those that don't count may still be starting.
    while matches!(job.status(), JobStatus::Initializing | JobStatus::Created) {
        sleep(PAUSE);
    }
    let savepoint = job
        .stop_with_savepoint(false, Some(folder.display().to_string()))
        .wait()?;
    job.wait()?;
    Ok(savepoint.path)
}

/// Restores a savepoint and returns all that it holds, and what windows come to with further elements. The clock stands after every
/// processing-time timer, and moves on from look to look of what expires.
///
/// # Errors
/// As the job: what of the savepoint doesn't fit.
pub fn restore(savepoint: &str, setup: Setup) -> Result<Vec<Value>> {
    let lines = Lines::default();
    let env = environment(setup);
    env.set_option("execution.state-recovery.path", savepoint);
    // A source goes on where it was, which is beyond the numbers: reading, the job has sources of its own.
    env.set_option("execution.state-recovery.ignore-unclaimed-state", true);
    build(&env, Mode::Read, &lines);
    let clock = ManualClock::new(PROCESSING_TIME + 1_000_000);
    let job = submit(env.build_job_graph(Some("interop"))?, clock.clone())?;
    for n in 0..2 * keys::COUNT {
        clock.set(expiring::looked_at(n));
        if await_processed(&job, &lines, n.unsigned_abs() + 1).is_err() {
            break;
        }
    }
    job.wait()?;
    Ok(lines.take())
}

/// Waits until the operators that count have taken so many elements.
fn await_processed(job: &JobHandle, lines: &Lines, expected: u64) -> Result<()> {
    let mut asked = 0;
    while lines.processed_count() < expected {
        if asked == ASK_COUNT || job.is_over() {
            job.cancel();
            return Err(Error::illegal_state("drive job", "it doesn't take its elements")
                .with("taken", lines.processed_count())
                .with("expected", expected));
        }
        sleep(PAUSE);
        asked += 1;
    }
    Ok(())
}

fn environment(setup: Setup) -> StreamExecutionEnvironment {
    let env = StreamExecutionEnvironment::get_execution_environment();
    env.set_parallelism(setup.parallelism).set_max_parallelism(128);
    env.set_option("state.backend.type", setup.backend);
    env.set_option(
        "execution.checkpointing.snapshot-compression",
        setup.parallelism == COMPRESSED_PARALLELISM,
    );
    env
}

/// The operators that count the numbers that they have taken, writing.
const KEYED_OPERATORS: u64 = 6;

fn build(env: &StreamExecutionEnvironment, mode: Mode, lines: &Lines) {
    let all = numbers(env, "numbers", keys::COUNT, mode);
    keyed::<String>(&all, "by-string", mode, lines);
    keyed::<i64>(&all, "by-long", mode, lines);
    keyed::<(String, i32)>(&all, "by-tuple", mode, lines);
    keyed::<UserKey>(&all, "by-pojo", mode, lines);
    let telling = lines.clone();
    all.key_by(|i| String::of(*i))
        .connect(&numbers(env, "rule-numbers", rules::COUNT, mode).broadcast())
        .process(move || Rules::new(mode, &telling))
        .uid("rules")
        .sink_to(DiscardingSink::new());
    let (telling, looks) = (lines.clone(), looks(env, &all, mode));
    looks
        .key_by(move |n| expiring::key(if mode == Mode::Write { *n } else { *n / 2 }))
        .process(move || ExpiringStates::new(mode, &telling))
        .uid(expiring::UID)
        .sink_to(DiscardingSink::new());
    match mode {
        Mode::Write => windows::build(&windows::elements(&all, windows::time_with_late), None),
        Mode::Read => {
            let next = all.map(|i| i + keys::COUNT).set_parallelism(1);
            windows::build(&windows::elements(&next, windows::time_with_late), Some(lines));
        }
    }
}

/// The elements of the states that expire: writing, the numbers; reading, the looks.
fn looks(env: &StreamExecutionEnvironment, all: &DataStream<i64>, mode: Mode) -> DataStream<i64> {
    match mode {
        Mode::Write => all.clone(),
        Mode::Read => source(
            env,
            "read-looks",
            Numbers::due(0..2 * keys::COUNT, expiring::looked_at),
        ),
    }
}

fn keyed<K: Key>(all: &DataStream<i64>, uid: &'static str, mode: Mode, lines: &Lines) {
    let lines = lines.clone();
    all.key_by(|i| K::of(*i))
        .process(move || KeyedStates::<K>::new(uid, mode, &lines))
        .uid(uid)
        .sink_to(DiscardingSink::new());
}

/// The numbers below `count`: writing, each at its time, and the source stays so that the job can be stopped; reading, at once.
fn numbers(env: &StreamExecutionEnvironment, name: &str, count: i64, mode: Mode) -> DataStream<i64> {
    match mode {
        Mode::Write => {
            let numbers = Numbers::due(0..count, expiring::written_at).endless(true);
            source(env, &format!("generated-{name}"), numbers)
        }
        Mode::Read => source(env, &format!("read-{name}"), Numbers::at_once(0..count)),
    }
}

fn source(env: &StreamExecutionEnvironment, uid: &str, numbers: Numbers) -> DataStream<i64> {
    let stream = env
        .from_source(numbers, WatermarkStrategy::no_watermarks(), uid)
        .set_parallelism(1)
        .uid(uid);
    (*stream).clone()
}
