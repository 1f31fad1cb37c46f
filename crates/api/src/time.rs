//! Event time as it travels with the records. Times are milliseconds since the epoch.

/// The timestamp of a record that has none. Flink's `TimestampAssigner.NO_TIMESTAMP`.
pub const NO_TIMESTAMP: i64 = i64::MIN;

/// A statement that no record at or before `timestamp` will follow. Flink's `Watermark`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Watermark {
    /// Milliseconds since the epoch.
    pub timestamp: i64,
}

impl Watermark {
    /// Nothing is known yet.
    pub const UNINITIALIZED: Watermark = Watermark { timestamp: i64::MIN };
    /// The end of event time: no record will follow.
    pub const MAX: Watermark = Watermark { timestamp: i64::MAX };

    /// The watermark of `timestamp`.
    pub fn new(timestamp: i64) -> Self {
        Watermark { timestamp }
    }
}
