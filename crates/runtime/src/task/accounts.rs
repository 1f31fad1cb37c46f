//! What a task spends its time on: busy, idle, backpressured.

use super::core::TaskCore;
use super::stream_task::Step;

impl TaskCore {
    /// Sleeps as `step` says.
    pub(super) fn rest(&mut self, step: Step) {
        let until_ms = match step {
            Step::Idle { until_ms } => until_ms,
            Step::Blocked { until_ms } => until_ms,
            Step::Progress | Step::Finished => return,
        };
        let asleep_nanos = self.account_busy();
        self.gate.signal().wait(until_ms);
        self.accounted_nanos = self.clock.monotonic_nanos();
        let slept = self.accounted_nanos.saturating_sub(asleep_nanos);
        let metrics = self.gate.signal().metrics();
        if matches!(step, Step::Blocked { .. }) {
            metrics.add_backpressured_nanos(slept);
            self.accounted_backpressure += slept;
        } else {
            metrics.add_idle_nanos(slept);
        }
    }

    /// Counts the time since the last account as busy, but for what was spent waiting for room while writing.
    pub(super) fn account_busy(&mut self) -> u64 {
        let now_nanos = self.clock.monotonic_nanos();
        let metrics = self.gate.signal().metrics();
        let backpressure = metrics.backpressured_nanos();
        let waited = backpressure.saturating_sub(self.accounted_backpressure);
        let passed = now_nanos.saturating_sub(self.accounted_nanos);
        metrics.add_busy_nanos(passed.saturating_sub(waited));
        self.accounted_backpressure = backpressure;
        self.accounted_nanos = now_nanos;
        now_nanos
    }
}
