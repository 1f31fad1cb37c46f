//! Runs an [`AsyncKeyedProcessFunction`]. Flink's `AsyncKeyedProcessOperator`.

use super::super::keyed::KeyedCore;
use super::super::user_code::{not_initialized, user_error};
use super::controller::{AsyncExecutionController, AsyncLimits, RecordFuture, RecordHost};
use crate::element::WatermarkStatus;
use crate::graph::node::KeySelector;
use crate::operator::{ChainOutput, ChainedOperator, OneInputOperator, OperatorContext, SnapshotFuture};
use millpond_api::function::{
    AsyncCollector, AsyncContextParts, AsyncEffects, AsyncKeyedContext, AsyncKeyedProcessFunction,
    AsyncOnTimerContext, TimeDomain, TimerRequest,
};
use millpond_api::{NO_TIMESTAMP, SideOutputs, Watermark};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::config::options;
use millpond_core::{Error, Result};
use millpond_state::async_state::{Gather, StateRequestBuffer};
use millpond_state::query::{QueryAnswer, QueryKey};
use millpond_types::VoidNamespace;
use std::rc::Rc;
use std::sync::Arc;

/// Runs an asynchronous function over a keyed stream.
///
/// Watermarks, their statuses, barriers and the end of input pass only when nothing is in flight (Flink's
/// `EpochManager`, in its mode `SERIAL_BETWEEN_EPOCH`).
pub(crate) struct AsyncKeyedProcessOperator<F: AsyncKeyedProcessFunction, S = Selector<F>> {
    /// Shared with the futures in flight.
    function: Rc<F>,
    /// Finds the keys of elements.
    pub(super) selector: S,
    side_outputs: SideOutputs,
    opened: Option<Opened<F>>,
}

/// The keys of a single stream.
type Selector<F> = KeySelector<<F as AsyncKeyedProcessFunction>::In, <F as AsyncKeyedProcessFunction>::Key>;

struct Opened<F: AsyncKeyedProcessFunction> {
    controller: AsyncExecutionController<F::Key, Input<F::In>>,
    core: KeyedCore<F::Key>,
    effects: Rc<AsyncEffects<F::Out>>,
    parts: Rc<AsyncContextParts>,
    /// The longest that an access waits for a batch to fill, in milliseconds; 0: for ever, that is until there is no input.
    buffer_timeout_ms: i64,
    /// When the oldest access has waited so long, if one waits.
    deadline_ms: Option<i64>,
}

/// A record or timer that was not begun.
enum Input<T> {
    Element { value: T, timestamp: i64 },
    Timer { domain: TimeDomain, timestamp: i64 },
}

impl<F: AsyncKeyedProcessFunction> AsyncKeyedProcessOperator<F> {
    pub(crate) fn new(function: F, selector: Selector<F>) -> Self {
        Self::with_selector(function, selector)
    }
}

impl<F: AsyncKeyedProcessFunction, S> AsyncKeyedProcessOperator<F, S> {
    pub(super) fn with_selector(function: F, selector: S) -> Self {
        AsyncKeyedProcessOperator {
            function: Rc::new(function),
            selector,
            side_outputs: SideOutputs::default(),
            opened: None,
        }
    }

    fn open(&mut self, ctx: &OperatorContext) -> Result<Opened<F>> {
        let gather = if ctx.config.get(&options::ASYNC_STATE_GATHER_ALL)? == Some(true) {
            Gather::All
        } else {
            Gather::Far
        };
        let requests = StateRequestBuffer::new(gather);
        let function = Rc::get_mut(&mut self.function).ok_or_else(still_shared)?;
        let core = KeyedCore::open(ctx, &self.side_outputs, |runtime| {
            function.open(&mut runtime.reborrow().with_async_state(&requests))
        })?;
        let number = |n: Option<u32>| n.map_or(usize::MAX, |n| n as usize);
        let limits = AsyncLimits {
            in_flight: number(ctx.config.get(&options::ASYNC_STATE_TOTAL_BUFFER_SIZE)?),
            batch: number(ctx.config.get(&options::ASYNC_STATE_ACTIVE_BUFFER_SIZE)?),
        };
        let effects = Rc::<AsyncEffects<F::Out>>::default();
        Ok(Opened {
            controller: AsyncExecutionController::new(requests, limits),
            parts: AsyncContextParts::new(&effects, Arc::clone(&ctx.clock), self.side_outputs.clone()),
            core,
            effects,
            buffer_timeout_ms: ctx
                .config
                .get(&options::ASYNC_STATE_ACTIVE_BUFFER_TIMEOUT)?
                .map_or(0, i64::from),
            deadline_ms: None,
        })
    }

