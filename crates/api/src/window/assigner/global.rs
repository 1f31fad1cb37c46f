//! One window for all of a key's elements.

use super::{WindowAssigner, WindowAssignerContext};
use crate::window::GlobalWindow;
use crate::window::trigger::{EndOfStreamTrigger, NeverTrigger, Trigger};
use millpond_core::Result;

/// All elements of a key in one window that never ends. Flink's `GlobalWindows`.
///
/// Without a trigger of your own it is never computed, and its state grows for as long as the job runs:
/// `stream.window(GlobalWindows::create()).trigger(PurgingTrigger::of(CountTrigger::of(100)))` computes and forgets every
/// hundred elements.
///
/// ```
/// use millpond_api::window::{GlobalWindows, WindowAssigner};
/// assert!(!WindowAssigner::<String>::is_event_time(&GlobalWindows::create()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GlobalWindows<Tr = NeverTrigger> {
    trigger: Tr,
}

impl GlobalWindows {
    /// Windows that are computed only by a trigger that is set on the stream.
    pub fn create() -> Self {
        GlobalWindows {
            trigger: NeverTrigger,
        }
    }
}

impl GlobalWindows<EndOfStreamTrigger> {
    /// Windows that are computed once, when the input has ended.
    pub fn create_with_end_of_stream_trigger() -> Self {
        GlobalWindows {
            trigger: EndOfStreamTrigger,
        }
    }
}

impl<T, Tr: Trigger<T, GlobalWindow>> WindowAssigner<T> for GlobalWindows<Tr> {
    type Window = GlobalWindow;
    type DefaultTrigger = Tr;

    fn name(&self) -> &'static str {
        "GlobalWindows"
    }
    #[inline]
    fn assign_windows(
        &self,
        _element: &T,
        _timestamp: i64,
        _ctx: &WindowAssignerContext<'_>,
        windows: &mut Vec<GlobalWindow>,
    ) -> Result<()> {
        windows.push(GlobalWindow);
        Ok(())
    }
    fn default_trigger(&self) -> Tr {
        self.trigger.clone()
    }
    fn is_event_time(&self) -> bool {
        false
    }
}
