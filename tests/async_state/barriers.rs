//! Watermarks, timers, snapshots and the end: nothing overtakes them, and they overtake nothing.

use super::*;
use millpond_runtime::testing::Element;

fn record(key: &'static str, n: i64, at: i64) -> Element<Out> {
    Element::Record((key, n), Some(at))
}

#[test]
fn a_watermark_comes_after_the_records_before_it_and_after_the_timers_it_makes_due() -> Result<()> {
    let (builder, _) = gathering();
    let mut h = builder.open()?;
    h.process_element(("a", Do::Timer(50)), 1)?;
    h.process_element(("b", Do::Count), 2)?;
    h.process_element(("b", Do::Count), 3)?;
    h.process_watermark(60)?;
    assert_eq!(
        h.take_elements(),
        [
            record("b", 1, 2),
            record("b", 2, 3),
            record("a", 1, 50),
            Element::Watermark(60)
        ]
    );
    Ok(())
}

/// Goal: timers of a key fire in the order of their time, also one that another registers while it fires.
#[test]
fn a_timer_that_a_timer_registers_fires_in_its_turn() -> Result<()> {
    let (builder, log) = gathering();
    let mut h = builder.open()?;
    for at in [1, 3] {
        h.process_element(("a", Do::Timer(at)), 0)?;
        h.process_element(("b", Do::Timer(at)), 0)?;
    }
    h.process_watermark(10)?;
    let log = taken(&log);
    for key in ["a", "b"] {
        let fired: Vec<_> = log
            .iter()
            .filter(|l| l.starts_with(&format!("{key} at")))
            .collect();
        assert_eq!(
            fired,
            [
                format!("{key} at 1"),
                format!("{key} at 2"),
                format!("{key} at 3")
            ]
            .each_ref()
        );
    }
    Ok(())
}

#[test]
fn a_timer_of_the_clock_waits_for_the_records_of_its_key() -> Result<()> {
    let (builder, log) = gathering();
    let mut h = builder.open()?;
    h.process_element(("a", Do::ClockTimer(5)), 0)?;
    h.process_idle()?;
    h.process_element(("a", Do::Count), 0)?;
    h.set_processing_time(5)?;
    h.process_idle()?;
    assert_eq!(
        taken(&log),
        [
            "a begins",
            "a has read",
            "a ends",
            "a at 5",
            "a begins",
            "a has read",
            "a ends"
        ]
    );
    assert_eq!(
        h.take_elements(),
        [record("a", 1, 0), Element::Record(("a", 2), None)]
    );
    Ok(())
}

#[test]
fn a_snapshot_waits_for_what_is_in_flight() -> Result<()> {
    let (builder, _) = gathering();
    let mut h = builder.open()?;
    for key in ["a", "b", "a"] {
        h.process_element((key, Do::Count), 0)?;
    }
    h.process_element(("b", Do::Timer(70)), 0)?;
    let snapshot = h.snapshot(1)?;
    let mut before = h.take_output();
    before.sort();
    assert_eq!(before, [("a", 1), ("a", 2), ("b", 1)]);
    // What comes after it is not in it.
    h.process_element(("a", Do::Count), 0)?;
    h.process_idle()?;

    let mut restored = builder.restore(&[snapshot]).open()?;
    restored.process_element(("a", Do::Count), 0)?;
    restored.process_watermark(70)?;
    assert_eq!(
        restored.take_elements(),
        [record("a", 3, 0), record("b", 2, 70), Element::Watermark(70)]
    );
    Ok(())
}

/// Goal: a job may go from asynchronous to synchronous functions and back. Method: the state is opened by a synchronous
/// function of the same descriptor.
#[test]
fn the_state_is_that_of_any_other_function() -> Result<()> {
    use millpond_api::Collector;
    use millpond_api::function::{KeyedContext, KeyedProcessFunction};
    use millpond_runtime::testing::for_keyed_process_function;
    use millpond_state::keyed::ValueState;

    #[derive(Default)]
    struct Sync(ValueState<i64>);
    impl KeyedProcessFunction for Sync {
        type Key = String;
        type In = In;
        type Out = Out;
        fn open(&mut self, ctx: &mut RuntimeContext<'_, String>) -> Result<()> {
            self.0 = ctx.state(ValueStateDescriptor::new("count").default_value(0))?;
            Ok(())
        }
        fn process_element(
            &mut self,
            (key, _): In,
            _: &mut KeyedContext<'_, String>,
            out: &mut Collector<'_, Out>,
        ) -> Result<()> {
            self.0.update(self.0.value()? + 1)?;
            out.collect((key, self.0.value()?));
            Ok(())
        }
    }
    let (asynchronous, _) = gathering();
    let synchronous = for_keyed_process_function(Sync::default, |(key, _): &In| (*key).to_string());
    let mut h = asynchronous.open()?;
    h.process_element(("a", Do::Count), 0)?;
    let mut h = synchronous.restore(&[h.snapshot(1)?]).open()?;
    h.process_element(("a", Do::Count), 0)?;
    assert_eq!(h.take_output(), [("a", 2)]);
    let mut h = asynchronous.restore(&[h.snapshot(2)?]).open()?;
    h.process_element(("a", Do::Count), 0)?;
    h.process_idle()?;
    assert_eq!(h.take_output(), [("a", 3)]);
    Ok(())
}

#[test]
fn the_end_of_input_waits_for_what_is_in_flight() -> Result<()> {
    let (builder, _) = gathering();
    let mut h = builder.open()?;
    h.process_element(("a", Do::Timer(50)), 1)?;
    h.process_element(("a", Do::Count), 2)?;
    h.end_input()?;
    assert_eq!(
        h.take_elements(),
        [
            record("a", 1, 2),
            record("a", 2, 50),
            Element::Watermark(i64::MAX)
        ]
    );
    h.close()
}
