//! A whole job with an asynchronous function: checkpoints while records are in flight, failures, and each record counted once.

use super::*;
use millpond_api::WatermarkStrategy;
use millpond_connectors::{CollectSink, DataGeneratorSource};
use millpond_core::Configuration;
use millpond_runtime::datastream::StreamExecutionEnvironment;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const KEYS: i64 = 23;
const RECORDS: i64 = 6_000;

/// For each record, how many of its key there were so far. Every access waits.
#[derive(Default)]
struct CountPerKey {
    count: AsyncValueState<i64>,
    failures_left: Arc<AtomicU32>,
}

impl AsyncKeyedProcessFunction for CountPerKey {
    type Key = i64;
    type In = i64;
    type Out = (i64, i64);

    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        self.count = ctx.async_state(ValueStateDescriptor::new("count").default_value(0))?;
        Ok(())
    }
    async fn process_element(
        &self,
        n: i64,
        ctx: &AsyncKeyedContext<i64>,
        out: &AsyncCollector<(i64, i64)>,
    ) -> Result<()> {
        let count = self.count.async_value().await? + 1;
        if n > RECORDS / 2
            && self
                .failures_left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .is_ok()
        {
            return Err(Error::user("bad luck"));
        }
        self.count.async_update(count).await?;
        out.collect((*ctx.current_key(), count));
        Ok(())
    }
}

#[test]
fn a_job_counts_each_record_once_through_checkpoints_and_failures() {
    for parallelism in [1, 3] {
        let failures = Arc::new(AtomicU32::new(2));
        let sink = CollectSink::exactly_once();
        let env = StreamExecutionEnvironment::new(Configuration::new());
        env.set_parallelism(parallelism)
            .enable_checkpointing(Duration::from_millis(20));
        env.set_option("restart-strategy.type", "fixed-delay");
        env.set_option("restart-strategy.fixed-delay.attempts", 5);
        env.set_option("restart-strategy.fixed-delay.delay", "1 ms");
        env.set_option(GATHER_ALL, true);
        let source = DataGeneratorSource::new(|i| i as i64, Some(RECORDS as u64)).rate_per_second(20_000);
        let own = Arc::clone(&failures);
        env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
            .key_by(|n| n % KEYS)
            .enable_async_state()
            .process(move || CountPerKey {
                failures_left: Arc::clone(&own),
                ..CountPerKey::default()
            })
            .sink_to(sink.clone());
        let result = env.execute("asynchronous").unwrap();
        // Two instances may fail in one attempt.
        assert!((1..=2).contains(&result.details.restarts));
        assert_eq!(failures.load(Ordering::SeqCst), 0);
        assert!(result.details.checkpoints.counts.completed > 0);
        let mut seen = BTreeMap::<i64, Vec<i64>>::new();
        for (key, count) in sink.collected() {
            seen.entry(key).or_default().push(count);
        }
        for (key, mut counts) in seen {
            counts.sort_unstable();
            let times = (0..RECORDS).filter(|n| n % KEYS == key).count() as i64;
            assert_eq!(counts, (1..=times).collect::<Vec<_>>(), "key {key}");
        }
    }
}
