//! Restart strategies from code: Flink's `RestartStrategies`. They are options like any others.

use millpond_core::Configuration;
use millpond_core::config::options;
use std::time::Duration;

/// Makes descriptions of restart strategies, for [`super::StreamExecutionEnvironment::set_restart_strategy`].
///
/// ```
/// use millpond_runtime::datastream::{RestartStrategies, StreamExecutionEnvironment};
/// use std::time::Duration;
///
/// let env = StreamExecutionEnvironment::get_execution_environment();
/// env.set_restart_strategy(RestartStrategies::fixed_delay_restart(3, Duration::from_secs(10)));
/// assert_eq!(env.configuration().raw("restart-strategy.fixed-delay.attempts"), Some("3"));
/// ```
pub struct RestartStrategies;

/// Which restart strategy, with its parameters.
#[derive(Clone, Debug)]
pub struct RestartStrategyConfiguration(pub(super) Configuration);

impl RestartStrategies {
    /// The first failure is the last.
    pub fn no_restart() -> RestartStrategyConfiguration {
        described("none", [])
    }

    /// At most `attempts` restarts, `delay` after each failure.
    pub fn fixed_delay_restart(attempts: u32, delay: Duration) -> RestartStrategyConfiguration {
        described(
            "fixed-delay",
            [
                (options::FIXED_DELAY_ATTEMPTS.key, attempts.to_string()),
                (options::FIXED_DELAY_DELAY.key, ms(delay)),
            ],
        )
    }

    /// Restarts `delay` after each failure, as long as no more than `failures_max` failures lie within `interval`.
    pub fn failure_rate_restart(
        failures_max: u32,
        interval: Duration,
        delay: Duration,
    ) -> RestartStrategyConfiguration {
        described(
            "failure-rate",
            [
                (options::FAILURE_RATE_MAX_FAILURES.key, failures_max.to_string()),
                (options::FAILURE_RATE_INTERVAL.key, ms(interval)),
                (options::FAILURE_RATE_DELAY.key, ms(delay)),
            ],
        )
    }

    /// Restarts ever later after failures that follow one another: `initial`, then `multiplier` times as long, up to `max`, each varied at
    /// random by up to the share `jitter` (0 to 1); anew after a job ran for `reset_after`.
    pub fn exponential_delay_restart(
        initial: Duration,
        max: Duration,
        multiplier: f64,
        reset_after: Duration,
        jitter: f64,
    ) -> RestartStrategyConfiguration {
        described(
            "exponential-delay",
            [
                (options::EXPONENTIAL_INITIAL_BACKOFF.key, ms(initial)),
                (options::EXPONENTIAL_MAX_BACKOFF.key, ms(max)),
                (options::EXPONENTIAL_MULTIPLIER.key, multiplier.to_string()),
                (options::EXPONENTIAL_RESET_THRESHOLD.key, ms(reset_after)),
                (options::EXPONENTIAL_JITTER.key, jitter.to_string()),
            ],
        )
    }
}

impl RestartStrategyConfiguration {
    /// With at most so many restarts in a row: for exponential delay, which has no bound otherwise.
    #[must_use]
    pub fn attempts_before_reset_backoff(mut self, attempts: u32) -> Self {
        self.0.set(options::EXPONENTIAL_ATTEMPTS.key, attempts);
        self
    }
}

fn described<const N: usize>(kind: &str, parameters: [(&str, String); N]) -> RestartStrategyConfiguration {
    let mut config = Configuration::new();
    config.set(options::RESTART_STRATEGY.key, kind);
    for (key, value) in parameters {
        config.set(key, value);
    }
    RestartStrategyConfiguration(config)
}

fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}
