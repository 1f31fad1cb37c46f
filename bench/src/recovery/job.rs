//! The process that is killed and started again: a job with a gigabyte of state, which says on its standard output how far it is.

use crate::large_state::{KEYS, Replace};
use millpond::prelude::*;
use millpond_core::Error;
use millpond_core::host::sleep;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The first argument of such a process.
pub(crate) const COMMAND: &str = "recovery-job";
/// Said when the first record comes to the sink.
pub(super) const FIRST_RECORD: &str = "first";
/// Said when a checkpoint has the whole state, with its bytes.
pub(super) const CHECKPOINTED: &str = "checkpointed";

/// Runs the job, with options as `key=value`, until the process is killed.
pub(crate) fn run(options: &[String]) -> Result<()> {
    let env = StreamExecutionEnvironment::new(Configuration::new());
    for option in options {
        let (key, value) = option
            .split_once('=')
            .ok_or_else(|| Error::config("run recovery job", "no key=value").with("option", option))?;
        env.set_option(key, value);
    }
    let records = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&records);
    env.set_parallelism(2).set_max_parallelism(128);
    env.from_source(
        DataGeneratorSource::new(|i| ((i % KEYS) as i64, i), None),
        WatermarkStrategy::no_watermarks(),
        "numbers",
    )
    .key_by(|(key, _)| *key)
    .process(Replace::default)
    .uid("replace")
    .map(move |i| {
        if counted.fetch_add(1, Ordering::Relaxed) == 0 {
            println!("{FIRST_RECORD}");
        }
        i
    })
    .sink_to(DiscardingSink::new());
    let job = env.execute_async("recovery")?;
    // The two instances of the source are not equally fast; by then both have made every key.
    while records.load(Ordering::Relaxed) < 2 * KEYS && !job.is_over() {
        sleep(Duration::from_millis(20));
    }
    job.trigger_checkpoint().wait()?;
    let bytes = job.details().checkpoints.latest_completed.map(|c| c.state_bytes);
    println!("{CHECKPOINTED} {}", bytes.unwrap_or_default());
    job.wait().map(drop)
}
