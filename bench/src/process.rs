//! What the operating system says of this process.

use std::time::Duration;

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
