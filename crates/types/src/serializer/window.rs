//! The windows that keyed state can be namespaced by: [`TimeWindow`] and [`GlobalWindow`], stored as Flink stores them.
//!
//! They stand here and not with the window operators, because a namespace is a part of a stored key: its bytes are a format.

use super::{SharedSerializer, StateType, TypeSerializer, mismatch};
use crate::data::{DataInput, DataOutput};
use crate::snapshot::{Compatibility, SerializerSnapshot, class};
use millpond_core::Result;
use std::fmt;
use std::sync::Arc;

/// The time from `start` (inclusive) to `end` (exclusive), in milliseconds since the epoch. Flink's `TimeWindow`.
///
/// ```
/// use millpond_types::serializer::window::TimeWindow;
/// let window = TimeWindow::new(0, 1000);
/// assert_eq!(window.max_timestamp(), 999);
/// assert_eq!(window.cover(TimeWindow::new(500, 1500)), TimeWindow::new(0, 1500));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeWindow {
    start: i64,
    end: i64,
}

impl TimeWindow {
    /// The window from `start` to `end`.
    pub const fn new(start: i64, end: i64) -> Self {
        TimeWindow { start, end }
    }
    /// The first timestamp that belongs to it.
    pub const fn start(self) -> i64 {
        self.start
    }
    /// The first timestamp that doesn't belong to it any more.
    pub const fn end(self) -> i64 {
        self.end
    }
    /// The last timestamp that belongs to it.
    pub const fn max_timestamp(self) -> i64 {
        self.end.saturating_sub(1)
    }
    /// Whether the two overlap or touch.
    pub const fn intersects(self, other: TimeWindow) -> bool {
        self.start <= other.end && self.end >= other.start
    }
    /// The smallest window that contains both.
    #[must_use]
    pub fn cover(self, other: TimeWindow) -> TimeWindow {
        TimeWindow::new(self.start.min(other.start), self.end.max(other.end))
    }
    /// The start of the window of `size_ms` that `timestamp` falls into, when windows begin at `offset_ms` and at every
    /// multiple of their size from there. Flink's `getWindowStartWithOffset`. Where an `i64` can't hold it: the lowest one.
    pub const fn window_start_with_offset(timestamp: i64, offset_ms: i64, size_ms: i64) -> i64 {
        let size = if size_ms < 1 { 1 } else { size_ms as i128 };
        let remainder = (timestamp as i128 - offset_ms as i128).rem_euclid(size);
        // The remainder is less than the size, an i64.
        timestamp.saturating_sub(remainder as i64)
    }
}

impl fmt::Display for TimeWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.start, self.end)
    }
}

/// The one window of all time. Flink's `GlobalWindow`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GlobalWindow;

impl fmt::Display for GlobalWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all time")
    }
}

/// Flink's `TimeWindow.Serializer`: start and end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeWindowSerializer;

impl TypeSerializer<TimeWindow> for TimeWindowSerializer {
    #[inline]
    fn serialize(&self, value: &TimeWindow, out: &mut DataOutput) -> Result<()> {
        out.write_i64(value.start);
        out.write_i64(value.end);
        Ok(())
    }
    #[inline]
    fn deserialize(&self, input: &mut DataInput<'_>) -> Result<TimeWindow> {
        Ok(TimeWindow::new(input.read_i64()?, input.read_i64()?))
    }
    fn snapshot(&self) -> SerializerSnapshot {
        SerializerSnapshot::simple(class::TIME_WINDOW)
    }
    fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
        if old.class_name == class::TIME_WINDOW {
            Compatibility::AsIs
        } else {
            mismatch(old, "TimeWindow")
        }
    }
}

impl StateType for TimeWindow {
    fn serializer() -> SharedSerializer<Self> {
        Arc::new(TimeWindowSerializer)
    }
}

/// Flink's `GlobalWindow.Serializer`: one byte 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GlobalWindowSerializer;

impl TypeSerializer<GlobalWindow> for GlobalWindowSerializer {
    #[inline]
    fn serialize(&self, _value: &GlobalWindow, out: &mut DataOutput) -> Result<()> {
        out.write_u8(0);
        Ok(())
    }
    #[inline]
    fn deserialize(&self, input: &mut DataInput<'_>) -> Result<GlobalWindow> {
        input.read_u8()?;
        Ok(GlobalWindow)
    }
    fn snapshot(&self) -> SerializerSnapshot {
        SerializerSnapshot::simple(class::GLOBAL_WINDOW)
    }
    fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
        if old.class_name == class::GLOBAL_WINDOW {
            Compatibility::AsIs
        } else {
            mismatch(old, "GlobalWindow")
        }
    }
}

impl StateType for GlobalWindow {
    fn serializer() -> SharedSerializer<Self> {
        Arc::new(GlobalWindowSerializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: every timestamp lies in its window, windows begin at the offset plus multiples of the size, and nothing
    /// overflows. Method: times around zero and at the extremes, offsets of both signs.
    #[test]
    fn the_window_of_a_timestamp_holds_it_and_begins_on_the_grid() {
        for timestamp in [-2501, -1000, -1, 0, 1, 999, 1000, 123_456_789] {
            for offset in [-999, -1, 0, 1, 400] {
                let start = TimeWindow::window_start_with_offset(timestamp, offset, 1000);
                assert!(start <= timestamp && timestamp < start + 1000);
                assert_eq!((start - offset).rem_euclid(1000), 0);
            }
        }
        assert_eq!(TimeWindow::window_start_with_offset(i64::MIN, 1, 1000), i64::MIN);
        let last = TimeWindow::window_start_with_offset(i64::MAX, -7, 1000);
        assert!(last > i64::MAX - 1000);
    }
}
