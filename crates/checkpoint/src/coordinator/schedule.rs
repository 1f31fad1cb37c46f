//! When: a clock that never runs backwards, and the due times of periodic and final checkpoints.
//!
//! The wall clock may be set back or forth while a job runs. Due times live on [`SteadyClock`], which adds up only the
//! forward steps, so a clock set back neither fires twice nor stalls the job until it has caught up.

use super::config::CheckpointConfig;

/// Milliseconds since the first event, as far as the wall clock moved forward.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SteadyClock {
    last_wall_ms: Option<i64>,
    steady_ms: i64,
}

impl SteadyClock {
    /// Takes in the wall clock's time.
    pub(super) fn advance(&mut self, wall_ms: i64) {
        if let Some(last) = self.last_wall_ms {
            self.steady_ms = self.steady_ms.saturating_add(wall_ms.saturating_sub(last).max(0));
        }
        self.last_wall_ms = Some(wall_ms);
    }
    pub(super) fn now(&self) -> i64 {
        self.steady_ms
    }
    /// The wall clock's last time.
    pub(super) fn wall_ms(&self) -> i64 {
        self.last_wall_ms.unwrap_or(0)
    }
    /// When the wall clock will show that `steady_ms` is reached, if it isn't set meanwhile.
    pub(super) fn wall_at(&self, steady_ms: i64) -> i64 {
        self.wall_ms()
            .saturating_add(steady_ms.saturating_sub(self.steady_ms))
    }
}

/// Due times, on the steady clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    periodic: Option<i64>,
    pause_until: i64,
    final_retry: i64,
}

/// A final checkpoint that failed is tried again after this or the interval, whichever is shorter, but not before the
/// pause is over.
const FINAL_RETRY_MS: i64 = 1_000;

impl Schedule {
    /// The job runs from now on.
    pub(super) fn start(&mut self, config: &CheckpointConfig, now: i64) {
        self.periodic = config
            .interval_ms
            .map(|interval| now.saturating_add(interval.max(1)));
        self.final_retry = now;
    }
    /// When the next periodic checkpoint is due.
    pub(super) fn periodic_due(&self) -> Option<i64> {
        self.periodic.map(|due| due.max(self.pause_until))
    }
    /// When a final checkpoint may be tried.
    pub(super) fn final_due(&self) -> i64 {
        self.final_retry
    }
    /// A periodic checkpoint was triggered: the next is due an interval later; missed ones aren't made up for.
    pub(super) fn periodic_triggered(&mut self, config: &CheckpointConfig, now: i64) {
        let interval = config.interval_ms.map(|interval| interval.max(1));
        self.periodic = self.periodic.zip(interval).map(|(due, interval)| {
            let next = due.saturating_add(interval);
            if next > now {
                next
            } else {
                now.saturating_add(interval)
            }
        });
    }
    /// A checkpoint ended, well or not.
    pub(super) fn ended(&mut self, config: &CheckpointConfig, now: i64) {
        self.pause_until = now.saturating_add(config.min_pause_ms.max(0));
    }
    /// A final checkpoint failed.
    pub(super) fn final_failed(&mut self, config: &CheckpointConfig, now: i64) {
        let wait = config
            .interval_ms
            .map_or(FINAL_RETRY_MS, |interval| interval.clamp(1, FINAL_RETRY_MS));
        self.final_retry = now.saturating_add(wait.max(config.min_pause_ms));
    }
}
