//! Ever longer delays between failures that follow one another. Flink's `ExponentialDelayRestartBackoffTimeStrategy`.

use super::{RestartDecision, bounded, out_of_bounds, positive, used_up};
use millpond_core::config::options::{self, Attempts};
use millpond_core::host::SeededRandom;
use millpond_core::{Configuration, Result};
use std::time::Duration;

#[derive(Clone, Debug)]
pub(super) struct ExponentialDelay {
    initial: Duration,
    max: Duration,
    multiplier: f64,
    /// A job that ran for so long after a restart begins anew.
    reset_after: Duration,
    jitter: f64,
    attempts: Attempts,
    /// Restarts since it last began anew.
    restarts: u32,
    next_restart: Option<Duration>,
    random: SeededRandom,
}

impl ExponentialDelay {
    pub(super) fn read(config: &Configuration, seed: u64) -> Result<Self> {
        let initial = positive(config, &options::EXPONENTIAL_INITIAL_BACKOFF)?;
        let max = positive(config, &options::EXPONENTIAL_MAX_BACKOFF)?;
        if initial > max {
            return Err(
                out_of_bounds(&options::EXPONENTIAL_INITIAL_BACKOFF, format!("{initial:?}"))
                    .with(options::EXPONENTIAL_MAX_BACKOFF.key, format!("{max:?}"))
                    .hint("the first delay can't be longer than the longest"),
            );
        }
        Ok(ExponentialDelay {
            initial,
            max,
            multiplier: bounded(config, &options::EXPONENTIAL_MULTIPLIER, |m| {
                m > 1.0 && m.is_finite()
            })?,
            reset_after: positive(config, &options::EXPONENTIAL_RESET_THRESHOLD)?,
            jitter: bounded(config, &options::EXPONENTIAL_JITTER, |j| (0.0..=1.0).contains(&j))?,
            attempts: config.require(&options::EXPONENTIAL_ATTEMPTS)?,
            restarts: 0,
            next_restart: None,
            random: SeededRandom::new(seed),
        })
    }

    /// A failure before the restart that is due belongs to the failure that it is due to: one broken machine makes many.
    pub(super) fn failed(&mut self, now: Duration) -> RestartDecision {
        if let Some(due) = self.next_restart {
            if now <= due {
                return RestartDecision::RestartAfter(due.saturating_sub(now));
            }
            if now.saturating_sub(due) >= self.reset_after {
                self.restarts = 0;
            }
        }
        if let Attempts::Limited(attempts) = self.attempts
            && self.restarts >= attempts
        {
            return used_up(attempts);
        }
        let delay = self.delay();
        self.restarts = self.restarts.saturating_add(1);
        self.next_restart = Some(now.saturating_add(delay));
        RestartDecision::RestartAfter(delay)
    }

    fn delay(&mut self) -> Duration {
        let exponent = i32::try_from(self.restarts).unwrap_or(i32::MAX);
        let backoff = self.initial.as_secs_f64() * self.multiplier.powi(exponent);
        // From 1 - jitter to 1 + jitter.
        let share = self.random.below(2_000_001) as f64 / 1_000_000.0 - 1.0;
        Duration::try_from_secs_f64(backoff * (1.0 + self.jitter * share))
            .map_or(self.max, |delay| delay.clamp(self.initial, self.max))
    }
}
