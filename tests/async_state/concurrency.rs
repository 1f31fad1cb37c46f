//! What runs beside what, and when what waits is executed.

use super::*;
use millpond_runtime::testing::Element;

#[test]
fn records_of_other_keys_are_processed_while_one_waits() -> Result<()> {
    let (builder, log) = gathering();
    let mut h = builder.open()?;
    h.process_element(("a", Do::Count), 1)?;
    h.process_element(("b", Do::Count), 2)?;
    assert_eq!(taken(&log), ["a begins", "b begins"]);
    assert_eq!(h.take_output(), []);
    h.process_idle()?;
    assert_eq!(taken(&log), ["a has read", "b has read", "a ends", "b ends"]);
    assert_eq!(
        h.take_elements(),
        [
            Element::Record(("a", 1), Some(1)),
            Element::Record(("b", 1), Some(2))
        ]
    );
    assert_eq!(h.records_in_and_out(), (2, 2));
    Ok(())
}

#[test]
fn records_of_one_key_are_processed_one_after_the_other() -> Result<()> {
    let (builder, log) = gathering();
    let mut h = builder.open()?;
    for (key, at) in [("a", 1), ("a", 2), ("b", 3), ("a", 4)] {
        h.process_element((key, Do::Count), at)?;
    }
    h.process_idle()?;
    let of_a: Vec<_> = taken(&log).into_iter().filter(|l| l.starts_with('a')).collect();
    assert_eq!(of_a, ["a begins", "a has read", "a ends"].repeat(3));
    let of_a: Vec<_> = h.take_output().into_iter().filter(|(k, _)| *k == "a").collect();
    assert_eq!(of_a, [("a", 1), ("a", 2), ("a", 3)]);
    Ok(())
}

#[test]
fn state_in_memory_is_not_waited_for() -> Result<()> {
    let (builder, log) = builder();
    let mut h = builder.open()?;
    h.process_element(("a", Do::Count), 1)?;
    assert_eq!(taken(&log), ["a begins", "a has read", "a ends"]);
    assert_eq!(h.take_output(), [("a", 1)]);
    assert_eq!(h.next_processing_timer()?, None);
    Ok(())
}

#[test]
fn a_full_batch_is_executed_at_once() -> Result<()> {
    let (builder, log) = gathering();
    let mut h = builder
        .option("execution.async-state.active-buffer-size", 3)
        .open()?;
    for key in ["a", "b"] {
        h.process_element((key, Do::Count), 0)?;
    }
    assert_eq!(taken(&log), ["a begins", "b begins"]);
    h.process_element(("c", Do::Count), 0)?;
    let log = taken(&log);
    for line in ["c begins", "a has read", "b has read", "c has read"] {
        assert!(log.iter().any(|l| l == line), "{log:?}");
    }
    Ok(())
}

#[test]
fn an_access_does_not_wait_longer_than_the_timeout_while_there_is_input() -> Result<()> {
    let (builder, _) = gathering();
    let mut h = builder.processing_time(5_000).open()?;
    h.process_element(("a", Do::Count), 0)?;
    assert_eq!(h.next_processing_timer()?, Some(6_000));
    h.set_processing_time(5_999)?;
    assert_eq!(h.take_output(), []);
    // The read first, then the write.
    h.set_processing_time(6_000)?;
    assert_eq!(h.next_processing_timer()?, Some(7_000));
    h.set_processing_time(7_000)?;
    assert_eq!(h.take_output(), [("a", 1)]);
    assert_eq!(h.next_processing_timer()?, None);
    Ok(())
}

/// Goal: no more than the limit are in flight, those that wait for their key included. Method: what begins and what ends is
/// counted after each record.
#[test]
fn no_more_records_are_in_flight_than_the_limit_allows() -> Result<()> {
    for limit in 1..5_usize {
        let (builder, log) = gathering();
        let mut h = builder
            .option("execution.async-state.total-buffer-size", limit)
            .open()?;
        let (mut taken_in, mut ended) = (0, 0);
        for round in 0..6 {
            for key in ["a", "a", "b", "c", "d"] {
                h.process_element((key, Do::Count), round)?;
                taken_in += 1;
                ended += taken(&log).iter().filter(|l| l.ends_with("ends")).count();
                assert!(taken_in - ended <= limit, "limit {limit}: {taken_in} {ended}");
                // It is used, too: what has room waits.
                assert!(taken_in - ended > 0);
            }
        }
        h.process_idle()?;
        assert_eq!(h.take_output().len(), taken_in);
    }
    Ok(())
}

#[test]
fn what_a_record_did_not_await_is_done_before_the_next_record_of_its_key() -> Result<()> {
    let (builder, _) = gathering();
    let mut h = builder.open()?;
    h.process_element(("a", Do::Count), 0)?;
    h.process_element(("a", Do::WriteUnawaited(40)), 0)?;
    h.process_element(("a", Do::Count), 0)?;
    h.process_idle()?;
    assert_eq!(h.take_output(), [("a", 1), ("a", 41)]);
    Ok(())
}
