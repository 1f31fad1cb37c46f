//! Sessions: windows that last until a key was silent for a while.
//!
//! Each element opens a window of the length of the gap; windows that overlap or touch become one.

use super::{WindowAssigner, WindowAssignerContext, millis, refuse, timestamp_of};
use crate::window::{EventTimeTrigger, ProcessingTimeTrigger, TimeWindow};
use millpond_core::Result;
use std::time::Duration;

macro_rules! session {
    ($(#[doc = $doc:expr])* $name:ident, $trigger:ident, $event_time:expr, |$timestamp:ident, $ctx:ident| $now:expr) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            gap_ms: i64,
        }

        impl $name {
            /// Sessions that end when nothing came for `gap`.
            pub fn with_gap(gap: Duration) -> Self {
                $name { gap_ms: millis(gap) }
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
                let start = $now;
                windows.push(TimeWindow::new(start, start.saturating_add(self.gap_ms)));
                Ok(())
            }
            fn default_trigger(&self) -> $trigger {
                $trigger::create()
            }
            fn is_event_time(&self) -> bool {
                $event_time
            }
            fn is_merging(&self) -> bool {
                true
            }
            fn merge_windows(&self, windows: &[TimeWindow]) -> Vec<(TimeWindow, Vec<TimeWindow>)> {
                merge(windows)
            }
            fn validate(&self) -> Result<()> {
                (self.gap_ms > 0).then_some(()).ok_or_else(|| {
                    refuse(stringify!($name), "the gap must be 1 ms or more").with("gap_ms", self.gap_ms)
                })
            }
        }
    };
}

session!(
    /// Sessions in event time. Flink's class of that name.
    ///
    /// ```
    /// use millpond_api::window::{EventTimeSessionWindows, TimeWindow, WindowAssigner};
    /// use std::time::Duration;
    ///
    /// let visits = EventTimeSessionWindows::with_gap(Duration::from_secs(30 * 60));
    /// let (first, second) = (TimeWindow::new(0, 10), TimeWindow::new(10, 20));
    /// let merged = WindowAssigner::<String>::merge_windows(&visits, &[first, second]);
    /// assert_eq!(merged, [(TimeWindow::new(0, 20), vec![first, second])]);
    /// ```
    EventTimeSessionWindows, EventTimeTrigger, true, |timestamp, _ctx| timestamp_of(timestamp)?);
session!(
    /// Sessions by the clock. Flink's class of that name.
    ProcessingTimeSessionWindows, ProcessingTimeTrigger, false, |_timestamp, ctx| ctx.current_processing_time());

/// Flink's `TimeWindow.mergeWindows`: windows that overlap or touch become one. Equal windows count once.
fn merge(windows: &[TimeWindow]) -> Vec<(TimeWindow, Vec<TimeWindow>)> {
    let mut sorted = windows.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut merged: Vec<(TimeWindow, Vec<TimeWindow>)> = Vec::new();
    for window in sorted {
        match merged.last_mut() {
            Some((cover, parts)) if cover.intersects(window) => {
                *cover = cover.cover(window);
                parts.push(window);
            }
            _ => merged.push((window, vec![window])),
        }
    }
    merged.retain(|(_, parts)| parts.len() > 1);
    merged
}
