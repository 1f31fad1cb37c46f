//! Windows through the operator's harness: assigners, triggers, lateness, merging, functions, side outputs; and random lives
//! with snapshots, restores and rescales against a plain recomputation.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

mod assigners;
mod format;
mod functions;
mod jobs;
mod lateness;
mod model;
mod sessions;
mod triggers;

use millpond_api::window::{Trigger, WindowAssigner};
use millpond_api::{OutputTag, WatermarkStrategy};
use millpond_connectors::CollectionSource;
use millpond_core::Configuration;
use millpond_runtime::datastream::{KeyedStream, StreamExecutionEnvironment, WindowedStream};
use millpond_runtime::testing::{HarnessBuilder, OneInputHarness, for_operator};

/// An element: key, and a value.
pub(crate) type Event = (i64, i64);
pub(crate) type Harness = OneInputHarness<Event, Event>;

pub(crate) fn keyed() -> KeyedStream<i64, Event> {
    let env = StreamExecutionEnvironment::new(Configuration::new());
    env.from_source(
        CollectionSource::from_elements([(0i64, 0i64)]),
        WatermarkStrategy::no_watermarks(),
        "events",
    )
    .key_by(|event| event.0)
}

/// A window's values added up.
pub(crate) fn sums<A, Tr>(windowed: &WindowedStream<i64, Event, A, Tr>) -> HarnessBuilder<Harness>
where
    A: WindowAssigner<Event>,
    Tr: Trigger<Event, A::Window>,
{
    for_operator(&windowed.reduce(|sum, event| sum.1 += event.1))
}

pub(crate) fn late() -> OutputTag<Event> {
    OutputTag::new("late")
}

pub(crate) fn seconds(seconds: u64) -> std::time::Duration {
    std::time::Duration::from_secs(seconds)
}

/// The records that came out with their timestamps.
pub(crate) fn records<In: Send + 'static, Out: 'static>(
    harness: &mut OneInputHarness<In, Out>,
) -> Vec<(Out, Option<i64>)> {
    use millpond_runtime::testing::Element;
    let elements = harness.take_elements().into_iter();
    elements
        .filter_map(|element| match element {
            Element::Record(value, timestamp) => Some((value, timestamp)),
            _ => None,
        })
        .collect()
}
