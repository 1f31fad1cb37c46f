//! Where a function's results go.

use crate::time::NO_TIMESTAMP;
use millpond_core::{Error, Result};

/// The receiving end of a stream of `T`, as an operator sees what stands behind it.
pub trait Output<T> {
    /// Takes one record. `timestamp` is [`NO_TIMESTAMP`] for a record without one.
    ///
    /// # Errors
    /// Whatever the operators chained behind it failed with; the task fails then.
    fn collect(&mut self, value: T, timestamp: i64) -> Result<()>;
}

/// Takes a function's results. Flink's `Collector` (`TimestampedCollector`): results carry the timestamp of the record or
/// timer that caused them.
///
/// `collect` itself cannot fail: what an operator further down fails with is kept, later results are dropped, and the engine
/// asks [`Collector::finish`] after each call of the function.
pub struct Collector<'a, T> {
    output: &'a mut dyn Output<T>,
    timestamp: i64,
    emitted: u64,
    failure: Option<Error>,
}

impl<'a, T> Collector<'a, T> {
    /// A collector that stamps results with `timestamp`.
    pub fn new(output: &'a mut dyn Output<T>, timestamp: i64) -> Self {
        Collector {
            output,
            timestamp,
            emitted: 0,
            failure: None,
        }
    }

    /// Emits a result.
    #[inline]
    pub fn collect(&mut self, value: T) {
        let timestamp = self.timestamp;
        self.emit(value, timestamp);
    }

    /// Emits several results.
    pub fn collect_all(&mut self, values: impl IntoIterator<Item = T>) {
        values.into_iter().for_each(|value| self.collect(value));
    }

    /// Emits a result with a timestamp of its own (milliseconds since the epoch).
    #[inline]
    pub fn collect_with_timestamp(&mut self, value: T, timestamp: i64) {
        self.emit(value, timestamp);
    }

    /// Emits a result without a timestamp.
    pub fn collect_without_timestamp(&mut self, value: T) {
        self.emit(value, NO_TIMESTAMP);
    }

    /// How many results were emitted so far.
    #[inline]
    pub fn emitted(&self) -> u64 {
        self.emitted
    }

    /// What the operators behind failed with, if they did.
    ///
    /// # Errors
    /// The first failure of [`Output::collect`].
    #[inline]
    pub fn finish(self) -> Result<()> {
        self.failure.map_or(Ok(()), Err)
    }

    #[inline]
    fn emit(&mut self, value: T, timestamp: i64) {
        if self.failure.is_some() {
            return;
        }
        match self.output.collect(value, timestamp) {
            Ok(()) => self.emitted += 1,
            Err(e) => self.failure = Some(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct FailsAt(usize, Vec<(i32, i64)>);
    impl Output<i32> for FailsAt {
        fn collect(&mut self, value: i32, timestamp: i64) -> Result<()> {
            if self.1.len() == self.0 {
                return Err(Error::user("no more"));
            }
            self.1.push((value, timestamp));
            Ok(())
        }
    }

    #[test]
    fn the_first_failure_is_kept_and_later_results_are_dropped() {
        let mut out = FailsAt(1, Vec::new());
        let mut c = Collector::new(&mut out, 7);
        c.collect(1);
        c.collect(2);
        c.collect_with_timestamp(3, 9);
        assert_eq!(c.finish().unwrap_err().message(), "no more");
        assert_eq!(out.1, [(1, 7)]);
    }
}
