//! Windows over keyed streams: how elements are put into windows, when a window is computed, and what computes it.
//!
//! | to say | use |
//! |---|---|
//! | which windows an element belongs to | [`WindowAssigner`]: [`TumblingEventTimeWindows`], [`SlidingEventTimeWindows`], [`EventTimeSessionWindows`], their processing-time siblings, [`GlobalWindows`] |
//! | when a window is computed | [`Trigger`]: [`EventTimeTrigger`], [`ProcessingTimeTrigger`], [`CountTrigger`], [`ContinuousEventTimeTrigger`], [`PurgingTrigger`] |
//! | what is computed from a window's elements | a reduce closure, an `AggregateFunction`, a [`ProcessWindowFunction`] |
//!
//! The names, the rules and the state behind them are Flink's. Nothing here runs anything: the engine's window operator asks the
//! assigner for the windows of each element, keeps their contents in state, and asks the trigger after each element and timer.

pub mod assigner;
mod function;
mod state;
pub mod trigger;

pub use assigner::{
    EventTimeSessionWindows, GlobalWindows, ProcessingTimeSessionWindows, SlidingEventTimeWindows,
    SlidingProcessingTimeWindows, TumblingEventTimeWindows, TumblingProcessingTimeWindows, WindowAssigner,
    WindowAssignerContext,
};
pub use function::{ProcessWindowContext, ProcessWindowFunction, WindowRuntimeContext};
pub use state::{WindowScope, WindowStateStore};
pub use trigger::{
    ContinuousEventTimeTrigger, CountTrigger, EventTimeTrigger, ProcessingTimeTrigger, PurgingTrigger,
    Trigger, TriggerContext, TriggerResult,
};

pub use millpond_types::serializer::window::{GlobalWindow, TimeWindow};

use millpond_state::keyed::Namespace;
use std::fmt;

/// A window: what groups a key's elements, and the namespace of the state that is kept for them. Flink's `Window`.
pub trait Window: Namespace + Copy + Ord + Default + fmt::Debug + fmt::Display {
    /// The last timestamp that belongs to it, in milliseconds since the epoch; results carry it.
    fn max_timestamp(&self) -> i64;
}

impl Window for TimeWindow {
    #[inline]
    fn max_timestamp(&self) -> i64 {
        TimeWindow::max_timestamp(*self)
    }
}

impl Window for GlobalWindow {
    #[inline]
    fn max_timestamp(&self) -> i64 {
        i64::MAX
    }
}
