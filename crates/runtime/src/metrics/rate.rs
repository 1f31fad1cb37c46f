//! Rates from counters: how much they rose in the last minute. Flink's `MeterView` and `TimerGauge`.

use crate::operator::OperatorMetrics;
use crate::task::TaskMetrics;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

/// Samples of a counter are kept for so long.
const WINDOW_NANOS: u64 = 60_000_000_000;
const NANOS_PER_SECOND: f64 = 1e9;

/// The samples of one counter.
#[derive(Debug, Default)]
struct Samples(VecDeque<(u64, u64)>);

impl Samples {
    fn add(&mut self, now_nanos: u64, count: u64) {
        self.0.push_back((now_nanos, count));
        // One that is older than the window is kept, so that the samples span it.
        while self
            .0
            .get(1)
            .is_some_and(|(at, _)| now_nanos.saturating_sub(*at) >= WINDOW_NANOS)
        {
            self.0.pop_front();
        }
    }

    /// How much the counter, which stands at `count` now, rose a second since the oldest sample.
    fn per_second(&self, now_nanos: u64, count: u64) -> f64 {
        let Some((at, before)) = self.0.front() else {
            return 0.0;
        };
        let nanos = now_nanos.saturating_sub(*at);
        if nanos == 0 {
            return 0.0;
        }
        count.saturating_sub(*before) as f64 / (nanos as f64 / NANOS_PER_SECOND)
    }
}

/// The samples of a task's counters.
#[derive(Debug, Default)]
pub(crate) struct TaskRates {
    samples: [Samples; 5],
}

/// The counters of a task that have rates: records in and out, nanoseconds busy, idle and backpressured.
fn of_task(metrics: &TaskMetrics) -> [u64; 5] {
    [
        metrics.records_in(),
        metrics.records_out(),
        metrics.busy_nanos(),
        metrics.idle_nanos(),
        metrics.backpressured_nanos(),
    ]
}

impl TaskRates {
    pub(crate) fn sample(&mut self, now_nanos: u64, metrics: &TaskMetrics) {
        for (samples, count) in self.samples.iter_mut().zip(of_task(metrics)) {
            samples.add(now_nanos, count);
        }
    }
    /// For each counter in the order of [`of_task`], how much it rises a second.
    pub(super) fn per_second(&self, now_nanos: u64, metrics: &TaskMetrics) -> [f64; 5] {
        let counts = of_task(metrics);
        std::array::from_fn(|i| match (self.samples.get(i), counts.get(i)) {
            (Some(samples), Some(count)) => samples.per_second(now_nanos, *count),
            _ => 0.0,
        })
    }
}

/// The samples of an operator's counters.
#[derive(Debug, Default)]
pub(crate) struct OperatorRates {
    records_in: Samples,
    records_out: Samples,
}

impl OperatorRates {
    pub(crate) fn sample(&mut self, now_nanos: u64, metrics: &OperatorMetrics) {
        self.records_in
            .add(now_nanos, metrics.records_in.load(Ordering::Relaxed));
        self.records_out
            .add(now_nanos, metrics.records_out.load(Ordering::Relaxed));
    }
    /// Records in and out a second.
    pub(super) fn per_second(&self, now_nanos: u64, metrics: &OperatorMetrics) -> [f64; 2] {
        [
            self.records_in
                .per_second(now_nanos, metrics.records_in.load(Ordering::Relaxed)),
            self.records_out
                .per_second(now_nanos, metrics.records_out.load(Ordering::Relaxed)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_rate_is_that_of_the_last_minute() {
        let mut samples = Samples::default();
        assert_eq!(samples.per_second(0, 5), 0.0);
        samples.add(0, 0);
        assert_eq!(samples.per_second(0, 5), 0.0);
        assert_eq!(samples.per_second(2 * SECOND, 10), 5.0);
        // 100 a second for two minutes, then nothing.
        for t in (5..=120).step_by(5) {
            samples.add(t * SECOND, t * 100);
        }
        assert_eq!(samples.per_second(120 * SECOND, 12_000), 100.0);
        for t in (125..=200).step_by(5) {
            samples.add(t * SECOND, 12_000);
        }
        assert_eq!(samples.per_second(200 * SECOND, 12_000), 0.0);
        assert!(samples.0.len() <= 14, "{}", samples.0.len());
    }
}
