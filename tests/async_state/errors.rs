//! What goes wrong in a future, and what is said of it.

use super::*;
use millpond_core::ErrorKind;

#[test]
fn an_error_in_a_future_fails_the_task_and_names_the_operator() -> Result<()> {
    let (builder, _) = gathering();
    let mut h = builder.open()?;
    h.process_element(("b", Do::Count), 0)?;
    h.process_element(("a", Do::Fail), 0)?;
    let e = h.process_idle().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::UserFunction);
    let report = e.report();
    for part in ["operator=tested", "no luck", "count=0"] {
        assert!(report.contains(part), "{report}");
    }
    // What is in flight is dropped, and the function closed.
    h.close()
}

#[test]
fn an_error_that_is_not_waited_for_fails_at_once() -> Result<()> {
    let (builder, _) = builder();
    let mut h = builder.open()?;
    let e = h.process_element(("a", Do::Fail), 0).unwrap_err();
    assert!(e.report().contains("no luck"), "{}", e.report());
    Ok(())
}

#[test]
fn a_function_that_awaits_something_else_than_state_is_told_so() -> Result<()> {
    let (builder, _) = gathering();
    let mut h = builder.open()?;
    h.process_element(("a", Do::Hang), 0)?;
    h.process_element(("b", Do::Count), 0)?;
    let e = h.process_watermark(10).unwrap_err();
    let report = e.report();
    for part in [
        "awaits something else than the state",
        "in_flight=1",
        "await only",
    ] {
        assert!(report.contains(part), "{report}");
    }
    assert_eq!(h.take_output(), [("b", 1)]);
    h.close()
}

#[test]
fn a_state_that_was_never_opened_is_refused() -> Result<()> {
    let (builder, _) = gathering();
    let mut h = builder.open()?;
    let e = h.process_element(("a", Do::UseUnopened), 0).unwrap_err();
    assert!(e.report().contains("never opened"), "{}", e.report());
    Ok(())
}

#[test]
fn a_synchronous_function_has_no_asynchronous_state() {
    use millpond_api::Collector;
    use millpond_api::function::{KeyedContext, KeyedProcessFunction};
    use millpond_runtime::testing::for_keyed_process_function;

    struct Wrong;
    impl KeyedProcessFunction for Wrong {
        type Key = String;
        type In = In;
        type Out = Out;
        fn open(&mut self, ctx: &mut RuntimeContext<'_, String>) -> Result<()> {
            ctx.async_state(ValueStateDescriptor::<i64>::new("count"))
                .map(drop)
        }
        fn process_element(
            &mut self,
            _: In,
            _: &mut KeyedContext<'_, String>,
            _: &mut Collector<'_, Out>,
        ) -> Result<()> {
            Ok(())
        }
    }
    let builder = for_keyed_process_function(|| Wrong, |(key, _): &In| (*key).to_string());
    let Err(e) = builder.open() else {
        unreachable!("it opened")
    };
    let report = e.report();
    assert!(
        report.contains("not asynchronous") && report.contains("enable_async_state"),
        "{report}"
    );
}
