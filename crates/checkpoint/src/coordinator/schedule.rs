//! When: a clock that never runs backwards, and the due times of periodic and final checkpoints.

use super::config::CheckpointConfig;

/// The time of an event, by two clocks. Everything that is measured, paced or waited for goes by the steady one; the wall clock may
/// be set back or forth while a job runs and only dates what people read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since some fixed moment. Never goes back.
    pub steady_ms: i64,
    /// Milliseconds since the epoch.
    pub wall_ms: i64,
}

/// As long as nobody sets the wall clock, it is as good as a steady one.
impl From<i64> for Now {
    fn from(wall_ms: i64) -> Self {
        Now {
            steady_ms: wall_ms,
            wall_ms,
        }
    }
}

/// The time of the last event.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SteadyClock(Now);

impl SteadyClock {
    /// Takes in the time.
    pub(super) fn advance(&mut self, now: Now) {
        self.0 = Now {
            steady_ms: now.steady_ms.max(self.0.steady_ms),
            wall_ms: now.wall_ms,
        };
    }
    pub(super) fn now(&self) -> i64 {
        self.0.steady_ms
    }
    pub(super) fn wall_ms(&self) -> i64 {
        self.0.wall_ms
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
    pub(super) fn start(&mut self, interval_ms: Option<i64>, now: i64) {
        self.periodic = interval_ms.map(|interval| now.saturating_add(interval));
        self.final_retry = now;
    }
    /// A backlog began or ended: the next is due an interval from now, or earlier if it was to come earlier.
    pub(super) fn interval_changed(&mut self, interval_ms: Option<i64>, now: i64) {
        let due = interval_ms.map(|interval| now.saturating_add(interval));
        self.periodic = due.map(|due| self.periodic.map_or(due, |before| before.min(due)));
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
    pub(super) fn periodic_triggered(&mut self, interval_ms: Option<i64>, now: i64) {
        self.periodic = self.periodic.zip(interval_ms).map(|(due, interval)| {
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
