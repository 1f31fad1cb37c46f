//! The whole engine: generator, `key_by` over a million keys, reducing state, discarding sink, with checkpoints.
//!
//! The same job as Flink's in `KeyedCount`: two instances, a checkpoint every second, and on RocksDB 1 GB of managed memory.

use millpond::prelude::*;

/// Keys that the records are spread over.
pub(crate) const KEYS: u64 = 1_000_000;
/// Records of one run.
const RECORDS: u64 = 60_000_000;
const ROUNDS: usize = 3;

#[derive(Default)]
struct Count {
    count: ReducingState<i64>,
}

impl KeyedProcessFunction for Count {
    type Key = i64;
    type In = i64;
    type Out = i64;

    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        self.count = ctx.reducing_state(ReducingStateDescriptor::new("c", |sum: &mut i64, n: i64| {
            *sum += n
        }))?;
        Ok(())
    }

    fn process_element(
        &mut self,
        value: i64,
        _ctx: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, i64>,
    ) -> Result<()> {
        self.count.add(1)?;
        out.collect(value);
        Ok(())
    }
}

/// The keyed count with its state in the HashMap backend.
pub fn run() -> Result<()> {
    keyed_counts("engine", &[])
}

/// The keyed count with its state in RocksDB.
#[cfg(feature = "rocksdb")]
pub fn run_rocksdb() -> Result<()> {
    let options = [
        ("state.backend.type", "rocksdb"),
        ("taskmanager.memory.managed.size", "1gb"),
    ];
    keyed_counts("engine_rocksdb", &options)
}

/// Prints the records a second of the keyed count, the median of some runs.
fn keyed_counts(suite: &str, options: &[(&str, &str)]) -> Result<()> {
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let folder = std::env::temp_dir().join(format!("millpond-bench-{}", std::process::id()));
        let env = StreamExecutionEnvironment::new(Configuration::new());
        env.enable_checkpointing(Duration::from_secs(1));
        env.set_option("execution.checkpointing.dir", folder.display());
        for (key, value) in options {
            env.set_option(key, value);
        }
        keyed_count(&env, Some(RECORDS));
        let result = env.execute("keyed-count");
        // Left behind in case of an error, a temporary folder is no harm.
        let _ = std::fs::remove_dir_all(&folder);
        rates.push(RECORDS as f64 * 1000.0 / result?.net_runtime_ms.max(1) as f64);
    }
    rates.sort_by(f64::total_cmp);
    println!(
        "{suite} keyed_count {:.0}",
        rates.get(ROUNDS / 2).copied().unwrap_or_default()
    );
    Ok(())
}

/// Adds the keyed count to `env`, over so many records or without an end.
pub(crate) fn keyed_count(env: &StreamExecutionEnvironment, records: Option<u64>) {
    env.set_parallelism(2).set_max_parallelism(128);
    env.set_option("execution.checkpointing.incremental", true);
    let keys = DataGeneratorSource::new(|i| (mix(i) % KEYS) as i64, records);
    env.from_source(keys, WatermarkStrategy::no_watermarks(), "keys")
        .key_by(|key| *key)
        .process(Count::default)
        .sink_to(DiscardingSink::new());
}

fn mix(i: u64) -> u64 {
    millpond::core::hash::fmix64(i)
}
