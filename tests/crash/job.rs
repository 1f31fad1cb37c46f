//! The job that is killed: counts by key, with checkpoints all the time, into files that become visible exactly once.

use millpond_api::function::{KeyedContext, KeyedProcessFunction, RuntimeContext};
use millpond_api::{Collector, WatermarkStrategy};
use millpond_connectors::{DataGeneratorSource, FileSink};
use millpond_core::failpoint::VARIABLE;
use millpond_core::host::sleep;
use millpond_core::{Configuration, ErrorKind, Result};
use millpond_runtime::datastream::StreamExecutionEnvironment;
use millpond_state::descriptor::{ListStateDescriptor, ValueStateDescriptor};
use millpond_state::keyed::{ListState, ValueState};
use std::path::{Path, PathBuf};
use std::time::Duration;

const KEYS: i64 = 211;
const RECORDS: u64 = 12_000;
/// Records a second of a process that is to be killed or cancelled: it must not come to the end before.
const RECORDS_PER_SECOND_SLOW: u64 = 1_000;
/// Of the one that comes to the end.
const RECORDS_PER_SECOND: u64 = 1_000_000;

const PLACE: &str = "MILLPOND_CRASH_PLACE";
const BACKEND: &str = "MILLPOND_CRASH_BACKEND";
const CHECKPOINTS: &str = "MILLPOND_CRASH_CHECKPOINTS";

/// What a process is to do.
pub struct Role {
    place: PathBuf,
    backend: String,
    /// After how many checkpoints it cancels the job.
    checkpoints: Option<u64>,
}

impl Role {
    /// What this process was started for; `None` for the test itself.
    pub fn of_this_process() -> Option<Role> {
        Some(Role {
            place: std::env::var_os(PLACE)?.into(),
            backend: std::env::var(BACKEND).unwrap(),
            checkpoints: std::env::var(CHECKPOINTS).ok().map(|n| n.parse().unwrap()),
        })
    }

    /// How a process is told.
    pub fn variables(place: &Path, backend: &str, checkpoints: Option<u64>) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            (PLACE, place.display().to_string()),
            (BACKEND, backend.to_owned()),
        ];
        variables.extend(checkpoints.map(|n| (CHECKPOINTS, n.to_string())));
        variables
    }
}

/// Where the job's checkpoints lie.
pub fn checkpoints(place: &Path) -> PathBuf {
    place.join("checkpoints")
}

/// For each record its key, how many of the key there were so far, by a value and by a list.
#[derive(Default)]
struct CountPerKey {
    count: ValueState<i64>,
    ones: ListState<i64>,
}

impl KeyedProcessFunction for CountPerKey {
    type Key = i64;
    type In = i64;
    type Out = String;

    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        self.count = ctx.state(ValueStateDescriptor::new("count").default_value(0))?;
        self.ones = ctx.list_state(ListStateDescriptor::new("ones"))?;
        Ok(())
    }

    fn process_element(
        &mut self,
        _value: i64,
        ctx: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, String>,
    ) -> Result<()> {
        let n = self.count.value()? + 1;
        self.count.update(n)?;
        self.ones.add(1)?;
        let sum = self.ones.with(|ones| ones.iter().sum())?;
        out.collect(line(*ctx.current_key(), n, sum));
        Ok(())
    }
}

fn line(key: i64, n: i64, sum: i64) -> String {
    format!("{key} {n} {sum}")
}

/// What an undisturbed run writes, sorted.
pub fn expected_output() -> Vec<String> {
    let of = |value: i64| line(value % KEYS, value / KEYS + 1, value / KEYS + 1);
    let mut lines: Vec<_> = (0..RECORDS as i64).map(of).collect();
    lines.sort();
    lines
}

/// What is visible in the job's output, sorted.
pub fn output(place: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(place.join("output")).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_name().to_string_lossy().starts_with('.') {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            lines.extend(text.lines().map(str::to_owned));
        }
    }
    lines.sort();
    lines
}

fn environment(role: &Role) -> StreamExecutionEnvironment {
    let env = StreamExecutionEnvironment::new(Configuration::new());
    // Where checkpoints are asked for one by one, none is under way when the job is cancelled: what is left then is what the
    // crashes left.
    let interval = if role.checkpoints.is_some() {
        Duration::from_secs(3600)
    } else {
        Duration::from_millis(10)
    };
    env.set_parallelism(2).enable_checkpointing(interval);
    for (key, value) in [
        (
            "execution.checkpointing.dir",
            checkpoints(&role.place).display().to_string(),
        ),
        ("execution.checkpointing.incremental", "true".into()),
        ("execution.checkpointing.num-retained", "2".into()),
        // Everything goes through files.
        ("execution.checkpointing.data-inline-threshold", "0".into()),
        (
            "execution.checkpointing.externalized-checkpoint-retention",
            "RETAIN_ON_CANCELLATION".into(),
        ),
        ("restart-strategy.type", "none".into()),
        ("state.backend.type", role.backend.clone()),
        (
            "state.backend.rocksdb.localdir",
            role.place.join("local").display().to_string(),
        ),
    ] {
        env.set_option(key, value);
    }
    env
}

/// Runs the job as the role says. Panics when it fails.
pub fn run(role: &Role) {
    let env = environment(role);
    let to_the_end = role.checkpoints.is_none() && std::env::var_os(VARIABLE).is_none();
    let rate = if to_the_end {
        RECORDS_PER_SECOND
    } else {
        RECORDS_PER_SECOND_SLOW
    };
    let source = DataGeneratorSource::new(|i| i as i64, Some(RECORDS)).rate_per_second(rate);
    env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
        .uid("numbers")
        .key_by(|n| n % KEYS)
        .process(CountPerKey::default)
        .uid("count")
        .sink_to(FileSink::for_row_format(
            role.place.join("output"),
            |line: &String| line.clone(),
        ))
        .uid("sink");
    let job = env.execute_async("crash").unwrap();
    if let Some(mut wanted) = role.checkpoints {
        while wanted > 0 {
            // Declined while the tasks are being started.
            match job.trigger_checkpoint().wait() {
                Ok(_) => wanted -= 1,
                Err(e) => assert!(!job.is_over(), "{e}"),
            }
            sleep(Duration::from_millis(5));
        }
        job.cancel();
        let outcome = job.wait();
        match outcome {
            Err(e) if e.kind() == ErrorKind::Cancelled => return,
            other => panic!("the job ended before it was cancelled: {other:?}"),
        }
    }
    job.wait().unwrap();
}