    /// Lets `call` run records, emitting to `out`.
    fn running<R>(
        &mut self,
        out: &mut dyn ChainOutput<F::Out>,
        call: impl FnOnce(&mut AsyncExecutionController<F::Key, Input<F::In>>, &mut Running<'_, F>) -> Result<R>,
    ) -> Result<R> {
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        let mut running = Running {
            function: &self.function,
            core: &mut opened.core,
            effects: &opened.effects,
            parts: &opened.parts,
            out,
        };
        let result = call(&mut opened.controller, &mut running)?;
        if !opened.controller.can_advance() {
            opened.deadline_ms = None;
        } else if opened.deadline_ms.is_none() && opened.buffer_timeout_ms > 0 {
            opened.deadline_ms = Some(opened.core.clock.now_ms() + opened.buffer_timeout_ms);
        }
        Ok(result)
    }

    /// Takes an element of `key`.
    pub(super) fn submit(
        &mut self,
        key: F::Key,
        value: F::In,
        timestamp: i64,
        out: &mut dyn ChainOutput<F::Out>,
    ) -> Result<()> {
        self.running(out, |controller, running| {
            running.core.meter.took_one();
            controller.submit(running, key, Input::Element { value, timestamp })
        })
    }

    fn drain(&mut self, out: &mut dyn ChainOutput<F::Out>) -> Result<()> {
        self.running(out, |controller, running| controller.drain(running, 0))
    }

    /// Fires what is due in `domain` at `time`. A timer waits for the records of its key before it is taken: they may register an
    /// earlier one, or delete it.
    fn fire(&mut self, domain: TimeDomain, time: i64, out: &mut dyn ChainOutput<F::Out>) -> Result<()> {
        self.running(out, |controller, running| {
            loop {
                let timers = &mut running.core.timers;
                let due = match domain {
                    TimeDomain::EventTime => timers.poll_event_timer(time)?,
                    TimeDomain::ProcessingTime => timers.poll_processing_timer(time)?,
                };
                let Some(timer) = due else {
                    // Those in flight may register timers that are due already.
                    if controller.in_flight() == 0 {
                        return Ok(());
                    }
                    controller.drain(running, 0)?;
                    continue;
                };
                if controller.is_occupied(&timer.key) {
                    let request = TimerRequest {
                        domain,
                        timestamp: timer.timestamp,
                        register: true,
                    };
                    running.request_timer(&timer.key, request)?;
                    controller.drain(running, 0)?;
                    continue;
                }
                let input = Input::Timer {
                    domain,
                    timestamp: timer.timestamp,
                };
                controller.submit(running, timer.key, input)?;
            }
        })
    }
}

impl<F: AsyncKeyedProcessFunction, S: 'static> ChainedOperator for AsyncKeyedProcessOperator<F, S> {
    type Out = F::Out;

    fn set_side_outputs(&mut self, side_outputs: SideOutputs) {
        self.side_outputs = side_outputs;
    }
    fn initialize(&mut self, ctx: OperatorContext, _out: &mut dyn ChainOutput<F::Out>) -> Result<()> {
        self.opened = Some(self.open(&ctx)?);
        Ok(())
    }
    fn process_watermark(&mut self, watermark: Watermark, out: &mut dyn ChainOutput<F::Out>) -> Result<()> {
        // The records before it are processed under the watermark before it.
        self.drain(out)?;
        self.fire(TimeDomain::EventTime, watermark.timestamp, out)?;
        out.emit_watermark(watermark)
    }
    fn process_watermark_status(
        &mut self,
        status: WatermarkStatus,
        out: &mut dyn ChainOutput<F::Out>,
    ) -> Result<()> {
        self.drain(out)?;
        out.emit_watermark_status(status)
    }
    fn prepare_snapshot_pre_barrier(&mut self, out: &mut dyn ChainOutput<F::Out>) -> Result<()> {
        self.drain(out)
    }
    fn snapshot_state(&mut self, barrier: &CheckpointBarrier) -> Result<Option<SnapshotFuture>> {
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        if opened.controller.in_flight() > 0 {
            return Err(Error::illegal_state(
                "snapshot state",
                "records are in flight after they were drained for the barrier",
            )
            .with("operator", &opened.core.name));
        }
        let function = &self.function;
        let snapshot = opened.core.snapshot(barrier, |ctx| function.snapshot_state(ctx));
        snapshot.map(Some)
    }
    fn on_idle(&mut self, out: &mut dyn ChainOutput<F::Out>) -> Result<bool> {
        self.running(out, |controller, running| controller.advance(running))
    }
    fn query_state(&mut self, state: &str, key: &QueryKey) -> Result<QueryAnswer> {
        let opened = self.opened.as_ref().ok_or_else(not_initialized)?;
        opened.core.query(state, key)
    }
    fn notify_checkpoint_complete(&mut self, checkpoint_id: u64) -> Result<()> {
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        let function = &self.function;
        opened
            .core
            .notify_checkpoint_complete(checkpoint_id, |id| function.notify_checkpoint_complete(id))
    }
    fn notify_checkpoint_aborted(&mut self, checkpoint_id: u64) -> Result<()> {
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        let function = &self.function;
        opened
            .core
            .notify_checkpoint_aborted(checkpoint_id, |id| function.notify_checkpoint_aborted(id))
    }
    fn end_input(&mut self, out: &mut dyn ChainOutput<F::Out>) -> Result<()> {
        self.drain(out)
    }
    fn next_processing_timer(&self) -> Option<i64> {
        let opened = self.opened.as_ref()?;
        let timer = opened.core.next_processing_timer();
        timer.into_iter().chain(opened.deadline_ms).min()
    }
    fn advance_processing_time(&mut self, now_ms: i64, out: &mut dyn ChainOutput<F::Out>) -> Result<()> {
        let due = |at: Option<i64>| at.is_some_and(|at| at <= now_ms);
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        if due(opened.deadline_ms) {
            opened.deadline_ms = None;
            self.running(out, |controller, running| controller.advance(running))?;
        }
        if self
            .opened
            .as_ref()
            .is_some_and(|opened| due(opened.core.next_processing_timer()))
        {
            self.fire(TimeDomain::ProcessingTime, now_ms, out)?;
        }
        Ok(())
    }
    fn close(&mut self) -> Result<()> {
        if let Some(opened) = &mut self.opened {
            opened.controller.abandon();
        }
        Rc::get_mut(&mut self.function).ok_or_else(still_shared)?.close()
    }
}

