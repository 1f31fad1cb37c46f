//! The last values of something measured, and what they say. Flink's `DescriptiveStatisticsHistogram`.

use std::sync::atomic::{AtomicU64, Ordering};

/// A window of the last values. One thread writes; others read without stopping it, and may see a window that is changing.
#[derive(Debug)]
pub struct Histogram {
    window: Box<[AtomicU64]>,
    count: AtomicU64,
}

/// What the window of a [`Histogram`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistogramStatistics {
    /// How many values there were, those no longer in the window included.
    pub count: u64,
    /// The smallest value in the window.
    pub min: u64,
    /// Half of the values are no greater.
    pub p50: u64,
    /// 75 of 100 values are no greater.
    pub p75: u64,
    /// 95 of 100 values are no greater.
    pub p95: u64,
    /// 98 of 100 values are no greater.
    pub p98: u64,
    /// 99 of 100 values are no greater.
    pub p99: u64,
    /// 999 of 1000 values are no greater.
    pub p999: u64,
    /// The greatest value in the window.
    pub max: u64,
    /// The mean, rounded down.
    pub mean: u64,
}

impl Histogram {
    /// An empty one, of the last `size` values; at least one.
    pub fn new(size: usize) -> Self {
        Histogram {
            window: (0..size.max(1)).map(|_| AtomicU64::new(0)).collect(),
            count: AtomicU64::new(0),
        }
    }

    /// Adds a value.
    pub fn update(&self, value: u64) {
        let count = self.count.load(Ordering::Relaxed);
        let position = usize::try_from(count % self.window.len() as u64).unwrap_or(0);
        if let Some(slot) = self.window.get(position) {
            slot.store(value, Ordering::Relaxed);
        }
        self.count.store(count + 1, Ordering::Release);
    }

    /// What the values say; `None` before the first.
    pub fn statistics(&self) -> Option<HistogramStatistics> {
        let count = self.count.load(Ordering::Acquire);
        let filled = usize::try_from(count).map_or(self.window.len(), |n| n.min(self.window.len()));
        let mut values: Vec<u64> = self
            .window
            .iter()
            .take(filled)
            .map(|v| v.load(Ordering::Relaxed))
            .collect();
        values.sort_unstable();
        // The place of the value that so many of a thousand are no greater than.
        let at = |share: usize| {
            values
                .get((values.len() * share).div_ceil(1000).saturating_sub(1))
                .copied()
        };
        let sum: u128 = values.iter().map(|v| u128::from(*v)).sum();
        Some(HistogramStatistics {
            count,
            min: *values.first()?,
            p50: at(500)?,
            p75: at(750)?,
            p95: at(950)?,
            p98: at(980)?,
            p99: at(990)?,
            p999: at(999)?,
            max: *values.last()?,
            mean: u64::try_from(sum / values.len() as u128).unwrap_or(u64::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_the_last_values_say() {
        let histogram = Histogram::new(100);
        assert_eq!(histogram.statistics(), None);
        histogram.update(7);
        let one = histogram.statistics().unwrap();
        assert_eq!(
            (one.count, one.min, one.p50, one.p99, one.max, one.mean),
            (1, 7, 7, 7, 7, 7)
        );
        // 1 to 100 are in the window, in no order; 7 is not.
        (0..100).for_each(|n| histogram.update(n * 37 % 100 + 1));
        let all = histogram.statistics().unwrap();
        assert_eq!(
            (all.count, all.min, all.p50, all.p99, all.max, all.mean),
            (101, 1, 50, 99, 100, 50)
        );
        assert_eq!((all.p75, all.p95, all.p98, all.p999), (75, 95, 98, 100));
    }
}
