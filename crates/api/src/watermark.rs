//! Where event time comes from: timestamp assigner, watermark generator, idleness. Flink's `WatermarkStrategy`.

use crate::time::Watermark;
use std::sync::Arc;
use std::time::Duration;

/// Gives a record its event time (milliseconds since the epoch). The second argument is the timestamp that the record
/// already has, [`crate::NO_TIMESTAMP`] if none. Flink's `TimestampAssigner`.
pub type TimestampAssigner<T> = Arc<dyn Fn(&T, i64) -> i64 + Send + Sync>;

/// Derives watermarks from the timestamps that pass by. Flink's `WatermarkGenerator`, one for each parallel instance.
pub trait WatermarkGenerator<T>: 'static {
    /// A record passes.
    fn on_event(&mut self, value: &T, timestamp: i64);
    /// The watermark that holds now, asked after each batch. It may go back; the engine keeps the highest.
    fn current(&self) -> Watermark;
}

type GeneratorFactory<T> = Arc<dyn Fn() -> Box<dyn WatermarkGenerator<T>> + Send + Sync>;

/// How a stream gets its timestamps and watermarks.
///
/// ```
/// use millpond_api::WatermarkStrategy;
/// use std::time::Duration;
/// let strategy = WatermarkStrategy::<(String, i64)>::for_bounded_out_of_orderness(Duration::from_secs(5))
///     .with_timestamp_assigner(|event, _| event.1)
///     .with_idleness(Duration::from_secs(60));
/// assert_eq!(strategy.idle_timeout(), Some(Duration::from_secs(60)));
/// ```
pub struct WatermarkStrategy<T> {
    assigner: Option<TimestampAssigner<T>>,
    generator: Option<GeneratorFactory<T>>,
    idle_timeout: Option<Duration>,
}

impl<T> Clone for WatermarkStrategy<T> {
    fn clone(&self) -> Self {
        WatermarkStrategy {
            assigner: self.assigner.clone(),
            generator: self.generator.clone(),
            idle_timeout: self.idle_timeout,
        }
    }
}

impl<T: 'static> WatermarkStrategy<T> {
    /// No watermarks but the one at the end of a bounded stream.
    pub fn no_watermarks() -> Self {
        WatermarkStrategy {
            assigner: None,
            generator: None,
            idle_timeout: None,
        }
    }

    /// Records may be late by up to `bound`: the watermark trails the highest timestamp by that much and one millisecond.
    pub fn for_bounded_out_of_orderness(bound: Duration) -> Self {
        let bound_ms = i64::try_from(bound.as_millis()).unwrap_or(i64::MAX);
        Self::for_generator(move || {
            Box::new(BoundedOutOfOrderness {
                bound_ms,
                highest: i64::MIN,
            })
        })
    }

    /// Timestamps never go back: as bounded out-of-orderness of zero.
    pub fn for_monotonous_timestamps() -> Self {
        Self::for_bounded_out_of_orderness(Duration::ZERO)
    }

    /// A generator of one's own.
    pub fn for_generator(
        factory: impl Fn() -> Box<dyn WatermarkGenerator<T>> + Send + Sync + 'static,
    ) -> Self {
        WatermarkStrategy {
            assigner: None,
            generator: Some(Arc::new(factory)),
            idle_timeout: None,
        }
    }

    /// Where a record's event time stands.
    #[must_use]
    pub fn with_timestamp_assigner(
        mut self,
        assigner: impl Fn(&T, i64) -> i64 + Send + Sync + 'static,
    ) -> Self {
        self.assigner = Some(Arc::new(assigner));
        self
    }

    /// After so long without a record an instance is idle and no longer holds the watermark back.
    #[must_use]
    pub fn with_idleness(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// The assigner, if one was given.
    pub fn timestamp_assigner(&self) -> Option<TimestampAssigner<T>> {
        self.assigner.clone()
    }

    /// A generator for one parallel instance; `None` for [`WatermarkStrategy::no_watermarks`].
    pub fn create_generator(&self) -> Option<Box<dyn WatermarkGenerator<T>>> {
        self.generator.as_ref().map(|f| f())
    }

    /// The idleness timeout, if one was given.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }
}

struct BoundedOutOfOrderness {
    bound_ms: i64,
    highest: i64,
}

impl<T> WatermarkGenerator<T> for BoundedOutOfOrderness {
    fn on_event(&mut self, _value: &T, timestamp: i64) {
        self.highest = self.highest.max(timestamp);
    }
    fn current(&self) -> Watermark {
        if self.highest == i64::MIN {
            return Watermark::UNINITIALIZED;
        }
        Watermark::new(self.highest.saturating_sub(self.bound_ms).saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watermark_trails_the_highest_timestamp() {
        let strategy = WatermarkStrategy::<i64>::for_bounded_out_of_orderness(Duration::from_millis(10));
        let mut g = strategy.create_generator().unwrap();
        assert_eq!(g.current(), Watermark::UNINITIALIZED);
        g.on_event(&0, 100);
        g.on_event(&0, 50);
        assert_eq!(g.current(), Watermark::new(89));
    }
}
