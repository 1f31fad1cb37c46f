//! Windows of one size, of which one begins with every slide: an element is in several.

use super::{WindowAssigner, WindowAssignerContext, millis, refuse, timestamp_of};
use crate::window::{EventTimeTrigger, ProcessingTimeTrigger, TimeWindow};
use millpond_core::Result;
use std::time::Duration;

/// How many windows an element can be in. Flink's `MAX_WINDOW_NUM`.
const WINDOWS_MAX: i64 = 10_000_000;

macro_rules! sliding {
    ($(#[doc = $doc:expr])* $name:ident, $trigger:ident, $event_time:expr, |$timestamp:ident, $ctx:ident| $now:expr) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            size_ms: i64,
            slide_ms: i64,
            offset_ms: i64,
        }

        impl $name {
            /// Windows of `size`, one of which begins with every `slide`, aligned to the epoch.
            pub fn of(size: Duration, slide: Duration) -> Self {
                $name { size_ms: millis(size), slide_ms: millis(slide), offset_ms: 0 }
            }
            /// Moves the grid of the windows by so many milliseconds, forward or back. Its amount must be less than the slide.
            /// 0 by default.
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
            fn assign_windows(
                &self,
                _element: &T,
                $timestamp: i64,
                $ctx: &WindowAssignerContext<'_>,
                windows: &mut Vec<TimeWindow>,
            ) -> Result<()> {
                let now = $now;
                let slide_ms = self.slide_ms.max(1);
                let mut start = TimeWindow::window_start_with_offset(now, self.offset_ms, slide_ms);
                while start > now.saturating_sub(self.size_ms) {
                    windows.push(TimeWindow::new(start, start.saturating_add(self.size_ms)));
                    start = start.saturating_sub(slide_ms);
                }
                Ok(())
            }
            fn default_trigger(&self) -> $trigger {
                $trigger::create()
            }
            fn is_event_time(&self) -> bool {
                $event_time
            }
            fn validate(&self) -> Result<()> {
                let ok = self.size_ms > 0
                    && self.slide_ms > 0
                    && self.offset_ms.unsigned_abs() < self.slide_ms.unsigned_abs()
                    && self.size_ms / self.slide_ms <= WINDOWS_MAX;
                ok.then_some(()).ok_or_else(|| {
                    refuse(
                        stringify!($name),
                        "size and slide must be 1 ms or more, the offset less than the slide, and the size at most 10,000,000 slides",
                    )
                    .with("size_ms", self.size_ms)
                    .with("slide_ms", self.slide_ms)
                    .with("offset_ms", self.offset_ms)
                })
            }
        }
    };
}

sliding!(
    /// Overlapping windows in event time. Flink's class of that name. Each element is kept in as many windows as slides go into
    /// the size.
    ///
    /// ```
    /// use millpond_api::window::{SlidingEventTimeWindows, WindowAssigner};
    /// use std::time::Duration;
    ///
    /// let last_minute_every_ten_seconds =
    ///     SlidingEventTimeWindows::of(Duration::from_secs(60), Duration::from_secs(10));
    /// WindowAssigner::<String>::validate(&last_minute_every_ten_seconds)?;
    /// # Ok::<(), millpond_core::Error>(())
    /// ```
    SlidingEventTimeWindows, EventTimeTrigger, true, |timestamp, _ctx| timestamp_of(timestamp)?);
sliding!(
    /// Overlapping windows by the clock. Flink's class of that name.
    SlidingProcessingTimeWindows, ProcessingTimeTrigger, false, |_timestamp, ctx| ctx.current_processing_time());
