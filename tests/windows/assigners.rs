//! Which windows an element is in, and when they are computed.

use crate::{keyed, records, seconds, sums};
use millpond_api::window::{
    GlobalWindows, SlidingEventTimeWindows, SlidingProcessingTimeWindows, TumblingEventTimeWindows,
    TumblingProcessingTimeWindows,
};
use millpond_core::ErrorKind;

/// Goal: a tumbling window takes what lies in it, whatever the order, is computed once when the watermark reaches its last
/// timestamp, and leaves nothing behind. Method: three windows of two keys, one watermark short of each end, one at it.
#[test]
fn a_tumbling_window_is_computed_when_the_watermark_reaches_its_last_timestamp() {
    let mut h = sums(&keyed().window(TumblingEventTimeWindows::of(seconds(1))))
        .open()
        .unwrap();
    for (event, timestamp) in [
        ((1, 1), 999),
        ((1, 2), 0),
        ((2, 4), 500),
        ((1, 8), 1000),
        ((1, 16), 1999),
        ((1, 32), -1),
    ] {
        h.process_element(event, timestamp).unwrap();
    }
    h.process_watermark(-1).unwrap();
    assert_eq!(records(&mut h), [((1, 32), Some(-1))]);
    h.process_watermark(998).unwrap();
    assert_eq!(records(&mut h), []);
    h.process_watermark(999).unwrap();
    let mut first = records(&mut h);
    first.sort_unstable();
    assert_eq!(first, [((1, 3), Some(999)), ((2, 4), Some(999))]);
    h.process_watermark(5000).unwrap();
    assert_eq!(records(&mut h), [((1, 24), Some(1999))]);
    h.end_input().unwrap();
    assert_eq!(records(&mut h), []);
    assert_eq!(h.records_in_and_out(), (6, 4));
}

/// Goal: an offset moves the windows' grid. Method: days in UTC+8.
#[test]
fn an_offset_moves_the_grid() {
    let (hour, day) = (3_600_000, 24 * 3_600_000);
    let days = TumblingEventTimeWindows::of(seconds(24 * 3600)).offset_ms(-8 * hour);
    let mut h = sums(&keyed().window(days)).open().unwrap();
    h.process_element((1, 1), 16 * hour - 1).unwrap();
    h.process_element((1, 2), 16 * hour).unwrap();
    h.process_watermark(i64::MAX).unwrap();
    let ends = [Some(16 * hour - 1), Some(16 * hour + day - 1)];
    assert_eq!(records(&mut h), [((1, 1), ends[0]), ((1, 2), ends[1])]);
}

/// Goal: an element is in every sliding window that covers it. Method: windows of 3 s every second, one element; windows with
/// gaps between them, elements in and out of one.
#[test]
fn a_sliding_window_begins_with_every_slide() {
    let sliding = SlidingEventTimeWindows::of(seconds(3), seconds(1));
    let mut h = sums(&keyed().window(sliding)).open().unwrap();
    h.process_element((1, 1), 1500).unwrap();
    h.process_element((1, 2), 2000).unwrap();
    h.process_watermark(i64::MAX).unwrap();
    let want = [((1, 1), 1999), ((1, 3), 2999), ((1, 3), 3999), ((1, 2), 4999)];
    assert_eq!(records(&mut h), want.map(|(sum, end)| (sum, Some(end))));

    let with_gaps = SlidingEventTimeWindows::of(seconds(1), seconds(5));
    let mut h = sums(&keyed().window(with_gaps)).open().unwrap();
    h.process_element((1, 1), 4999).unwrap();
    h.process_element((1, 2), 5000).unwrap();
    h.process_watermark(i64::MAX).unwrap();
    assert_eq!(records(&mut h), [((1, 2), Some(5999))]);
    assert_eq!(h.counters(), [("numLateRecordsDropped".to_string(), 0)]);
}

