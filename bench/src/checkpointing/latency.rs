//! How long a record takes from the generator to the sink at half load, with a checkpoint each second of 1 GB of state.

use super::{median, with_folder};
use crate::large_state::{KEYS, Replace};
use crate::process::ran_with_its_memory_kept;
use millpond::prelude::*;
use millpond_core::host::{SystemClock, sleep};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Latency is measured in windows, of which the median counts: a moment in which the machine gives its processors to others is then a
/// moment of one of them.
const WINDOW: Duration = Duration::from_secs(6);
const WINDOWS: usize = 5;

/// Latencies by powers of two of a microsecond, each in eighths.
struct Histogram {
    counts: Vec<AtomicU64>,
    on: AtomicBool,
}

const EIGHTHS: u32 = 3;

impl Histogram {
    fn new() -> Arc<Self> {
        Arc::new(Histogram {
            counts: (0..64 << EIGHTHS).map(|_| AtomicU64::new(0)).collect(),
            on: AtomicBool::new(false),
        })
    }
    fn note(&self, micros: u64) {
        if self.on.load(Ordering::Relaxed) {
            let micros = micros.max(1 << EIGHTHS);
            let power = micros.ilog2();
            let eighth = (micros >> (power - EIGHTHS)) & ((1 << EIGHTHS) - 1);
            let at = ((power as usize) << EIGHTHS) + eighth as usize;
            if let Some(count) = self.counts.get(at) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    /// Takes out what was noted.
    fn take(&self) -> Window {
        Window(self.counts.iter().map(|c| c.swap(0, Ordering::Relaxed)).collect())
    }
}

/// What a histogram noted in one window.
struct Window(Vec<u64>);

impl Window {
    /// The least upper bound in milliseconds of a share of all.
    fn quantile_ms(&self, share: f64) -> f64 {
        let total: u64 = self.0.iter().sum();
        let wanted = (total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (at, count) in self.0.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                let (power, eighth) = (at >> EIGHTHS, at & ((1 << EIGHTHS) - 1));
                let upper = (1_u64 << power) + ((eighth as u64 + 1) << (power - EIGHTHS as usize));
                return upper as f64 / 1000.0;
            }
        }
        0.0
    }
}

/// A quantile of each window, in order of size.
fn quantiles_ms(windows: &[Window], share: f64) -> Vec<f64> {
    let mut all: Vec<f64> = windows.iter().map(|w| w.quantile_ms(share)).collect();
    all.sort_by(f64::total_cmp);
    all
}

pub(super) fn run(suite: &str, options: &[(&str, &str)]) -> Result<()> {
    if ran_with_its_memory_kept(suite)? {
        return Ok(());
    }
    let full = measure(options, None, true)?;
    let half = measure(options, Some(full.records_per_second / 2), true)?;
    let without = measure(options, Some(full.records_per_second / 2), false)?;
    let with = quantiles_ms(&half.windows, 0.999);
    let without = quantiles_ms(&without.windows, 0.999);
    println!(
        "{suite} latency_p50_ms {:.1}",
        median(quantiles_ms(&half.windows, 0.5))
    );
    println!("{suite} latency_p999_ms {:.1}", median(with.clone()));
    println!("{suite} latency_p999_without_ms {:.1}", median(without.clone()));
    println!("# {suite}: p99.9 of each window: {with:.1?} with checkpoints, {without:.1?} without");
    println!(
        "# {suite}: {} records a second, half of the {} possible; {} checkpoints of {} MB, for which the task stood still {} ms at most and which took {} ms at most",
        half.records_per_second,
        full.records_per_second,
        half.checkpoints,
        half.state_bytes >> 20,
        half.sync_ms_max,
        half.end_to_end_ms_max
    );
    Ok(())
}

struct Measured {
    records_per_second: u64,
    checkpoints: u64,
    state_bytes: u64,
    sync_ms_max: u64,
    end_to_end_ms_max: i64,
    windows: Vec<Window>,
}

fn measure(options: &[(&str, &str)], rate: Option<u64>, checkpoints: bool) -> Result<Measured> {
    with_folder(options, |env| {
        env.set_parallelism(1);
        if checkpoints {
            env.enable_checkpointing(Duration::from_secs(1));
        }
        env.set_option("execution.checkpointing.incremental", true);
        // A batch is sent when it is ten milliseconds old, full or not.
        env.set_option("execution.buffer-timeout.interval", "10 ms");
        let (histogram, clock) = (Histogram::new(), SystemClock::shared());
        let records = Arc::new(AtomicU64::new(0));
        let stamp = Arc::clone(&clock);
        let mut source =
            DataGeneratorSource::new(move |i| ((i % KEYS) as i64, stamp.monotonic_nanos() / 1000), None);
        if let Some(rate) = rate {
            source = source.rate_per_second(rate.max(1));
        }
        let (sink_clock, noted, counted) = (Arc::clone(&clock), Arc::clone(&histogram), Arc::clone(&records));
        env.from_source(source, WatermarkStrategy::no_watermarks(), "stamps")
            .key_by(|(key, _)| *key)
            .process(Replace::default)
            .map(move |stamp| {
                counted.fetch_add(1, Ordering::Relaxed);
                noted.note((sink_clock.monotonic_nanos() / 1000).saturating_sub(stamp));
            })
            .sink_to(DiscardingSink::new());
        let job = env.execute_async("latency")?;
        // Every key has its value, and a checkpoint has all of it.
        while records.load(Ordering::Relaxed) < 2 * KEYS && !job.is_over() {
            sleep(Duration::from_millis(100));
        }
        sleep(Duration::from_secs(2));
        let stats = job.details().checkpoints;
        let first = stats.latest_completed.map_or(0, |c| c.checkpoint);
        let before = (records.load(Ordering::Relaxed), stats.counts.completed);
        histogram.on.store(true, Ordering::Relaxed);
        let windows: Vec<Window> = (0..WINDOWS)
            .map(|_| {
                sleep(WINDOW);
                histogram.take()
            })
            .collect();
        histogram.on.store(false, Ordering::Relaxed);
        let passed = records.load(Ordering::Relaxed).saturating_sub(before.0);
        let stats = job.details().checkpoints;
        let steady = stats.history.iter().filter(|c| c.checkpoint > first);
        let subtasks = steady.clone().flat_map(|c| c.tasks.values());
        job.cancel();
        // It was cancelled, so this is an error.
        let _ = job.wait();
        Ok(Measured {
            records_per_second: passed / (WINDOW * WINDOWS as u32).as_secs().max(1),
            checkpoints: stats.counts.completed.saturating_sub(before.1),
            sync_ms_max: subtasks.map(|t| t.metrics.sync_ms).max().unwrap_or_default(),
            end_to_end_ms_max: steady.map(|c| c.end_to_end_ms).max().unwrap_or_default(),
            state_bytes: stats.latest_completed.map_or(0, |c| c.state_bytes),
            windows,
        })
    })
}
