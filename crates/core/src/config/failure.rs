//! The values of options about failures: restart strategies and what is restarted.

use super::options::{one_of, positive};

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

pub(super) fn attempts(text: &str) -> std::result::Result<Attempts, String> {
    if text.trim().eq_ignore_ascii_case("infinite") {
        return Ok(Attempts::Infinite);
    }
    positive(text)
        .map(Attempts::Limited)
        .map_err(|_| "expected a number above 0, or infinite".to_string())
}

pub(super) fn restart_strategy(text: &str) -> std::result::Result<RestartStrategyKind, String> {
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

pub(super) fn failover_strategy(text: &str) -> std::result::Result<FailoverStrategyKind, String> {
    one_of(
        text,
        &[
            ("region", FailoverStrategyKind::Region),
            ("full", FailoverStrategyKind::Full),
        ],
    )
}
