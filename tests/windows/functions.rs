//! What functions over windows see and can do.

use crate::{Event, keyed, records, seconds};
use millpond_api::window::{
    CountTrigger, ProcessWindowContext, ProcessWindowFunction, TimeWindow, TumblingEventTimeWindows,
    WindowRuntimeContext,
};
use millpond_api::{Collector, OutputTag};
use millpond_core::Result;
use millpond_runtime::testing::for_operator;
use millpond_state::descriptor::{AggregateFunction, ValueStateDescriptor};
use millpond_state::keyed::ValueState;

fn firings() -> OutputTag<String> {
    OutputTag::new("firings")
}

/// Tells how often the window, and any window of the key, was computed so far; and to the side output what it saw.
#[derive(Default)]
struct CountFirings {
    of_window: ValueState<i64, TimeWindow>,
    of_key: ValueState<i64>,
}

impl ProcessWindowFunction for CountFirings {
    type Key = i64;
    type In = Event;
    type Out = (i64, i64, i64);
    type Window = TimeWindow;

    fn open(&mut self, ctx: &mut WindowRuntimeContext<'_, i64, TimeWindow>) -> Result<()> {
        self.of_key = ctx.state(ValueStateDescriptor::new("of key").default_value(0))?;
        let of_window = ValueStateDescriptor::new("of window").default_value(0);
        self.of_window = ctx.window_state()?.state(of_window)?;
        Ok(())
    }
    fn process(
        &mut self,
        key: &i64,
        elements: &[Event],
        ctx: &mut ProcessWindowContext<'_, TimeWindow>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()> {
        self.of_window.update(self.of_window.value()? + 1)?;
        self.of_key.update(self.of_key.value()? + 1)?;
        out.collect((*key, self.of_window.value()?, self.of_key.value()?));
        let text = format!(
            "{} of {} at {}",
            elements.len(),
            ctx.window(),
            ctx.current_watermark()
        );
        ctx.output(&firings(), text);
        Ok(())
    }
    fn clear(&mut self, ctx: &mut ProcessWindowContext<'_, TimeWindow>) -> Result<()> {
        ctx.output(
            &firings(),
            format!("{} is over after {}", ctx.window(), self.of_window.value()?),
        );
        self.of_window.clear()
    }
}

/// Goal: a function has state by key and by window, each about the window at hand; both survive a restore; the function hears
/// when a window is over; and it emits to side outputs. Method: two windows of a key under a count trigger.
#[test]
fn a_function_has_state_by_key_and_by_window_and_side_outputs() {
    let windowed = keyed().window(TumblingEventTimeWindows::of(seconds(1)));
    let builder = for_operator::<Event, _>(
        &windowed
            .trigger(CountTrigger::of(1))
            .process(CountFirings::default),
    );
    let mut h = builder.side_output(&firings()).open().unwrap();
    h.process_watermark(-1).unwrap();
    h.process_element((7, 1), 0).unwrap();
    h.process_element((7, 1), 1000).unwrap();
    h.process_element((7, 1), 10).unwrap();
    let want = [
        ((7, 1, 1), Some(999)),
        ((7, 1, 2), Some(1999)),
        ((7, 2, 3), Some(999)),
    ];
    assert_eq!(records(&mut h), want);
    let want = [
        "1 of [0, 1000) at -1",
        "1 of [1000, 2000) at -1",
        "2 of [0, 1000) at -1",
    ];
    assert_eq!(h.take_side_output(&firings()), want);

    let snapshot = h.snapshot(1).unwrap();
    let mut h = builder
        .restore(&[snapshot])
        .side_output(&firings())
        .open()
        .unwrap();
    h.process_watermark(999).unwrap();
    assert_eq!(h.take_side_output(&firings()), ["[0, 1000) is over after 2"]);
    h.process_element((7, 1), 1001).unwrap();
    assert_eq!(records(&mut h), [((7, 2, 4), Some(1999))]);
}

/// The mean of an event's values.
#[derive(Clone)]
struct Mean;
impl AggregateFunction for Mean {
    type In = Event;
    type Acc = (i64, i64);
    type Out = f64;
    fn create_accumulator(&self) -> (i64, i64) {
        (0, 0)
    }
    fn add(&self, event: Event, acc: &mut (i64, i64)) {
        *acc = (acc.0 + event.1, acc.1 + 1);
    }
    fn get_result(&self, acc: &(i64, i64)) -> f64 {
        acc.0 as f64 / acc.1 as f64
    }
    fn merge(&self, acc: &mut (i64, i64), other: (i64, i64)) {
        *acc = (acc.0 + other.0, acc.1 + other.1);
    }
}

/// Adds key and window to what it is handed; fails on a number that is none.
struct WithWindow;
impl ProcessWindowFunction for WithWindow {
    type Key = i64;
    type In = f64;
    type Out = (i64, i64, f64);
    type Window = TimeWindow;
    fn process(
        &mut self,
        key: &i64,
        elements: &[f64],
        ctx: &mut ProcessWindowContext<'_, TimeWindow>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()> {
        for mean in elements {
            if *mean < 0.0 {
                return Err(millpond_core::Error::user("negative"));
            }
            out.collect((*key, ctx.window().start(), *mean));
        }
        Ok(())
    }
}

/// Goal: an aggregated window is handed to the function as one result, and the function's failure names the operator. Method: a
/// mean of two; a negative one.
#[test]
fn an_aggregated_window_is_handed_to_the_function_as_one_result() {
    let windowed = keyed().window(TumblingEventTimeWindows::of(seconds(1)));
    let operator = windowed.aggregate_and_process(Mean, || WithWindow);
    let mut h = for_operator::<Event, _>(&operator).open().unwrap();
    h.process_element((7, 1), 1000).unwrap();
    h.process_element((7, 2), 1999).unwrap();
    h.process_watermark(1999).unwrap();
    assert_eq!(h.take_output(), [(7, 1000, 1.5)]);
    h.process_element((7, -1), 2000).unwrap();
    let error = h.process_watermark(2999).unwrap_err();
    assert_eq!(error.kind(), millpond_core::ErrorKind::UserFunction);
    assert!(error.to_string().contains("operator=tested"), "{error}");
}
