//! How a running job shows itself: a line that is redrawn on a terminal, plain log lines in a pipe.

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use millpond_core::Result;
use millpond_core::host::{Clock, SystemClock, sleep};
use millpond_runtime::master::{JobDetails, JobExecutionResult, JobHandle};
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

/// How often the line is redrawn.
const REDRAW: Duration = Duration::from_millis(200);
/// How often a log line tells how it goes, in milliseconds.
const LOG_EVERY_MS: i64 = 10_000;

/// Standard error, with or without a line that is redrawn.
#[derive(Clone)]
pub(super) struct Display {
    bar: ProgressBar,
    terminal: bool,
    clock: Arc<dyn Clock>,
}

/// What was there at the last look, to tell rates.
struct LastLook {
    at_ms: i64,
    records_in: u64,
    records_out: u64,
}

impl Display {
    pub(super) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}") {
            bar.set_style(style);
        }
        Display {
            bar,
            terminal,
            clock: SystemClock::shared(),
        }
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// A line of its own, above the one that is redrawn.
    pub(super) fn say(&self, line: &str) {
        self.bar.suspend(|| {
            // Standard error may be closed; a job doesn't end because nobody listens.
            let _ = writeln!(std::io::stderr(), "{line}");
        });
    }

    /// Shows how the job goes until it ends.
    pub(super) fn follow(&self, handle: &JobHandle) -> Result<JobExecutionResult> {
        let mut last = LastLook {
            at_ms: self.clock.now_ms(),
            records_in: 0,
            records_out: 0,
        };
        let mut logged_ms = last.at_ms;
        let mut pause = Duration::from_millis(5);
        while !handle.is_over() {
            sleep(pause);
            pause = (pause * 2).min(REDRAW);
            if self.terminal {
                let details = handle.details();
                self.bar.set_message(describe(&details, &mut last));
                self.bar.tick();
            } else if self.clock.now_ms() - logged_ms >= LOG_EVERY_MS {
                logged_ms = self.clock.now_ms();
                tracing::info!("{}", describe(&handle.details(), &mut last));
            }
        }
        self.bar.finish_and_clear();
        let result = handle.wait()?;
        if result.already_finished.is_none() {
            self.say(&summary(&result));
        }
        Ok(result)
    }
}

/// Records a second in and out, how far the watermark is behind, the last checkpoint.
fn describe(details: &JobDetails, last: &mut LastLook) -> String {
    let (records_in, records_out) = (details.records_in(), details.records_out());
    let millis = (details.now_ms - last.at_ms).max(1).unsigned_abs();
    let rate = |now: u64, before: u64| HumanCount(now.saturating_sub(before).saturating_mul(1000) / millis);
    let mut text = format!(
        "{} {}  in {}/s  out {}/s",
        details.name,
        details.status.as_str(),
        rate(records_in, last.records_in),
        rate(records_out, last.records_out)
    );
    if let Some(watermark) = details.watermark_ms().filter(|w| *w != i64::MAX) {
        text.push_str(&format!(
            "  watermark lag {}",
            lag(details.now_ms.saturating_sub(watermark))
        ));
    }
    if let Some(c) = &details.checkpoints.latest_completed {
        let (size, ms) = (HumanBytes(c.checkpointed_bytes), c.end_to_end_ms);
        text.push_str(&format!("  checkpoint {}: {size} in {ms} ms", c.checkpoint));
    }
    if let Some((_, why)) = details.root_exception.as_ref().filter(|_| details.restarts > 0) {
        text.push_str(&format!("  restarted {} times, last: {why}", details.restarts));
    }
    *last = LastLook {
        at_ms: details.now_ms,
        records_in,
        records_out,
    };
    text
}

/// The line at the end.
fn summary(result: &JobExecutionResult) -> String {
    let d = &result.details;
    let seconds = result.net_runtime_ms as f64 / 1000.0;
    let skipped: Vec<String> = d
        .vertices
        .iter()
        .flat_map(|v| &v.counters)
        .filter(|(name, value)| name.as_str() == "malformed_rows" && *value > 0)
        .map(|(_, value)| format!(", {} malformed rows skipped", HumanCount(*value)))
        .collect();
    format!(
        "{} {} in {seconds:.2} s: {} records in, {} out, {} checkpoints{}{}",
        d.name,
        d.status.as_str(),
        HumanCount(d.records_in()),
        HumanCount(d.records_out()),
        d.checkpoints.counts.completed,
        if d.restarts > 0 {
            format!(", {} restarts", d.restarts)
        } else {
            String::new()
        },
        skipped.concat(),
    )
}

fn lag(ms: i64) -> String {
    match ms {
        ..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{} s", ms / 1000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        7_200_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} d", ms / 86_400_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lags_are_told_in_a_unit_that_fits() {
        for (ms, text) in [
            (5, "5 ms"),
            (1500, "1 s"),
            (600_000, "10 min"),
            (7_200_000, "2 h"),
            (400_000_000, "4 d"),
        ] {
            assert_eq!(lag(ms), text);
        }
    }
}
