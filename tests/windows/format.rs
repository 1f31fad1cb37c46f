//! What a window operator's savepoint calls its states: what Flink looks for when it restores an open window.

use crate::{keyed, seconds, sums};
use millpond_api::window::{CountTrigger, EventTimeSessionWindows};
use millpond_state::handle::StreamStateHandle;

/// Goal: states and timers carry Flink's names, and windows Flink's serializer. Method: look for the names in the bytes of a
/// session's savepoint, under a trigger with state.
#[test]
fn states_timers_and_windows_have_flinks_names() {
    let windowed = keyed().window(EventTimeSessionWindows::with_gap(seconds(1)));
    let mut h = sums(&windowed.trigger(CountTrigger::of(5))).open().unwrap();
    h.process_element((1, 1), 258).unwrap();
    let savepoint = h.savepoint(1).unwrap();
    let streams: Vec<&StreamStateHandle> = savepoint.streams().collect();
    let [StreamStateHandle::ByteStream(stream)] = streams[..] else {
        panic!("one stream of bytes: {streams:?}");
    };
    let has = |wanted: &[u8]| stream.data.windows(wanted.len()).any(|bytes| bytes == wanted);
    for name in [
        "window-contents",
        "merging-window-set",
        "count",
        "_timer_state/event_window-timers",
        "_timer_state/processing_window-timers",
        "org.apache.flink.streaming.api.windowing.windows.TimeWindow$Serializer$TimeWindowSerializerSnapshot",
    ] {
        assert!(has(name.as_bytes()), "{name}");
    }
    // The window from 258 to 1258, as `TimeWindow.Serializer` writes it.
    assert!(has(&[0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 4, 234]));
}
