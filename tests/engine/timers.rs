//! Many event-time timers that one watermark makes due, and a checkpoint in the midst of their firing.

use super::{environment, eventually};
use millpond_api::function::{KeyedContext, KeyedProcessFunction, OnTimerContext, RuntimeContext};
use millpond_api::{Collector, WatermarkStrategy};
use millpond_connectors::{CollectSink, DataGeneratorSource};
use millpond_core::Result;
use millpond_core::host::sleep;
use millpond_runtime::datastream::StreamExecutionEnvironment;
use millpond_runtime::master::JobHandle;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const TIMERS: usize = 400;
/// Timers that fire before the checkpoint is asked for.
const BEFORE: usize = 20;

/// Registers a timer for each number, all of which the end of the input makes due.
struct SlowTimers {
    fired: Arc<AtomicUsize>,
    pause: Duration,
}

impl KeyedProcessFunction for SlowTimers {
    type Key = i64;
    type In = i64;
    type Out = i64;

    fn process_element(
        &mut self,
        n: i64,
        ctx: &mut KeyedContext<'_, i64>,
        _out: &mut Collector<'_, i64>,
    ) -> Result<()> {
        ctx.timer_service().register_event_time_timer(n)
    }

    fn on_timer(
        &mut self,
        n: i64,
        _ctx: &mut OnTimerContext<'_, i64>,
        out: &mut Collector<'_, i64>,
    ) -> Result<()> {
        sleep(self.pause);
        self.fired.fetch_add(1, Ordering::Relaxed);
        out.collect(n);
        Ok(())
    }
}

/// Tells with each number which watermark it came behind.
#[derive(Default)]
struct TellWatermark;

impl KeyedProcessFunction for TellWatermark {
    type Key = i64;
    type In = i64;
    type Out = (i64, i64);

    fn open(&mut self, _ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        Ok(())
    }

    fn process_element(
        &mut self,
        n: i64,
        ctx: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, (i64, i64)>,
    ) -> Result<()> {
        out.collect((n, ctx.timer_service().current_watermark()));
        Ok(())
    }
}

fn run(
    interruptible: bool,
    pause: Duration,
    dir: &Path,
    sink: &CollectSink<(i64, i64)>,
) -> (JobHandle, Arc<AtomicUsize>) {
    let env: StreamExecutionEnvironment = environment(1);
    env.enable_checkpointing(Duration::from_secs(3600));
    env.set_option("execution.checkpointing.unaligned.enabled", true);
    env.set_option(
        "execution.checkpointing.unaligned.interruptible-timers.enabled",
        interruptible,
    );
    env.set_option("execution.checkpointing.dir", dir.display());
    env.set_option(
        "execution.checkpointing.externalized-checkpoint-retention",
        "RETAIN_ON_CANCELLATION",
    );
    let fired = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&fired);
    let source = DataGeneratorSource::new(|i| i as i64, Some(TIMERS as u64));
    env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
        .uid("numbers")
        .key_by(|n| n % 7)
        .process(move || SlowTimers {
            fired: Arc::clone(&counter),
            pause,
        })
        .uid("timers")
        .key_by(|n| *n)
        .process(TellWatermark::default)
        .uid("tell")
        .sink_to(sink.clone())
        .uid("sink");
    (env.execute_async("timers").unwrap(), fired)
}

/// Goal: a checkpoint that overtakes doesn't wait for the timers that are being fired if they may be interrupted, and does otherwise; what
/// had not fired fires after a restore, each timer once; and no watermark passes before the last of its timers. Method: 400 slow timers
/// that the end of the input makes due, a checkpoint after the first 20, and a second job from there.
#[test]
fn a_barrier_interrupts_a_firing_of_many_timers_where_it_may() {
    for interruptible in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let sink = CollectSink::exactly_once();
        let (job, fired) = run(interruptible, Duration::from_millis(2), dir.path(), &sink);
        eventually("some timers", || fired.load(Ordering::Relaxed) > BEFORE);
        job.trigger_checkpoint().wait().unwrap();
        let before_checkpoint = fired.load(Ordering::Relaxed);
        if !interruptible {
            assert_eq!(before_checkpoint, TIMERS);
            job.wait().unwrap();
            continue;
        }
        assert!(before_checkpoint < TIMERS / 2, "{before_checkpoint}");
        job.cancel();
        assert!(job.wait().is_err());
        let (job, fired_again) = run(interruptible, Duration::ZERO, dir.path(), &sink);
        job.wait().unwrap();
        let fired_again = fired_again.load(Ordering::Relaxed);
        assert!(
            (1..=TIMERS - BEFORE).contains(&fired_again),
            "those before the checkpoint don't fire again: {fired_again}"
        );
        let mut told = BTreeMap::new();
        for (n, watermark) in sink.collected() {
            assert_eq!(watermark, i64::MIN, "number {n} came behind a watermark");
            *told.entry(n).or_insert(0) += 1;
        }
        assert_eq!(told, (0..TIMERS as i64).map(|n| (n, 1)).collect());
    }
}
