//! An asynchronous function of two streams: they share the state, the timers and the order of a key.

use super::GATHER_ALL;
use millpond_api::WatermarkStrategy;
use millpond_api::function::{
    AsyncCollector, AsyncKeyedCoProcessFunction, AsyncKeyedContext, AsyncOnTimerContext, RuntimeContext,
};
use millpond_connectors::{CollectSink, DataGeneratorSource};
use millpond_core::host::SeededRandom;
use millpond_core::{Configuration, Result};
use millpond_runtime::datastream::StreamExecutionEnvironment;
use millpond_runtime::testing::for_async_keyed_co_process_function;
use millpond_state::async_state::AsyncValueState;
use millpond_state::descriptor::ValueStateDescriptor;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const KEYS: i64 = 7;

/// Counts what a key has seen of both streams and its timers; an element of the first stream sets a timer.
#[derive(Default)]
struct CountBoth(AsyncValueState<i64>);

/// Key, what was counted, and its number.
type Out = (i64, &'static str, i64);

impl CountBoth {
    async fn count(&self, key: i64, what: &'static str, out: &AsyncCollector<Out>) -> Result<()> {
        let n = self.0.async_value().await? + 1;
        self.0.async_update(n).await?;
        out.collect((key, what, n));
        Ok(())
    }
}

impl AsyncKeyedCoProcessFunction for CountBoth {
    type Key = i64;
    type In1 = i64;
    type In2 = u32;
    type Out = Out;

    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        self.0 = ctx.async_state(ValueStateDescriptor::new("count").default_value(0))?;
        Ok(())
    }
    async fn process_element1(
        &self,
        n: i64,
        ctx: &AsyncKeyedContext<i64>,
        out: &AsyncCollector<Out>,
    ) -> Result<()> {
        ctx.timer_service().register_event_time_timer(n);
        self.count(*ctx.current_key(), "first", out).await
    }
    async fn process_element2(
        &self,
        _n: u32,
        ctx: &AsyncKeyedContext<i64>,
        out: &AsyncCollector<Out>,
    ) -> Result<()> {
        self.count(*ctx.current_key(), "second", out).await
    }
    async fn on_timer(
        &self,
        _at: i64,
        ctx: &AsyncOnTimerContext<i64>,
        out: &AsyncCollector<Out>,
    ) -> Result<()> {
        self.count(*ctx.current_key(), "timer", out).await
    }
}

/// Adds what is counted next for a key to what is expected of it.
fn expect(expected: &mut BTreeMap<i64, Vec<Out>>, key: i64, what: &'static str) {
    let of_key = expected.entry(key).or_default();
    of_key.push((key, what, of_key.len() as i64 + 1));
}

/// Expects the timers up to `watermark`.
fn fire(timers: &mut BTreeSet<i64>, watermark: i64, expected: &mut BTreeMap<i64, Vec<Out>>) {
    while let Some(at) = timers.first().copied().filter(|at| *at <= watermark) {
        timers.pop_first();
        expect(expected, at % KEYS, "timer");
    }
}

fn by_key(results: Vec<Out>, told: &mut BTreeMap<i64, Vec<Out>>) {
    for result in results {
        told.entry(result.0).or_default().push(result);
    }
}

/// Goal: the elements of both streams and the timers of a key are counted in their order, through a snapshot. Method: 500 random
/// elements, whose accesses all wait, and a watermark at times; another instance takes over in the middle.
#[test]
fn both_streams_of_a_key_are_one_order() {
    let builder = for_async_keyed_co_process_function(
        CountBoth::default,
        |n: &i64| n % KEYS,
        |n: &u32| i64::from(*n) % KEYS,
    )
    .option(GATHER_ALL, true);
    let mut harness = builder.open().unwrap();
    let mut random = SeededRandom::new(11);
    let (mut expected, mut told) = (BTreeMap::new(), BTreeMap::new());
    let mut timers = BTreeSet::new();
    for step in 0..500 {
        let n = random.below(10_000) as i64;
        match random.below(9) {
            0 => {
                fire(&mut timers, n, &mut expected);
                harness.process_watermark(n).unwrap();
            }
            1..5 => {
                expect(&mut expected, n % KEYS, "first");
                timers.insert(n);
                harness.process_element1(n, n).unwrap();
            }
            _ => {
                expect(&mut expected, n % KEYS, "second");
                harness.process_element2(n as u32, n).unwrap();
            }
        }
        if step == 250 {
            let snapshot = harness.snapshot(1).unwrap();
            by_key(harness.take_output(), &mut told);
            harness = builder.restore(&[snapshot]).open().unwrap();
        }
    }
    fire(&mut timers, i64::MAX, &mut expected);
    harness.end_input().unwrap();
    by_key(harness.take_output(), &mut told);
    assert_eq!(told, expected);
}

/// Goal: in a job each element of both streams counts once. Method: 3,000 of each, by key over parallel tasks.
#[test]
fn a_job_counts_each_element_of_both_streams_once() {
    const RECORDS: u64 = 3_000;
    let sink = CollectSink::exactly_once();
    let env = StreamExecutionEnvironment::new(Configuration::new());
    env.set_parallelism(2)
        .enable_checkpointing(Duration::from_millis(20));
    env.set_option(GATHER_ALL, true);
    let first = DataGeneratorSource::new(|i| i as i64, Some(RECORDS)).rate_per_second(20_000);
    let second = DataGeneratorSource::new(|i| i as u32, Some(RECORDS)).rate_per_second(20_000);
    let first = env
        .from_source(first, WatermarkStrategy::no_watermarks(), "first")
        .key_by(|n| n % KEYS);
    let second = env
        .from_source(second, WatermarkStrategy::no_watermarks(), "second")
        .key_by(|n| i64::from(*n) % KEYS);
    first
        .connect_keyed(&second)
        .enable_async_state()
        .process(CountBoth::default)
        .sink_to(sink.clone());
    env.execute("two streams").unwrap();
    let mut told = BTreeMap::<i64, Vec<i64>>::new();
    let mut kinds = BTreeMap::<&str, u64>::new();
    for (key, what, n) in sink.collected() {
        told.entry(key).or_default().push(n);
        *kinds.entry(what).or_default() += 1;
    }
    assert_eq!(
        kinds,
        BTreeMap::from([("first", RECORDS), ("second", RECORDS), ("timer", RECORDS)])
    );
    for (key, mut numbers) in told {
        numbers.sort_unstable();
        assert_eq!(
            numbers,
            (1..=numbers.len() as i64).collect::<Vec<_>>(),
            "key {key}"
        );
    }
}
