//! Whole jobs in one process: on real threads, with real checkpoints, and with everything that can go wrong in them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod bad_input;
mod clocks;
mod ends;
mod failures;
mod late_snapshots;
mod notices;
mod pacing;
mod regions;
mod savepoints;
mod small_states;
mod snapshot_kinds;
mod timers;
mod types;
mod unaligned;

use millpond_api::function::{KeyedContext, KeyedProcessFunction, RuntimeContext};
use millpond_api::{Collector, WatermarkStrategy};
use millpond_connectors::{CollectSink, DataGeneratorSource};
use millpond_core::host::sleep;
use millpond_core::{Configuration, Result};
use millpond_runtime::datastream::{DataStream, SingleOutputStreamOperator, StreamExecutionEnvironment};
use millpond_runtime::master::JobHandle;
use millpond_state::descriptor::{StateData, ValueStateDescriptor};
use millpond_state::keyed::ValueState;
use millpond_types::StateType;
use std::collections::BTreeMap;
use std::ops::Add;
use std::time::Duration;

/// Keys of the test job.
const KEYS: i64 = 97;

/// For each record, how many of its key there were so far, stored as an `N`.
#[derive(Default)]
struct CountPerKey<N = i64> {
    count: ValueState<N>,
}

/// A number to count with.
trait Count: StateData + StateType + Default + From<i32> + Into<i64> + Add<Output = Self> {}

impl Count for i32 {}
impl Count for i64 {}

impl<N: Count> KeyedProcessFunction for CountPerKey<N> {
    type Key = i64;
    type In = i64;
    type Out = (i64, i64);

    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        self.count = ctx.state(ValueStateDescriptor::new("count").default_value(N::default()))?;
        Ok(())
    }

    fn process_element(
        &mut self,
        _value: i64,
        ctx: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, (i64, i64)>,
    ) -> Result<()> {
        let n = self.count.value()? + N::from(1);
        self.count.update(n.clone())?;
        out.collect((*ctx.current_key(), n.into()));
        Ok(())
    }
}

/// An environment with quick checkpoints and quick restarts.
fn environment(parallelism: u32) -> StreamExecutionEnvironment {
    let env = StreamExecutionEnvironment::new(Configuration::new());
    env.set_parallelism(parallelism)
        .enable_checkpointing(Duration::from_millis(20));
    env.set_option("restart-strategy.type", "fixed-delay");
    env.set_option("restart-strategy.fixed-delay.attempts", 3);
    env.set_option("restart-strategy.fixed-delay.delay", "1 ms");
    env
}

/// Numbers from 0 on, `per_second` of them a second.
fn numbers(
    env: &StreamExecutionEnvironment,
    count: Option<u64>,
    per_second: u64,
) -> SingleOutputStreamOperator<i64> {
    let source = DataGeneratorSource::new(|i| i as i64, count).rate_per_second(per_second);
    env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
        .uid("numbers")
}

/// Counts by key.
fn counted<N: Count>(numbers: &DataStream<i64>) -> SingleOutputStreamOperator<(i64, i64)> {
    numbers
        .key_by(|n| n % KEYS)
        .process(CountPerKey::<N>::default)
        .uid("count")
}

/// Counts by key into `sink`.
fn count_into(numbers: &DataStream<i64>, sink: &CollectSink<(i64, i64)>) {
    counted::<i64>(numbers).sink_to(sink.clone()).uid("sink");
}

/// What `count_into` gives for the numbers below `count`, each once.
fn expected_counts(count: i64) -> BTreeMap<(i64, i64), usize> {
    let mut seen = BTreeMap::new();
    (0..count)
        .map(|n| {
            let of_key = seen.entry(n % KEYS).or_insert(0);
            *of_key += 1;
            ((n % KEYS, *of_key), 1)
        })
        .collect()
}

/// How often each result is there.
fn occurrences(results: Vec<(i64, i64)>) -> BTreeMap<(i64, i64), usize> {
    let mut times = BTreeMap::new();
    for r in results {
        *times.entry(r).or_insert(0) += 1;
    }
    times
}

/// Waits until `holds`, or fails.
fn eventually(what: &str, holds: impl Fn() -> bool) {
    // Long, for machines that are busy with other things.
    for _ in 0..12_000 {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(5));
    }
    panic!("not within a minute: {what}");
}

/// Waits until the job has completed `n` checkpoints.
fn checkpoints(job: &JobHandle, n: u64) {
    eventually("a checkpoint", || job.details().checkpoints.counts.completed >= n);
}
