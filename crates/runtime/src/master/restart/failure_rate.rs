//! Restarts as long as failures are rare enough. Flink's `FailureRateRestartBackoffTimeStrategy`.

use super::{RestartDecision, bounded, positive};
use millpond_core::config::options;
use millpond_core::{Configuration, Result};
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(super) struct FailureRate {
    failures_max: u32,
    interval: Duration,
    delay: Duration,
    /// Those of the last interval, oldest first: no more than are allowed.
    failures: VecDeque<Duration>,
}

impl FailureRate {
    pub(super) fn read(config: &Configuration) -> Result<Self> {
        Ok(FailureRate {
            failures_max: bounded(config, &options::FAILURE_RATE_MAX_FAILURES, |n| n > 0)?,
            interval: positive(config, &options::FAILURE_RATE_INTERVAL)?,
            delay: config.require(&options::FAILURE_RATE_DELAY)?,
            failures: VecDeque::new(),
        })
    }

    pub(super) fn failed(&mut self, now: Duration) -> RestartDecision {
        while self
            .failures
            .front()
            .is_some_and(|first| now.saturating_sub(*first) > self.interval)
        {
            self.failures.pop_front();
        }
        if self.failures.len() >= self.failures_max as usize {
            return RestartDecision::GiveUp(format!(
                "more than {} failures within {:?}",
                self.failures_max, self.interval
            ));
        }
        self.failures.push_back(now);
        RestartDecision::RestartAfter(self.delay)
    }
}
