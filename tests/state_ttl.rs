//! A keyed function's state with a time to live goes by the clock of its task, before and after a restore.

use millpond_api::Collector;
use millpond_api::function::{KeyedContext, KeyedProcessFunction, RuntimeContext};
use millpond_core::Result;
use millpond_runtime::testing;
use millpond_state::descriptor::ValueStateDescriptor;
use millpond_state::keyed::ValueState;
use millpond_state::ttl::StateTtlConfig;
use std::time::Duration;

/// Counts each key, and forgets a count that nobody has touched for a second.
#[derive(Default)]
struct Count(ValueState<i64>);

impl KeyedProcessFunction for Count {
    type Key = i64;
    type In = i64;
    type Out = (i64, i64);

    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        let ttl = StateTtlConfig::new_builder(Duration::from_secs(1)).build()?;
        let count = ValueStateDescriptor::new("count").default_value(0);
        self.0 = ctx.state(count.enable_time_to_live(ttl))?;
        Ok(())
    }
    fn process_element(
        &mut self,
        _: i64,
        ctx: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()> {
        self.0.update(self.0.value()? + 1)?;
        out.collect((*ctx.current_key(), self.0.value()?));
        Ok(())
    }
}

/// Goal: the clock that times to live are measured by is the task's. Method: a driven clock, moved to just before and just
/// after the end of a life, with a restore between.
#[test]
fn lives_are_measured_by_the_clock_of_the_task() -> Result<()> {
    let builder = testing::for_keyed_process_function(Count::default, |key: &i64| *key);
    let mut first = builder.open()?;
    first.set_processing_time(10_000)?;
    first.process_element(1, 0)?;
    first.set_processing_time(10_999)?;
    first.process_element(1, 0)?;
    first.process_element(2, 0)?;
    assert_eq!(first.take_output(), [(1, 1), (1, 2), (2, 1)]);
    let snapshot = first.snapshot(1)?;

    let mut second = builder.restore(&[snapshot]).open()?;
    second.set_processing_time(11_998)?;
    second.process_element(1, 0)?;
    second.set_processing_time(11_999)?;
    second.process_element(1, 0)?;
    second.process_element(2, 0)?;
    assert_eq!(second.take_output(), [(1, 3), (1, 4), (2, 1)]);
    Ok(())
}
