//! Restart strategies: whether and when a failed job starts again. Flink's `RestartBackoffTimeStrategy`.
//!
//! Pure: failures and times go in, delays come out; jitter comes from a seed.

use millpond_core::config::options::{self, Attempts, RestartStrategyKind};
use millpond_core::host::SeededRandom;
use millpond_core::{Configuration, Error, Result};
use std::time::Duration;

/// Decides about restarts, and remembers what it needs for that.
#[derive(Clone, Debug)]
pub struct RestartStrategy {
    rule: Rule,
    failures: u32,
    last_failure_ms: Option<i64>,
    backoff: Duration,
    random: SeededRandom,
}

#[derive(Clone, Debug, PartialEq)]
enum Rule {
    Never,
    FixedDelay { attempts: u32, delay: Duration },
    ExponentialDelay(Exponential),
}

#[derive(Clone, Debug, PartialEq)]
struct Exponential {
    initial: Duration,
    max: Duration,
    multiplier: f64,
    reset_after: Duration,
    jitter: f64,
    attempts: Attempts,
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
    /// Never restarts.
    pub fn none() -> Self {
        Self::of(Rule::Never, 0)
    }

    /// Restarts `attempts` times, `delay` after each failure.
    pub fn fixed_delay(attempts: u32, delay: Duration) -> Self {
        Self::of(Rule::FixedDelay { attempts, delay }, 0)
    }

    /// The strategy that `config` names; by default exponential delay when the job takes checkpoints, else none, as in Flink.
    /// `seed` feeds the jitter.
    ///
    /// # Errors
    /// Config for a multiplier or jitter factor out of its bounds.
    pub fn from_configuration(config: &Configuration, checkpointing: bool, seed: u64) -> Result<Self> {
        let default = if checkpointing {
            RestartStrategyKind::ExponentialDelay
        } else {
            RestartStrategyKind::NoRestart
        };
        let rule = match config.get(&options::RESTART_STRATEGY)?.unwrap_or(default) {
            RestartStrategyKind::NoRestart => Rule::Never,
            RestartStrategyKind::FixedDelay => Rule::FixedDelay {
                attempts: config.require(&options::FIXED_DELAY_ATTEMPTS)?,
                delay: config.require(&options::FIXED_DELAY_DELAY)?,
            },
            RestartStrategyKind::ExponentialDelay => Rule::ExponentialDelay(Exponential {
                initial: config.require(&options::EXPONENTIAL_INITIAL_BACKOFF)?,
                max: config.require(&options::EXPONENTIAL_MAX_BACKOFF)?,
                multiplier: bounded(config, &options::EXPONENTIAL_MULTIPLIER, 1.0, f64::MAX)?,
                reset_after: config.require(&options::EXPONENTIAL_RESET_THRESHOLD)?,
                jitter: bounded(config, &options::EXPONENTIAL_JITTER, 0.0, 1.0)?,
                attempts: config.require(&options::EXPONENTIAL_ATTEMPTS)?,
            }),
        };
        Ok(Self::of(rule, seed))
    }

    fn of(rule: Rule, seed: u64) -> Self {
        RestartStrategy {
            rule,
            failures: 0,
            last_failure_ms: None,
            backoff: Duration::ZERO,
            random: SeededRandom::new(seed),
        }
    }

    /// Takes in a failure at `now_ms` and says what to do.
    pub fn failed(&mut self, now_ms: i64) -> RestartDecision {
        let since_last = self
            .last_failure_ms
            .map(|last| Duration::from_millis(now_ms.saturating_sub(last).max(0).unsigned_abs()));
        self.last_failure_ms = Some(now_ms);
        match self.rule.clone() {
            Rule::Never => RestartDecision::GiveUp("the restart strategy is none".to_string()),
            Rule::FixedDelay { attempts, delay } => {
                self.failures = self.failures.saturating_add(1);
                if self.failures > attempts {
                    return RestartDecision::GiveUp(format!(
                        "{attempts} restarts were allowed and are used up"
                    ));
                }
                RestartDecision::RestartAfter(delay)
            }
            Rule::ExponentialDelay(rule) => self.exponential(&rule, since_last),
        }
    }

