//! Options about failures: restart strategies and what is restarted.

use super::parsers::{one_of, positive};
use crate::config::{parse_duration, parse_number};
use std::time::Duration;

options! {
    RESTART_STRATEGY: RestartStrategyKind = "restart-strategy.type" or "restart-strategy", None, restart_strategy,
        "what happens when the job fails: none, fixed-delay, failure-rate or exponential-delay; by default exponential-delay with checkpoints, else none";
    FIXED_DELAY_ATTEMPTS: u32 = "restart-strategy.fixed-delay.attempts", Some("1"), parse_number,
        "how often the job is restarted before it fails for good";
    FIXED_DELAY_DELAY: Duration = "restart-strategy.fixed-delay.delay", Some("1 s"), parse_duration,
        "the time from a failure to the restart";
    EXPONENTIAL_INITIAL_BACKOFF: Duration = "restart-strategy.exponential-delay.initial-backoff", Some("1 s"), parse_duration,
        "the time to the first restart";
    EXPONENTIAL_MAX_BACKOFF: Duration = "restart-strategy.exponential-delay.max-backoff", Some("1 min"), parse_duration,
        "the longest time to a restart";
    EXPONENTIAL_MULTIPLIER: f64 = "restart-strategy.exponential-delay.backoff-multiplier", Some("1.5"), parse_number,
        "by how much the time grows with each failure, above 1";
    EXPONENTIAL_RESET_THRESHOLD: Duration = "restart-strategy.exponential-delay.reset-backoff-threshold", Some("1 h"), parse_duration,
        "after so long without a failure the time is the initial one again";
    EXPONENTIAL_JITTER: f64 = "restart-strategy.exponential-delay.jitter-factor", Some("0.1"), parse_number,
        "by what share the time is varied at random, from 0 to 1";
    EXPONENTIAL_ATTEMPTS: Attempts = "restart-strategy.exponential-delay.attempts-before-reset-backoff", Some("infinite"), attempts,
        "how often the job is restarted, without a reset between, before it fails for good: a number or infinite";
    FAILURE_RATE_MAX_FAILURES: u32 = "restart-strategy.failure-rate.max-failures-per-interval", Some("1"), parse_number,
        "how many failures within the interval are answered by a restart, at least 1";
    FAILURE_RATE_INTERVAL: Duration = "restart-strategy.failure-rate.failure-rate-interval", Some("1 min"), parse_duration,
        "the time over which failures are counted";
    FAILURE_RATE_DELAY: Duration = "restart-strategy.failure-rate.delay", Some("1 s"), parse_duration,
        "the time from a failure to the restart";
    FAILOVER_STRATEGY: FailoverStrategyKind = "jobmanager.execution.failover-strategy", Some("region"), failover_strategy,
        "which tasks are restarted when one fails: region (those that are connected with it) or full (all)";
}

/// `restart-strategy.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartStrategyKind {
    /// The job fails with its first failure.
    NoRestart,
    /// So many times, so long after each failure.
    FixedDelay,
    /// Ever longer after each failure in a row.
    ExponentialDelay,
    /// As long as there are not too many failures in a time.
    FailureRate,
}

/// A number of attempts, or no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempts {
    /// So many.
    Limited(u32),
    /// As many as it takes.
    Infinite,
}

/// `jobmanager.execution.failover-strategy`. Flink's `FailoverStrategyFactoryLoader`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailoverStrategyKind {
    /// The tasks that are connected with the failed one, by whatever way.
    Region,
    /// Every task.
    Full,
}

fn attempts(text: &str) -> std::result::Result<Attempts, String> {
    if text.trim().eq_ignore_ascii_case("infinite") {
        return Ok(Attempts::Infinite);
    }
    positive(text)
        .map(Attempts::Limited)
        .map_err(|_| "expected a number above 0, or infinite".to_string())
}

fn restart_strategy(text: &str) -> std::result::Result<RestartStrategyKind, String> {
    one_of(
        text,
        &[
            ("none", RestartStrategyKind::NoRestart),
            ("off", RestartStrategyKind::NoRestart),
            ("disable", RestartStrategyKind::NoRestart),
            ("fixed-delay", RestartStrategyKind::FixedDelay),
            ("fixeddelay", RestartStrategyKind::FixedDelay),
            ("failure-rate", RestartStrategyKind::FailureRate),
            ("failurerate", RestartStrategyKind::FailureRate),
            ("exponential-delay", RestartStrategyKind::ExponentialDelay),
            ("exponentialdelay", RestartStrategyKind::ExponentialDelay),
        ],
    )
}

fn failover_strategy(text: &str) -> std::result::Result<FailoverStrategyKind, String> {
    one_of(
        text,
        &[
            ("region", FailoverStrategyKind::Region),
            ("full", FailoverStrategyKind::Full),
        ],
    )
}
