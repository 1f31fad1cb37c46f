//! Every kind of function hears how checkpoints end. Method: one type that implements all kinds and notes what it is told.

use super::super::*;
use crate::datastream::StreamExecutionEnvironment;
use millpond_api::function::*;
use millpond_api::window::{
    ProcessWindowContext, ProcessWindowFunction, TimeWindow, TumblingEventTimeWindows,
};
use millpond_api::{Collector, WatermarkStrategy};
use millpond_connectors::CollectionSource;
use millpond_core::{CheckpointId, Configuration, Error, ErrorKind, Result};
use std::cell::RefCell;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Notice {
    Complete(CheckpointId),
    Aborted(CheckpointId),
}

thread_local! {
    static HEARD: RefCell<Vec<Notice>> = const { RefCell::new(Vec::new()) };
}

/// A checkpoint whose notices it fails at.
const UNHEARD_OF: CheckpointId = 13;

fn hear(notice: Notice) -> Result<()> {
    if let Notice::Complete(UNHEARD_OF) | Notice::Aborted(UNHEARD_OF) = notice {
        return Err(Error::user("unheard of"));
    }
    HEARD.with_borrow_mut(|heard| heard.push(notice));
    Ok(())
}

macro_rules! listens {
    ($($receiver:tt)+) => {
        fn notify_checkpoint_complete($($receiver)+, checkpoint_id: CheckpointId) -> Result<()> {
            hear(Notice::Complete(checkpoint_id))
        }
        fn notify_checkpoint_aborted($($receiver)+, checkpoint_id: CheckpointId) -> Result<()> {
            hear(Notice::Aborted(checkpoint_id))
        }
    };
}

struct Listener;

type Out<'a> = Collector<'a, i64>;

impl ProcessFunction for Listener {
    type In = i64;
    type Out = i64;
    fn process_element(&mut self, _: i64, _: &mut ProcessContext<'_>, _: &mut Out<'_>) -> Result<()> {
        Ok(())
    }
    listens!(&mut self);
}

impl CoProcessFunction for Listener {
    type In1 = i64;
    type In2 = i64;
    type Out = i64;
    fn process_element1(&mut self, _: i64, _: &mut ProcessContext<'_>, _: &mut Out<'_>) -> Result<()> {
        Ok(())
    }
    fn process_element2(&mut self, _: i64, _: &mut ProcessContext<'_>, _: &mut Out<'_>) -> Result<()> {
        Ok(())
    }
    listens!(&mut self);
}

impl KeyedProcessFunction for Listener {
    type Key = i64;
    type In = i64;
    type Out = i64;
    fn process_element(&mut self, _: i64, _: &mut KeyedContext<'_, i64>, _: &mut Out<'_>) -> Result<()> {
        Ok(())
    }
    listens!(&mut self);
}

impl KeyedCoProcessFunction for Listener {
    type Key = i64;
    type In1 = i64;
    type In2 = i64;
    type Out = i64;
    fn process_element1(&mut self, _: i64, _: &mut KeyedContext<'_, i64>, _: &mut Out<'_>) -> Result<()> {
        Ok(())
    }
    fn process_element2(&mut self, _: i64, _: &mut KeyedContext<'_, i64>, _: &mut Out<'_>) -> Result<()> {
        Ok(())
    }
    listens!(&mut self);
}

impl KeyedBroadcastProcessFunction for Listener {
    type Key = i64;
    type In = i64;
    type Broadcast = i64;
    type Out = i64;
    fn process_element(&mut self, _: i64, _: &mut ReadOnlyContext<'_, i64>, _: &mut Out<'_>) -> Result<()> {
        Ok(())
    }
    fn process_broadcast_element(
        &mut self,
        _: i64,
        _: &mut BroadcastContext<'_, i64>,
        _: &mut Out<'_>,
    ) -> Result<()> {
        Ok(())
    }
    listens!(&mut self);
}

impl AsyncKeyedProcessFunction for Listener {
    type Key = i64;
    type In = i64;
    type Out = i64;
    async fn process_element(
        &self,
        _: i64,
        _: &AsyncKeyedContext<i64>,
        _: &AsyncCollector<i64>,
    ) -> Result<()> {
        Ok(())
    }
    listens!(&self);
}

impl ProcessWindowFunction for Listener {
    type Key = i64;
    type In = i64;
    type Out = i64;
    type Window = TimeWindow;
    fn process(
        &mut self,
        _: &i64,
        _: &[i64],
        _: &mut ProcessWindowContext<'_, TimeWindow>,
        _: &mut Out<'_>,
    ) -> Result<()> {
        Ok(())
    }
    listens!(&mut self);
}

/// What is the same for harnesses of one and of two inputs.
fn notify<Out>(harness: &mut HarnessCore<Out>, notice: Notice) -> Result<()> {
    match notice {
        Notice::Complete(id) => harness.notify_checkpoint_complete(id),
        Notice::Aborted(id) => harness.notify_checkpoint_aborted(id),
    }
}

fn hears_everything<H: Harness<Out = i64>>(builder: &HarnessBuilder<H>) {
    let mut harness = builder.open().unwrap();
    let notices = [Notice::Complete(1), Notice::Aborted(2), Notice::Complete(3)];
    for notice in notices {
        notify(&mut *harness, notice).unwrap();
    }
    assert_eq!(HEARD.take(), notices);
    for notice in [Notice::Complete(UNHEARD_OF), Notice::Aborted(UNHEARD_OF)] {
        let error = notify(&mut *harness, notice).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UserFunction);
        assert_eq!(error.context("operator"), Some("tested"));
    }
}

/// Goal: each function hears each notice once and in order, and its failure carries the operator's name.
#[test]
fn every_kind_of_function_hears_how_checkpoints_end() {
    hears_everything(&for_process_function(|| Listener));
    hears_everything(&for_co_process_function(|| Listener));
    hears_everything(&for_keyed_process_function(|| Listener, |n| *n));
    hears_everything(&for_keyed_co_process_function(|| Listener, |n| *n, |n| *n));
    hears_everything(&for_keyed_broadcast_process_function(|| Listener, |n| *n));
    hears_everything(&for_async_keyed_process_function(|| Listener, |n| *n));
}

#[test]
fn window_functions_hear_how_checkpoints_end() {
    let env = StreamExecutionEnvironment::new(Configuration::new());
    let source = CollectionSource::from_elements([0i64]);
    let windowed = env
        .from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
        .key_by(|n| *n)
        .window(TumblingEventTimeWindows::of(Duration::from_secs(1)))
        .process(|| Listener);
    hears_everything(&for_operator::<i64, i64>(&windowed));
}