    fn exponential(&mut self, rule: &Exponential, since_last: Option<Duration>) -> RestartDecision {
        if since_last.is_none_or(|quiet| quiet >= rule.reset_after.saturating_add(self.backoff)) {
            self.failures = 0;
            self.backoff = rule.initial;
        } else {
            self.backoff = Duration::try_from_secs_f64(self.backoff.as_secs_f64() * rule.multiplier)
                .map_or(rule.max, |longer| longer.min(rule.max));
        }
        self.failures = self.failures.saturating_add(1);
        if let Attempts::Limited(attempts) = rule.attempts
            && self.failures > attempts
        {
            return RestartDecision::GiveUp(format!("{attempts} restarts were allowed and are used up"));
        }
        // From 1 - jitter to 1 + jitter.
        let share = self.random.below(2_000_001) as f64 / 1_000_000.0 - 1.0;
        let varied = self.backoff.as_secs_f64() * (1.0 + rule.jitter * share);
        RestartDecision::RestartAfter(
            Duration::try_from_secs_f64(varied)
                .unwrap_or(self.backoff)
                .min(rule.max),
        )
    }
}

fn bounded(
    config: &Configuration,
    option: &millpond_core::ConfigOption<f64>,
    min: f64,
    max: f64,
) -> Result<f64> {
    let value = config.require(option)?;
    if value >= min && value <= max {
        return Ok(value);
    }
    Err(Error::config("read option", "out of bounds")
        .with("key", option.key)
        .with("value", value)
        .hint(option.doc))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(ms: u64) -> RestartDecision {
        RestartDecision::RestartAfter(Duration::from_millis(ms))
    }

    #[test]
    fn fixed_delay_gives_up_after_its_attempts() {
        let mut s = RestartStrategy::fixed_delay(2, Duration::from_millis(30));
        assert_eq!((s.failed(0), s.failed(1)), (after(30), after(30)));
        assert!(matches!(s.failed(2), RestartDecision::GiveUp(why) if why.contains("2 restarts")));
    }

    #[test]
    fn exponential_delay_grows_to_its_bound_and_starts_over_after_a_quiet_time() {
        let mut c = Configuration::new();
        c.set("restart-strategy.type", "exponential-delay");
        c.set("restart-strategy.exponential-delay.jitter-factor", "0");
        c.set("restart-strategy.exponential-delay.max-backoff", "2 s");
        c.set(
            "restart-strategy.exponential-delay.reset-backoff-threshold",
            "1 min",
        );
        let mut s = RestartStrategy::from_configuration(&c, true, 1).unwrap();
        assert_eq!(
            [s.failed(0), s.failed(1), s.failed(2), s.failed(3)],
            [after(1000), after(1500), after(2000), after(2000)]
        );
        assert_eq!(s.failed(3 + 62_000), after(1000));
    }

    #[test]
    fn jitter_stays_in_its_share_and_a_bad_factor_is_refused() {
        let mut c = Configuration::new();
        for seed in 0..100 {
            let mut s = RestartStrategy::from_configuration(&c, true, seed).unwrap();
            let RestartDecision::RestartAfter(d) = s.failed(0) else {
                panic!("gave up")
            };
            assert!((900..=1100).contains(&d.as_millis()), "{d:?}");
        }
        c.set("restart-strategy.exponential-delay.jitter-factor", "1.5");
        assert!(RestartStrategy::from_configuration(&c, true, 0).is_err());
        assert_eq!(
            RestartStrategy::from_configuration(&Configuration::new(), false, 0)
                .unwrap()
                .failed(0),
            RestartDecision::GiveUp("the restart strategy is none".to_string())
        );
    }
}
