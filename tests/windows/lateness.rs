//! Elements that come after the watermark has passed their windows.

use crate::{keyed, late, records, seconds, sums};
use millpond_api::window::{SlidingEventTimeWindows, TumblingEventTimeWindows};

/// Goal: within the allowed lateness an element computes its window anew; at the cleanup time the window is gone, and what
/// comes then is late. Method: one window, elements at each side of each border.
#[test]
fn a_late_element_counts_until_the_allowed_lateness_is_over() {
    let windowed = keyed().window(TumblingEventTimeWindows::of(seconds(1)));
    let windowed = windowed
        .allowed_lateness(seconds(2))
        .side_output_late_data(&late());
    let mut h = sums(&windowed).side_output(&late()).open().unwrap();
    h.process_element((1, 1), 0).unwrap();
    h.process_watermark(999).unwrap();
    assert_eq!(records(&mut h), [((1, 1), Some(999))]);
    h.process_element((1, 2), 500).unwrap();
    assert_eq!(records(&mut h), [((1, 3), Some(999))], "it fires at once");
    h.process_watermark(2998).unwrap();
    h.process_element((1, 4), 999).unwrap();
    assert_eq!(records(&mut h), [((1, 7), Some(999))]);
    assert_eq!(h.take_side_output(&late()), []);
    h.process_watermark(2999).unwrap();
    h.process_element((1, 8), 999).unwrap();
    h.process_element((2, 16), 0).unwrap();
    assert_eq!(records(&mut h), []);
    assert_eq!(h.take_side_output(&late()), [(1, 8), (2, 16)]);
    assert_eq!(h.counters(), [("numLateRecordsDropped".to_string(), 0)]);
    assert_eq!(h.records_in_and_out(), (5, 5));
}

/// Goal: without a side output late elements are dropped and counted. Method: the same, without.
#[test]
fn late_elements_that_nobody_wants_are_counted() {
    let mut h = sums(&keyed().window(TumblingEventTimeWindows::of(seconds(1))))
        .open()
        .unwrap();
    h.process_watermark(999).unwrap();
    h.process_element((1, 1), 999).unwrap();
    h.process_element((1, 2), 1000).unwrap();
    assert_eq!(h.counters(), [("numLateRecordsDropped".to_string(), 1)]);
    h.process_watermark(1999).unwrap();
    assert_eq!(h.take_output(), [(1, 2)]);
}

/// Goal: an element that is late for some of its windows counts in the others and is not called late; one that is late for
/// all goes to the side output once. Method: windows of 3 s every second.
#[test]
fn an_element_of_many_windows_is_late_when_all_are_over_and_then_once() {
    let windowed = keyed().window(SlidingEventTimeWindows::of(seconds(3), seconds(1)));
    let windowed = windowed.side_output_late_data(&late());
    let mut h = sums(&windowed).side_output(&late()).open().unwrap();
    h.process_watermark(3500).unwrap();
    h.process_element((1, 1), 2000).unwrap();
    h.process_element((1, 2), 500).unwrap();
    assert_eq!(h.take_side_output(&late()), [(1, 2)]);
    h.process_watermark(i64::MAX).unwrap();
    assert_eq!(records(&mut h), [((1, 1), Some(3999)), ((1, 1), Some(4999))]);
}
