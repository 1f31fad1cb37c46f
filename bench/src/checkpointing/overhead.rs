//! The keyed count with a checkpoint every second and with none, in turns.
//!
//! Only the steady part of a run counts: the keys are all there, and neither the first checkpoint nor the one at the end is in it.
//! Both cores are busy without checkpoints already, so what a checkpoint takes anywhere in the process shows as fewer records.

use super::{median, with_folder};
use crate::engine::{KEYS, keyed_count};
use crate::process::cpu_time;
use millpond::prelude::*;
use millpond_core::Error;
use millpond_core::host::{SystemClock, sleep};

/// Runs of each kind.
const ROUNDS: usize = 5;
/// After so many records every key is there, but for one in many thousands.
const WARM_UP_RECORDS: u64 = 12 * KEYS;
/// Then a checkpoint has all of them, and what filling left to do in the background is done.
const WARM_UP: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(12);

/// One run.
struct Steady {
    records_per_second: f64,
    cpu_nanos_per_record: f64,
    checkpoints: u64,
    checkpointed_bytes: u64,
}

pub(super) fn run(suite: &str, options: &[(&str, &str)]) -> Result<()> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Whoever is first meets the cooler processor, so they take turns in that too.
        for second in [false, true] {
            if second == (round % 2 == 0) {
                with.push(steady(options, Some(Duration::from_secs(1)))?);
            } else {
                without.push(steady(options, None)?);
            }
        }
    }
    let rate = |runs: &[Steady]| median(runs.iter().map(|r| r.records_per_second).collect());
    let cpu = |runs: &[Steady]| median(runs.iter().map(|r| r.cpu_nanos_per_record).collect());
    let checkpoints = median(with.iter().map(|r| r.checkpoints as f64).collect());
    let cpu_ms_per_second = (cpu(&with) - cpu(&without)) * rate(&with) / 1e6;
    let checkpoint_cpu_ms = cpu_ms_per_second * MEASURED.as_secs_f64() / checkpoints.max(1.0);
    println!("{suite} keyed_count_without {:.0}", rate(&without));
    println!("{suite} keyed_count_every_second {:.0}", rate(&with));
    println!(
        "# {suite}: a checkpoint every second (incremental; {} of {:.1} MB a run) costs {:.1} % of the records a second, and {:.1} % more processor time a record ({:.1} ns, {:.1} ns without), {:.0} ms a checkpoint",
        checkpoints,
        with.iter()
            .map(|r| r.checkpointed_bytes)
            .max()
            .unwrap_or_default() as f64
            / 1e6,
        (1.0 - rate(&with) / rate(&without)) * 100.0,
        (cpu(&with) / cpu(&without) - 1.0) * 100.0,
        cpu(&with),
        cpu(&without),
        checkpoint_cpu_ms,
    );
    Ok(())
}

fn steady(options: &[(&str, &str)], interval: Option<Duration>) -> Result<Steady> {
    with_folder(options, |env| {
        if let Some(interval) = interval {
            env.enable_checkpointing(interval);
        }
        keyed_count(env, None);
        let clock = SystemClock::shared();
        let job = env.execute_async("keyed-count")?;
        let now = || {
            let details = job.details();
            let counted = details.vertices.iter().find(|v| !v.is_source);
            (
                counted.map_or(0, |v| v.records_in),
                cpu_time(),
                clock.monotonic_nanos(),
                details.checkpoints,
            )
        };
        while now().0 < WARM_UP_RECORDS && !job.is_over() {
            sleep(Duration::from_millis(100));
        }
        sleep(WARM_UP);
        let before = now();
        sleep(MEASURED);
        let after = now();
        if job.is_over() {
            // Says why.
            job.wait()?;
            return Err(Error::illegal_state("measure overhead", "the job has ended"));
        }
        job.cancel();
        // It was cancelled, so this is an error.
        let _ = job.wait();
        let records = after.0.saturating_sub(before.0).max(1) as f64;
        Ok(Steady {
            records_per_second: records * 1e9 / after.2.saturating_sub(before.2).max(1) as f64,
            cpu_nanos_per_record: after.1.saturating_sub(before.1).as_nanos() as f64 / records,
            checkpoints: after.3.counts.completed.saturating_sub(before.3.counts.completed),
            checkpointed_bytes: after.3.latest_completed.map_or(0, |c| c.checkpointed_bytes),
        })
    })
}
