//! The valve against Flink's cases and against a model that keeps no phases.

use super::*;
use crate::element::WatermarkStatus::{Active, Idle};
use millpond_api::Watermark;
use proptest::prelude::*;

fn out(status: Option<crate::element::WatermarkStatus>, watermark: Option<i64>) -> ValveOutput {
    ValveOutput {
        status,
        watermark: watermark.map(Watermark::new),
    }
}

#[test]
fn the_smallest_watermark_of_active_channels_counts_and_never_falls() {
    let mut valve = StatusWatermarkValve::new(2);
    assert_eq!(valve.input_watermark(0, Watermark::new(10)), out(None, None));
    assert_eq!(valve.input_watermark(1, Watermark::new(5)), out(None, Some(5)));
    assert_eq!(valve.input_watermark(1, Watermark::new(4)), out(None, None));
    assert_eq!(valve.input_status(1, Idle), out(None, Some(10)));
    assert_eq!(valve.input_watermark(0, Watermark::new(11)), out(None, Some(11)));
}

/// A channel that comes back behind the others doesn't hold them back until it has caught up.
#[test]
fn a_channel_that_comes_back_counts_once_it_has_caught_up() {
    let mut valve = StatusWatermarkValve::new(2);
    valve.input_status(1, Idle);
    assert_eq!(valve.input_watermark(0, Watermark::new(10)), out(None, Some(10)));
    assert_eq!(valve.input_status(1, Active), out(None, None));
    assert_eq!(valve.input_watermark(1, Watermark::new(3)), out(None, None));
    assert_eq!(valve.input_watermark(0, Watermark::new(12)), out(None, Some(12)));
    assert_eq!(valve.input_watermark(1, Watermark::new(12)), out(None, None));
    assert_eq!(valve.input_watermark(0, Watermark::new(20)), out(None, None));
    assert_eq!(valve.input_watermark(1, Watermark::new(15)), out(None, Some(15)));
}

/// When all fall idle the largest watermark counts (Flink's `findAndOutputMaxWatermarkAcrossAllSubpartitions`).
#[test]
fn the_last_channel_to_fall_idle_lets_the_largest_watermark_through() {
    let mut valve = StatusWatermarkValve::new(2);
    valve.input_watermark(0, Watermark::new(10));
    assert_eq!(valve.input_watermark(1, Watermark::new(5)), out(None, Some(5)));
    assert_eq!(valve.input_status(0, Idle), out(None, None));
    assert_eq!(valve.input_status(1, Idle), out(Some(Idle), Some(10)));
    assert_eq!(valve.input_watermark(1, Watermark::new(50)), out(None, None));
    assert_eq!(valve.input_status(0, Active), out(Some(Active), None));
}

/// The difference from Flink's valve: the end of one channel doesn't end event time while an idle one may wake up.
#[test]
fn an_ended_channel_neither_holds_back_nor_pushes_on() {
    let mut valve = StatusWatermarkValve::new(3);
    for c in 0..3 {
        valve.input_watermark(c, Watermark::new(1));
    }
    valve.input_status(1, Idle);
    assert_eq!(valve.input_watermark(0, Watermark::MAX), out(None, None));
    assert_eq!(valve.input_watermark(2, Watermark::new(7)), out(None, Some(7)));
    assert_eq!(valve.end_channel(2), out(Some(Idle), None));
    assert_eq!(valve.end_channel(1), out(Some(Active), Some(i64::MAX)));
    assert_eq!(valve.end_channel(1), out(None, None));
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Watermark(i64),
    Idle,
    Active,
    End,
}

fn events() -> impl Strategy<Value = Vec<(usize, Event)>> {
    let event = prop_oneof![
        8 => (0..40i64).prop_map(Event::Watermark),
        2 => Just(Event::Idle),
        2 => Just(Event::Active),
        1 => Just(Event::End),
    ];
    proptest::collection::vec((0..4usize, event), 0..120)
}

/// One channel in the model.
#[derive(Clone, Copy)]
struct Model {
    watermark: i64,
    active: bool,
    ended: bool,
}

/// What the common watermark must be after an event, from the channels' own watermarks and the one before alone.
fn expected(channels: &[Model], before: i64, was_idle: bool) -> i64 {
    let open = || channels.iter().filter(|c| !c.ended);
    let active = || open().filter(|c| c.active);
    if open().next().is_none() {
        i64::MAX
    } else if active().next().is_some() {
        let aligned = active().map(|c| c.watermark).filter(|w| *w >= before).min();
        aligned.unwrap_or(before)
    } else if was_idle {
        before
    } else {
        open().map(|c| c.watermark).max().unwrap_or(before).max(before)
    }
}

proptest! {
    #[test]
    fn the_valve_agrees_with_a_model_without_phases(events in events()) {
        let mut valve = StatusWatermarkValve::new(4);
        let mut model = [Model { watermark: i64::MIN, active: true, ended: false }; 4];
        let (mut watermark, mut status) = (i64::MIN, Active);
        for (channel, event) in events {
            let slot = &mut model[channel];
            let output = match event {
                Event::Watermark(t) => {
                    if slot.active && !slot.ended {
                        slot.watermark = slot.watermark.max(t);
                    }
                    valve.input_watermark(channel, Watermark::new(t))
                }
                Event::Idle => {
                    slot.active = false;
                    valve.input_status(channel, Idle)
                }
                Event::Active => {
                    slot.active = true;
                    valve.input_status(channel, Active)
                }
                Event::End => {
                    slot.ended = true;
                    valve.end_channel(channel)
                }
            };
            let wanted = expected(&model, watermark, status == Idle);
            prop_assert_eq!(valve.watermark().timestamp, wanted);
            prop_assert_eq!(output.watermark.map(|w| w.timestamp), (wanted > watermark).then_some(wanted));
            let open = model.iter().filter(|c| !c.ended);
            let idle = open.clone().count() > 0 && open.clone().all(|c| !c.active);
            let wanted_status = if idle { Idle } else { Active };
            prop_assert_eq!(valve.status(), wanted_status);
            prop_assert_eq!(output.status, (wanted_status != status).then_some(wanted_status));
            (watermark, status) = (wanted, wanted_status);
        }
    }
}