impl<F: AsyncKeyedProcessFunction> OneInputOperator for AsyncKeyedProcessOperator<F> {
    type In = F::In;

    fn process_element(
        &mut self,
        value: F::In,
        timestamp: i64,
        out: &mut dyn ChainOutput<F::Out>,
    ) -> Result<()> {
        let key = (self.selector)(&value);
        self.submit(key, value, timestamp, out)
    }
}

/// What records run with, for the time of one call of the operator.
struct Running<'a, F: AsyncKeyedProcessFunction> {
    function: &'a Rc<F>,
    core: &'a mut KeyedCore<F::Key>,
    effects: &'a Rc<AsyncEffects<F::Out>>,
    parts: &'a Rc<AsyncContextParts>,
    out: &'a mut dyn ChainOutput<F::Out>,
}

impl<F: AsyncKeyedProcessFunction> Running<'_, F> {
    fn request_timer(&mut self, key: &F::Key, request: TimerRequest) -> Result<()> {
        let timers = &mut self.core.timers;
        let at = request.timestamp;
        match (request.domain, request.register) {
            (TimeDomain::EventTime, true) => timers.register_event_time_timer(key, &VoidNamespace, at),
            (TimeDomain::EventTime, false) => timers.delete_event_time_timer(key, &VoidNamespace, at),
            (TimeDomain::ProcessingTime, true) => {
                timers.register_processing_time_timer(key, &VoidNamespace, at)
            }
            (TimeDomain::ProcessingTime, false) => {
                timers.delete_processing_time_timer(key, &VoidNamespace, at)
            }
        }
        .map(drop)
    }
}

impl<F: AsyncKeyedProcessFunction> RecordHost<F::Key, Input<F::In>> for Running<'_, F> {
    fn start(&mut self, key: &F::Key, input: Input<F::In>) -> RecordFuture {
        let function = Rc::clone(self.function);
        let (parts, effects) = (Rc::clone(self.parts), Rc::clone(self.effects));
        let (key, watermark) = (key.clone(), self.core.timers.current_watermark());
        match input {
            Input::Element { value, timestamp } => {
                let ctx = AsyncKeyedContext::new(key, timestamp, watermark, parts);
                let out = AsyncCollector::new(effects, timestamp);
                Box::pin(async move { function.process_element(value, &ctx, &out).await })
            }
            Input::Timer { domain, timestamp } => {
                let ctx = AsyncKeyedContext::new(key, timestamp, watermark, parts);
                let ctx = AsyncOnTimerContext::new(ctx, domain);
                // What a processing-time timer causes has no event time. Flink erases the timestamp there too.
                let stamp = match domain {
                    TimeDomain::EventTime => timestamp,
                    TimeDomain::ProcessingTime => NO_TIMESTAMP,
                };
                let out = AsyncCollector::new(effects, stamp);
                Box::pin(async move { function.on_timer(timestamp, &ctx, &out).await })
            }
        }
    }

    fn enter_key(&mut self, key: &F::Key) -> Result<()> {
        self.core.keys.set_current_key(key.clone())
    }

    fn polled(&mut self, key: &F::Key, outcome: Option<Result<()>>) -> Result<()> {
        for request in self.effects.take_timers() {
            self.request_timer(key, request)?;
        }
        for (value, timestamp) in self.effects.take_results() {
            self.core.meter.emitted(1);
            self.out.collect(value, timestamp)?;
        }
        let to_sides = self.core.side_outputs.finish()?;
        if to_sides > 0 {
            self.core.meter.emitted(to_sides);
        }
        match outcome {
            Some(Err(e)) => Err(user_error(&self.core.name, e)),
            Some(Ok(())) | None => Ok(()),
        }
    }
}

#[cold]
fn still_shared() -> Error {
    Error::illegal_state("process asynchronously", "the function is in use")
}
