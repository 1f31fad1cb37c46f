//! The window operator: opens its states, assigns windows to elements, fires timers. What an element or a timer does to its windows is in
//! [`super::call`].

use super::super::keyed::KeyedCore;
use super::super::user_code::{not_initialized, user_error};
use super::call::Call;
use super::contents::WindowContents;
use super::merging::{self, MergingSetState};
use super::timers::WINDOW_TIMERS;
use crate::graph::node::KeySelector;
use crate::operator::{ChainOutput, ChainedOperator, OneInputOperator, OperatorContext, SnapshotFuture};
use crate::task::Firing;
use millpond_api::function::{Counter, TimeDomain};
use millpond_api::window::{Trigger, WindowAssigner, WindowAssignerContext, WindowScope, WindowStateStore};
use millpond_api::{Data, OutputTag, SideOutputs, Watermark};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::Result;
use millpond_state::query::{QueryAnswer, QueryKey};
use millpond_state::timer::Timer;
use millpond_types::StateKey;
use std::rc::Rc;

/// The name of the counter, as in Flink.
const LATE_ELEMENTS_DROPPED: &str = "numLateRecordsDropped";

/// How a stream is windowed.
pub(crate) struct WindowSpec<T, A, Tr> {
    pub(crate) assigner: A,
    pub(crate) trigger: Tr,
    /// How long a window stays after its end in event time, in milliseconds.
    pub(crate) allowed_lateness_ms: i64,
    /// Where elements go that came too late; `None`: they are counted and dropped.
    pub(crate) late_data: Option<OutputTag<T>>,
}

impl<T, A: Clone, Tr: Clone> Clone for WindowSpec<T, A, Tr> {
    fn clone(&self) -> Self {
        WindowSpec {
            assigner: self.assigner.clone(),
            trigger: self.trigger.clone(),
            allowed_lateness_ms: self.allowed_lateness_ms,
            late_data: self.late_data.clone(),
        }
    }
}

/// Runs a windowed stream.
pub(crate) struct WindowOperator<K, T, A, Tr, C>
where
    A: WindowAssigner<T>,
    Tr: Trigger<T, A::Window>,
{
    spec: WindowSpec<T, A, Tr>,
    contents: C,
    selector: KeySelector<T, K>,
    side_outputs: SideOutputs,
    opened: Option<Opened<K, A::Window, Tr::State>>,
    /// The windows of the element at hand; kept for its memory.
    windows: Vec<A::Window>,
}

/// What the operator has once it is initialized.
pub(super) struct Opened<K, W, S> {
    pub(super) core: KeyedCore<K, W>,
    pub(super) states: States<W, S>,
    late_dropped: Counter,
}

/// The states beside the contents.
pub(super) struct States<W, S> {
    pub(super) trigger: S,
    /// What the trigger opened.
    pub(super) trigger_scope: WindowScope<W>,
    /// What the function opened for each window.
    pub(super) function_scope: WindowScope<W>,
    /// Where windows merge: the sets of windows.
    pub(super) merging: Option<MergingSetState<W>>,
}

impl<K, T, A, Tr, C> WindowOperator<K, T, A, Tr, C>
where
    K: StateKey,
    T: Data,
    A: WindowAssigner<T>,
    Tr: Trigger<T, A::Window>,
    C: WindowContents<K, T, A::Window>,
{
    pub(crate) fn new(spec: WindowSpec<T, A, Tr>, contents: C, selector: KeySelector<T, K>) -> Self {
        WindowOperator {
            spec,
            contents,
            selector,
            side_outputs: SideOutputs::default(),
            opened: None,
            windows: Vec::new(),
        }
    }

    fn open(&mut self, ctx: &OperatorContext) -> Result<Opened<K, A::Window, Tr::State>> {
        let (contents, spec) = (&mut self.contents, &self.spec);
        let merging = spec.assigner.is_merging();
        let mut states = None;
        let side_outputs = self.side_outputs.clone();
        let core = KeyedCore::open_with_timers(ctx, side_outputs, WINDOW_TIMERS, |runtime| {
            let mut function_scope = WindowScope::default();
            contents.open(runtime, &mut function_scope, merging)?;
            let backend = runtime.keyed_backend()?;
            let sets = merging.then(|| merging::open_state(backend)).transpose()?;
            let mut trigger_scope = WindowScope::default();
            let mut store = WindowStateStore::new(backend, &mut trigger_scope);
            states = Some(States {
                trigger: spec.trigger.open(&mut store)?,
                trigger_scope,
                function_scope,
                merging: sets,
            });
            Ok(())
        })?;
        Ok(Opened {
            core,
            states: states.ok_or_else(not_initialized)?,
            late_dropped: ctx.metrics.user.counter(LATE_ELEMENTS_DROPPED),
        })
    }

    fn fire_timers(
        &mut self,
        domain: TimeDomain,
        time: i64,
        firing: Firing<'_>,
        out: &mut dyn ChainOutput<C::Out>,
    ) -> Result<bool> {
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        for fired in 0.. {
            if firing.ends_after(fired) {
                return Ok(false);
            }
            let due = match domain {
                TimeDomain::EventTime => opened.core.timers.poll_event_timer(time)?,
                TimeDomain::ProcessingTime => opened.core.timers.poll_processing_timer(time)?,
            };
            let Some(Timer {
                timestamp,
                key,
                namespace: window,
                ..
            }) = due
            else {
                break;
            };
            let keys = Rc::clone(&opened.core.keys);
            keys.set_current_key(key)?;
            Call::new(&self.spec, &mut self.contents, opened, &keys, out)
                .on_timer(domain, timestamp, window)?;
        }
        Ok(true)
    }
}