/// Goal: windows by the clock take elements by when they come, and need no timestamps. Method: drive the clock.
#[test]
fn processing_time_windows_go_by_the_clock() {
    let windowed = keyed().window(TumblingProcessingTimeWindows::of(seconds(1)).offset_ms(100));
    let mut h = sums(&windowed).processing_time(1000).open().unwrap();
    h.process_element_without_timestamp((1, 1)).unwrap();
    assert_eq!(h.next_processing_timer().unwrap(), Some(1099));
    h.set_processing_time(1099).unwrap();
    assert_eq!(records(&mut h), [((1, 1), Some(1099))]);
    assert_eq!(h.next_processing_timer().unwrap(), None, "nothing is left behind");
    h.set_processing_time(1100).unwrap();
    h.process_element_without_timestamp((1, 2)).unwrap();
    h.process_element((1, 4), 0).unwrap();
    h.set_processing_time(9999).unwrap();
    assert_eq!(records(&mut h), [((1, 6), Some(2099))]);

    let windowed = keyed().window(SlidingProcessingTimeWindows::of(seconds(2), seconds(1)));
    let mut h = sums(&windowed).processing_time(500).open().unwrap();
    h.process_element_without_timestamp((1, 1)).unwrap();
    h.set_processing_time(1500).unwrap();
    h.process_element_without_timestamp((1, 2)).unwrap();
    h.set_processing_time(9999).unwrap();
    let want = [((1, 1), Some(999)), ((1, 3), Some(1999)), ((1, 2), Some(2999))];
    assert_eq!(records(&mut h), want);
}

/// Goal: a global window is computed by its trigger alone. Method: none, and the one for the end of the input.
#[test]
fn a_global_window_is_computed_by_its_trigger_alone() {
    let mut h = sums(&keyed().window(GlobalWindows::create())).open().unwrap();
    h.process_element((1, 1), 0).unwrap();
    h.end_input().unwrap();
    assert_eq!(records(&mut h), []);

    let windowed = keyed().window(GlobalWindows::create_with_end_of_stream_trigger());
    let mut h = sums(&windowed).open().unwrap();
    h.process_element((1, 1), 0).unwrap();
    h.process_watermark(1 << 40).unwrap();
    h.process_element_without_timestamp((1, 2)).unwrap();
    assert_eq!(records(&mut h), []);
    h.end_input().unwrap();
    assert_eq!(records(&mut h), [((1, 3), Some(i64::MAX))]);
}

/// Goal: a count window is computed and forgotten with every so many elements of a key. Method: five elements in twos.
#[test]
fn a_count_window_takes_so_many_elements() {
    let mut h = sums(&keyed().count_window(2)).open().unwrap();
    for event in [(1, 1), (1, 2), (2, 100), (1, 4), (1, 8), (1, 16)] {
        h.process_element_without_timestamp(event).unwrap();
    }
    assert_eq!(h.take_output(), [(1, 3), (1, 12)]);
}

/// Goal: what can't be is refused, with a hint. Method: an element without a timestamp; assigners with values out of bounds.
#[test]
fn what_makes_no_sense_is_refused() {
    let mut h = sums(&keyed().window(TumblingEventTimeWindows::of(seconds(1))))
        .open()
        .unwrap();
    let error = h.process_element_without_timestamp((1, 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UserFunction);
    assert!(
        error.to_string().contains("tested"),
        "it names the operator: {error}"
    );

    let tumbling = |size, offset| {
        let stream = keyed().window(TumblingEventTimeWindows::of(seconds(size)).offset_ms(offset));
        let reduced = stream.reduce(|_, _| {});
        reduced.execution_environment().build_job_graph(None).map(drop)
    };
    tumbling(1, 999).unwrap();
    tumbling(1, -999).unwrap();
    for error in [tumbling(0, 0), tumbling(1, 1000), tumbling(1, i64::MIN)] {
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("TumblingEventTimeWindows"), "{error}");
    }
    let sliding = keyed().window(SlidingEventTimeWindows::of(seconds(1), seconds(0)));
    let error = sliding
        .reduce(|_, _| {})
        .execution_environment()
        .build_job_graph(None);
    assert_eq!(error.map(drop).unwrap_err().kind(), ErrorKind::Config);
}
