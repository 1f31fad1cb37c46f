//! Windows of one size, one after the other.

use super::{WindowAssigner, WindowAssignerContext, millis, refuse, timestamp_of};
use crate::window::{EventTimeTrigger, ProcessingTimeTrigger, TimeWindow};
use millpond_core::Result;
use std::time::Duration;

macro_rules! tumbling {
    ($(#[doc = $doc:expr])* $name:ident, $trigger:ident, $event_time:expr, |$timestamp:ident, $ctx:ident| $now:expr) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            size_ms: i64,
            offset_ms: i64,
        }

        impl $name {
            /// Windows of `size`, aligned to the epoch.
            pub fn of(size: Duration) -> Self {
                $name { size_ms: millis(size), offset_ms: 0 }
            }
            /// Moves the grid of the windows by so many milliseconds, forward or back: days that begin at midnight in UTC+8
            /// are windows of 24 hours with an offset of -8 hours. Its amount must be less than the size. 0 by default.
            #[must_use]
            pub fn offset_ms(mut self, offset_ms: i64) -> Self {
                self.offset_ms = offset_ms;
                self
            }
        }

        impl<T> WindowAssigner<T> for $name {
            type Window = TimeWindow;
            type DefaultTrigger = $trigger;

            fn name(&self) -> &'static str {
                stringify!($name)
            }
            #[inline]
            fn assign_windows(
                &self,
                _element: &T,
                $timestamp: i64,
                $ctx: &WindowAssignerContext<'_>,
                windows: &mut Vec<TimeWindow>,
            ) -> Result<()> {
                let start = TimeWindow::window_start_with_offset($now, self.offset_ms, self.size_ms);
                windows.push(TimeWindow::new(start, start.saturating_add(self.size_ms)));
                Ok(())
            }
            fn default_trigger(&self) -> $trigger {
                $trigger::create()
            }
            fn is_event_time(&self) -> bool {
                $event_time
            }
            fn validate(&self) -> Result<()> {
                let ok = self.size_ms > 0 && self.offset_ms.unsigned_abs() < self.size_ms.unsigned_abs();
                ok.then_some(()).ok_or_else(|| {
                    refuse(stringify!($name), "the size must be 1 ms or more, and the offset less than the size")
                        .with("size_ms", self.size_ms)
                        .with("offset_ms", self.offset_ms)
                })
            }
        }
    };
}

tumbling!(
    /// Windows of one size in event time, one after the other. Flink's class of that name.
    ///
    /// ```
    /// use millpond_api::window::{TumblingEventTimeWindows, WindowAssigner};
    /// use std::time::Duration;
    ///
    /// let days_in_shanghai = TumblingEventTimeWindows::of(Duration::from_secs(24 * 3600)).offset_ms(-8 * 3600 * 1000);
    /// WindowAssigner::<String>::validate(&days_in_shanghai)?;
    /// # Ok::<(), millpond_core::Error>(())
    /// ```
    TumblingEventTimeWindows, EventTimeTrigger, true, |timestamp, _ctx| timestamp_of(timestamp)?);
tumbling!(
    /// Windows of one size by the clock, one after the other. Flink's class of that name.
    TumblingProcessingTimeWindows, ProcessingTimeTrigger, false, |_timestamp, ctx| ctx.current_processing_time());