impl<K, T, A, Tr, C> ChainedOperator for WindowOperator<K, T, A, Tr, C>
where
    K: StateKey,
    T: Data,
    A: WindowAssigner<T>,
    Tr: Trigger<T, A::Window>,
    C: WindowContents<K, T, A::Window>,
{
    type Out = C::Out;

    fn set_side_outputs(&mut self, side_outputs: SideOutputs) {
        self.side_outputs = side_outputs;
    }
    fn initialize(&mut self, ctx: OperatorContext, _out: &mut dyn ChainOutput<C::Out>) -> Result<()> {
        self.opened = Some(self.open(&ctx)?);
        Ok(())
    }
    fn process_watermark(&mut self, watermark: Watermark, out: &mut dyn ChainOutput<C::Out>) -> Result<()> {
        self.fire_event_timers(watermark, Firing::Whole, out)?;
        out.emit_watermark(watermark)
    }
    fn has_interruptible_timers(&self) -> bool {
        true
    }
    fn fire_event_timers(
        &mut self,
        watermark: Watermark,
        firing: Firing<'_>,
        out: &mut dyn ChainOutput<C::Out>,
    ) -> Result<bool> {
        self.fire_timers(TimeDomain::EventTime, watermark.timestamp, firing, out)
    }
    fn snapshot_state(&mut self, barrier: &CheckpointBarrier) -> Result<Option<SnapshotFuture>> {
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        opened.core.snapshot(barrier, |_| Ok(())).map(Some)
    }
    fn query_state(&mut self, state: &str, key: &QueryKey) -> Result<QueryAnswer> {
        let opened = self.opened.as_ref().ok_or_else(not_initialized)?;
        opened.core.query(state, key)
    }
    fn notify_checkpoint_complete(&mut self, checkpoint_id: u64) -> Result<()> {
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        let contents = &mut self.contents;
        opened
            .core
            .notify_checkpoint_complete(checkpoint_id, |id| contents.notify_checkpoint_complete(id))
    }
    fn notify_checkpoint_aborted(&mut self, checkpoint_id: u64) -> Result<()> {
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        let contents = &mut self.contents;
        opened
            .core
            .notify_checkpoint_aborted(checkpoint_id, |id| contents.notify_checkpoint_aborted(id))
    }
    fn next_processing_timer(&self) -> Option<i64> {
        self.opened.as_ref()?.core.next_processing_timer()
    }
    fn advance_processing_time(&mut self, now_ms: i64, out: &mut dyn ChainOutput<C::Out>) -> Result<()> {
        self.fire_timers(TimeDomain::ProcessingTime, now_ms, Firing::Whole, out)
            .map(drop)
    }
    fn close(&mut self) -> Result<()> {
        self.contents.close()
    }
}

impl<K, T, A, Tr, C> OneInputOperator for WindowOperator<K, T, A, Tr, C>
where
    K: StateKey,
    T: Data,
    A: WindowAssigner<T>,
    Tr: Trigger<T, A::Window>,
    C: WindowContents<K, T, A::Window>,
{
    type In = T;

    fn process_element(&mut self, value: T, timestamp: i64, out: &mut dyn ChainOutput<C::Out>) -> Result<()> {
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        opened.core.meter.took_one();
        let keys = Rc::clone(&opened.core.keys);
        keys.set_current_key((self.selector)(&value))?;
        self.windows.clear();
        let ctx = WindowAssignerContext::new(&*opened.core.clock);
        self.spec
            .assigner
            .assign_windows(&value, timestamp, &ctx, &mut self.windows)
            .map_err(|e| user_error(&opened.core.name, e))?;
        let skipped = Call::new(&self.spec, &mut self.contents, opened, &keys, out).on_element(
            value,
            timestamp,
            &self.windows,
        )?;
        let core = &mut opened.core;
        let is_late = self.spec.assigner.is_event_time()
            && timestamp.saturating_add(self.spec.allowed_lateness_ms) <= core.timers.current_watermark();
        match (skipped, &self.spec.late_data) {
            (Some(value), Some(tag)) if is_late => {
                core.side_outputs.emit(tag, value, timestamp);
                core.meter.emitted(core.side_outputs.finish()?);
            }
            (Some(_), None) if is_late => opened.late_dropped.inc(),
            _ => {}
        }
        Ok(())
    }
}
