//! What the operating system says of this process, and suites that have one of their own.

use millpond_core::{Error, Result};
use std::process::Command;
use std::time::Duration;

/// How long mimalloc keeps what is freed before it gives it back to the system, in milliseconds; -1: for good.
const PURGE_DELAY: &str = "MIMALLOC_PURGE_DELAY";

/// Runs a suite in a process that keeps its memory, as a JVM does whose heap has one size; where somebody has said how long this one
/// keeps it, here and so. Answers whether it ran.
///
/// mimalloc reads it when a process starts, so a running one can't change its own.
pub(crate) fn ran_with_its_memory_kept(suite: &str) -> Result<bool> {
    if std::env::var_os(PURGE_DELAY).is_some() {
        return Ok(false);
    }
    println!("# {suite}: in a process of its own, with {PURGE_DELAY}=-1");
    let failed = |e| Error::io("run a suite in a process of its own", e).with("suite", suite);
    let program = std::env::current_exe().map_err(failed)?;
    let status = Command::new(program)
        .arg(suite)
        .env(PURGE_DELAY, "-1")
        .status()
        .map_err(failed)?;
    if status.success() {
        return Ok(true);
    }
    Err(Error::illegal_state(
        "run a suite in a process of its own",
        "it failed; what it wrote says why",
    )
    .with("suite", suite)
    .with("status", status))
}

/// Linux counts processor time in hundredths of a second (`USER_HZ`, the same on every architecture that Rust builds for).
const TICK: Duration = Duration::from_millis(10);

/// The processor time that all threads of this process took so far, in user and kernel; zero where there is no `/proc`.
pub(crate) fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in front may hold anything, also spaces and parentheses.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    // From the state, the third field of proc(5), to `utime` and `stime`, the 14th and 15th.
    let ticks: u32 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|t| t.parse::<u32>().ok())
        .sum();
    TICK.saturating_mul(ticks)
}
