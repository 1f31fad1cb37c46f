//! Runs one operator instance by hand: for tests of user functions, and of the operators themselves.
//!
//! A harness feeds records, watermarks and times, and shows what comes out; it takes snapshots, and opens other instances, at
//! any parallelism, from them. Flink's `ProcessFunctionTestHarnesses` and `KeyedOneInputStreamOperatorTestHarness`.
//!
//! ```
//! use millpond_api::Collector;
//! use millpond_api::function::{KeyedContext, KeyedProcessFunction, OnTimerContext, RuntimeContext};
//! use millpond_core::Result;
//! use millpond_runtime::testing;
//! use millpond_state::descriptor::ValueStateDescriptor;
//! use millpond_state::keyed::ValueState;
//!
//! /// Counts words and tells the count a second after a word was last seen.
//! #[derive(Default)]
//! struct Count(ValueState<i64>);
//!
//! impl KeyedProcessFunction for Count {
//!     type Key = String;
//!     type In = String;
//!     type Out = (String, i64);
//!
//!     fn open(&mut self, ctx: &mut RuntimeContext<'_, String>) -> Result<()> {
//!         self.0 = ctx.state(ValueStateDescriptor::new("count").default_value(0))?;
//!         Ok(())
//!     }
//!     fn process_element(&mut self, _: String, ctx: &mut KeyedContext<'_, String>, _: &mut Collector<'_, Self::Out>) -> Result<()> {
//!         self.0.update(self.0.value()? + 1)?;
//!         let at = ctx.timestamp().unwrap_or(0) + 1000;
//!         ctx.timer_service().register_event_time_timer(at)
//!     }
//!     fn on_timer(&mut self, _: i64, ctx: &mut OnTimerContext<'_, String>, out: &mut Collector<'_, Self::Out>) -> Result<()> {
//!         out.collect((ctx.current_key().clone(), self.0.value()?));
//!         Ok(())
//!     }
//! }
//!
//! let builder = testing::for_keyed_process_function(Count::default, String::clone);
//! let mut first = builder.open()?;
//! first.process_element("pond".to_string(), 10)?;
//! let snapshot = first.snapshot(1)?;
//!
//! let mut second = builder.restore(&[snapshot]).open()?;
//! second.process_watermark(2000)?;
//! assert_eq!(second.take_output(), [("pond".to_string(), 1)]);
//! # Ok::<(), millpond_core::Error>(())
//! ```

mod builder;
mod harness;
mod inline;
mod recorder;
#[cfg(test)]
mod tests;

pub use builder::{
    HarnessBuilder, for_async_keyed_co_process_function, for_async_keyed_process_function,
    for_co_process_function, for_keyed_broadcast_process_function, for_keyed_co_process_function,
    for_keyed_process_function, for_operator, for_process_function, for_sink, for_source,
};
pub use harness::{Harness, HarnessCore, OneInputHarness, SourceHarness, TwoInputHarness};
pub use inline::InlineStreams;
pub use recorder::Element;
