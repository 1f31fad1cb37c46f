//! Restart strategies: whether and when a failed job starts again. Flink's `RestartBackoffTimeStrategy`.
//!
//! Pure: failures and times go in, delays come out; jitter comes from a seed. The times are those of a clock that only runs
//! forward, from any moment on: a wall clock that is set must neither hold a job back nor start it early.

mod exponential;
mod failure_rate;
#[cfg(test)]
mod tests;

use exponential::ExponentialDelay;
use failure_rate::FailureRate;
use millpond_core::config::options::{self, RestartStrategyKind};
use millpond_core::{ConfigOption, Configuration, Error, Result};
use std::fmt::Display;
use std::time::Duration;

/// Decides about restarts, and remembers what it needs for that.
#[derive(Clone, Debug)]
pub struct RestartStrategy(Rule);

#[derive(Clone, Debug)]
enum Rule {
    Never,
    FixedDelay {
        attempts: u32,
        delay: Duration,
        failures: u32,
    },
    ExponentialDelay(ExponentialDelay),
    FailureRate(FailureRate),
}

/// What a strategy says to a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestartDecision {
    /// Start again after this time.
    RestartAfter(Duration),
    /// The job has failed for good; the text says why it isn't tried again.
    GiveUp(String),
}

impl RestartStrategy {
    /// Never restarts. Flink's `NoRestartBackoffTimeStrategy`.
    pub fn none() -> Self {
        RestartStrategy(Rule::Never)
    }

    /// Restarts `attempts` times, `delay` after each failure. Flink's `FixedDelayRestartBackoffTimeStrategy`.
    pub fn fixed_delay(attempts: u32, delay: Duration) -> Self {
        RestartStrategy(Rule::FixedDelay {
            attempts,
            delay,
            failures: 0,
        })
    }

    /// The strategy that `config` names; by default exponential delay when the job takes checkpoints, else none, as in Flink.
    /// `seed` feeds the jitter.
    ///
    /// # Errors
    /// Config for a value out of its bounds.
    pub fn from_configuration(config: &Configuration, checkpointing: bool, seed: u64) -> Result<Self> {
        let default = if checkpointing {
            RestartStrategyKind::ExponentialDelay
        } else {
            RestartStrategyKind::NoRestart
        };
        Ok(match config.get(&options::RESTART_STRATEGY)?.unwrap_or(default) {
            RestartStrategyKind::NoRestart => Self::none(),
            RestartStrategyKind::FixedDelay => Self::fixed_delay(
                config.require(&options::FIXED_DELAY_ATTEMPTS)?,
                config.require(&options::FIXED_DELAY_DELAY)?,
            ),
            RestartStrategyKind::ExponentialDelay => {
                RestartStrategy(Rule::ExponentialDelay(ExponentialDelay::read(config, seed)?))
            }
            RestartStrategyKind::FailureRate => {
                RestartStrategy(Rule::FailureRate(FailureRate::read(config)?))
            }
        })
    }

    /// Takes in a failure at `now` and says what to do.
    pub fn failed(&mut self, now: Duration) -> RestartDecision {
        match &mut self.0 {
            Rule::Never => RestartDecision::GiveUp("the restart strategy is none".to_string()),
            Rule::FixedDelay {
                attempts,
                delay,
                failures,
            } => {
                *failures = failures.saturating_add(1);
                if failures > attempts {
                    return used_up(*attempts);
                }
                RestartDecision::RestartAfter(*delay)
            }
            Rule::ExponentialDelay(rule) => rule.failed(now),
            Rule::FailureRate(rule) => rule.failed(now),
        }
    }
}

fn used_up(attempts: u32) -> RestartDecision {
    RestartDecision::GiveUp(format!("{attempts} restarts were allowed and are used up"))
}

/// The value of `option`, refused if it is not `allowed`.
fn bounded<T: Copy + Display>(
    config: &Configuration,
    option: &ConfigOption<T>,
    allowed: impl FnOnce(T) -> bool,
) -> Result<T> {
    let value = config.require(option)?;
    if allowed(value) {
        return Ok(value);
    }
    Err(out_of_bounds(option, value))
}

fn out_of_bounds<T>(option: &ConfigOption<T>, value: impl Display) -> Error {
    Error::config("read option", "out of bounds")
        .with("key", option.key)
        .with("value", value)
        .hint(option.doc)
}

/// A time of at least a millisecond.
fn positive(config: &Configuration, option: &ConfigOption<Duration>) -> Result<Duration> {
    let value = config.require(option)?;
    if value.as_millis() >= 1 {
        return Ok(value);
    }
    Err(out_of_bounds(option, format!("{value:?}")))
}
