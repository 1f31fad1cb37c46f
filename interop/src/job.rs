//! The job: builds it, stops it with a savepoint, restores it. The same as `Main.java`.

use crate::keys::{self, Key, UserKey};
use crate::lines::Lines;
use crate::rules::{self, Rules};
use crate::states::{KeyedStates, PROCESSING_TIME};
use millpond::connectors::DataGeneratorSource;
use millpond::core::host::{ManualClock, SystemClock, sleep};
use millpond::prelude::*;
use millpond::runtime::master::submit;
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

/// How often, at most, a job is asked whether it has taken all its elements: ten milliseconds apart.
const ASK_COUNT: u32 = 6000;

/// Runs the job until its state is full and stops it with a savepoint below `folder`, whose path is returned.
///
/// # Errors
/// As the job; IllegalState when it doesn't process its elements within a minute.
pub fn write(folder: &Path, parallelism: u32) -> Result<String> {
    let lines = Lines::default();
    let env = environment(parallelism);
    build(&env, Mode::Write, &lines);
    let job = submit(env.build_job_graph(Some("interop"))?, SystemClock::shared())?;
    let expected = (keys::COUNT * 5 + rules::COUNT * i64::from(parallelism)).unsigned_abs();
    let mut asked = 0;
    while lines.processed_count() < expected && !job.is_over() && asked < ASK_COUNT {
        sleep(Duration::from_millis(10));
        asked += 1;
    }
    if asked == ASK_COUNT {
        job.cancel();
        return Err(
            Error::illegal_state("fill state", "the job is stuck").with("processed", lines.processed_count())
        );
    }
    let savepoint = job
        .stop_with_savepoint(false, Some(folder.display().to_string()))
        .wait()?;
    job.wait()?;
    Ok(savepoint.path)
}

/// Restores a savepoint and returns all that it holds. The clock stands after every processing-time timer.
///
/// # Errors
/// As the job: what of the savepoint doesn't fit.
pub fn restore(savepoint: &str, parallelism: u32) -> Result<Vec<Value>> {
    let lines = Lines::default();
    let env = environment(parallelism);
    env.set_option("execution.state-recovery.path", savepoint);
    // A source goes on where it was, which is beyond the numbers: reading, the job has sources of its own.
    env.set_option("execution.state-recovery.ignore-unclaimed-state", true);
    build(&env, Mode::Read, &lines);
    let clock = ManualClock::new(PROCESSING_TIME + 1_000_000);
    submit(env.build_job_graph(Some("interop"))?, clock)?.wait()?;
    Ok(lines.take())
}

fn environment(parallelism: u32) -> StreamExecutionEnvironment {
    let env = StreamExecutionEnvironment::get_execution_environment();
    env.set_parallelism(parallelism).set_max_parallelism(128);
    env
}

fn build(env: &StreamExecutionEnvironment, mode: Mode, lines: &Lines) {
    let all = numbers(env, "generated-numbers", keys::COUNT, mode);
    keyed::<String>(&all, "by-string", mode, lines);
    keyed::<i64>(&all, "by-long", mode, lines);
    keyed::<(String, i32)>(&all, "by-tuple", mode, lines);
    keyed::<UserKey>(&all, "by-pojo", mode, lines);
    let lines = lines.clone();
    all.key_by(|i| String::of(*i))
        .connect(&numbers(env, "generated-rules", rules::COUNT, mode).broadcast())
        .process(move || Rules::new(mode, &lines))
        .uid("rules")
        .sink_to(DiscardingSink::new());
}

fn keyed<K: Key>(all: &DataStream<i64>, uid: &'static str, mode: Mode, lines: &Lines) {
    let lines = lines.clone();
    all.key_by(|i| K::of(*i))
        .process(move || KeyedStates::<K>::new(uid, mode, &lines))
        .uid(uid)
        .sink_to(DiscardingSink::new());
}

/// The numbers below `count`. Writing, the source goes on beyond them, so that the job stays to be stopped.
fn numbers(env: &StreamExecutionEnvironment, name: &str, count: i64, mode: Mode) -> DataStream<i64> {
    let uid = match mode {
        Mode::Write => name.to_owned(),
        Mode::Read => format!("read-{name}"),
    };
    let end = (mode == Mode::Read).then_some(count.unsigned_abs());
    let mut source = DataGeneratorSource::new(|i| i as i64, end);
    if mode == Mode::Write {
        // Only there: the clock of a restored job stands still.
        source = source.rate_per_second(1000);
    }
    let filtered = env
        .from_source(source, WatermarkStrategy::no_watermarks(), &uid)
        .set_parallelism(1)
        .uid(uid)
        .filter(move |i| *i < count)
        .set_parallelism(1);
    (*filtered).clone()
}
