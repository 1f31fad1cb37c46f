//! What the window operator does with an element and with a timer.
//!
//! The order of things is Flink's: put the element into each of its windows, ask the trigger, compute and purge as it says,
//! and register the timer that ends the window's life (its last timestamp, plus the allowed lateness in event time).

use super::super::keyed::KeyedCore;
use super::super::user_code::{finish_call, not_initialized, user_error};
use super::contents::WindowContents;
use super::merging::{self, Merge, MergingSetState, MergingWindowSet};
use super::timers::{WINDOW_TIMERS, WindowTimers};
use crate::graph::node::KeySelector;
use crate::operator::{ChainOutput, OneInputOperator, OperatorContext, SnapshotFuture};
use millpond_api::function::{Counter, TimeDomain};
use millpond_api::window::{
    ProcessWindowContext, Trigger, TriggerContext, TriggerResult, Window, WindowAssigner,
    WindowAssignerContext, WindowScope, WindowStateStore,
};
use millpond_api::{Collector, Data, OutputTag, SideOutputs, Watermark};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::{Error, Result};
use millpond_state::keyed::KeyContext;
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
struct Opened<K, W, S> {
    core: KeyedCore<K, W>,
    states: States<W, S>,
    late_dropped: Counter,
}

/// The states beside the contents.
struct States<W, S> {
    trigger: S,
    /// What the trigger opened.
    trigger_scope: WindowScope<W>,
    /// What the function opened for each window.
    function_scope: WindowScope<W>,
    /// Where windows merge: the sets of windows.
    merging: Option<MergingSetState<W>>,
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
        out: &mut dyn ChainOutput<C::Out>,
    ) -> Result<()> {
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        loop {
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
                return Ok(());
            };
            let keys = Rc::clone(&opened.core.keys);
            keys.set_current_key(key)?;
            Call::new(&self.spec, &mut self.contents, opened, &keys, out)
                .on_timer(domain, timestamp, window)?;
        }
    }
}

/// One element or timer being processed: everything that is about its key.
struct Call<'a, K, T, A, Tr, C>
where
    A: WindowAssigner<T>,
    Tr: Trigger<T, A::Window>,
    C: WindowContents<K, T, A::Window>,
{
    spec: &'a WindowSpec<T, A, Tr>,
    contents: &'a mut C,
    core: &'a mut KeyedCore<K, A::Window>,
    states: &'a States<A::Window, Tr::State>,
    keys: &'a KeyContext<K>,
    out: &'a mut dyn ChainOutput<C::Out>,
}

impl<'a, K, T, A, Tr, C> Call<'a, K, T, A, Tr, C>
where
    K: StateKey,
    T: Data,
    A: WindowAssigner<T>,
    Tr: Trigger<T, A::Window>,
    C: WindowContents<K, T, A::Window>,
{
    fn new(
        spec: &'a WindowSpec<T, A, Tr>,
        contents: &'a mut C,
        opened: &'a mut Opened<K, A::Window, Tr::State>,
        keys: &'a KeyContext<K>,
        out: &'a mut dyn ChainOutput<C::Out>,
    ) -> Self {
        Call {
            spec,
            contents,
            core: &mut opened.core,
            states: &opened.states,
            keys,
            out,
        }
    }

    /// Puts an element into its windows. Gives it back when all of them are over already.
    fn on_element(&mut self, value: T, timestamp: i64, windows: &[A::Window]) -> Result<Option<T>> {
        match &self.states.merging {
            Some(sets) => self.on_element_merging(value, timestamp, windows, sets),
            None => self.on_element_plain(value, timestamp, windows),
        }
    }

    fn on_element_plain(&mut self, value: T, timestamp: i64, windows: &[A::Window]) -> Result<Option<T>> {
        // Each window gets a clone, the last one the element itself.
        let mut previous = None;
        for window in windows {
            if self.is_over(window) {
                continue;
            }
            if let Some(previous) = previous.replace(*window) {
                self.put(value.clone(), timestamp, previous, previous)?;
            }
        }
        let Some(last) = previous else {
            return Ok(Some(value));
        };
        self.put(value, timestamp, last, last)?;
        Ok(None)
    }

    fn on_element_merging(
        &mut self,
        value: T,
        timestamp: i64,
        windows: &[A::Window],
        sets: &MergingSetState<A::Window>,
    ) -> Result<Option<T>> {
        let mut set = MergingWindowSet::load(sets)?;
        let (mut value, mut skipped) = (Some(value), true);
        let mut rest = windows.iter();
        while let Some(window) = rest.next() {
            let (actual, merges) = set.add(*window, &self.spec.assigner);
            for merge in merges {
                self.merge(&merge)?;
            }
            if self.is_over(&actual) {
                set.retire(actual)?;
                continue;
            }
            skipped = false;
            let state_window = set.state_window(actual).ok_or_else(|| {
                Error::illegal_state(
                    "add to window",
                    "the window is not in the set of the key's windows",
                )
                .with("window", actual)
            })?;
            let for_window = if rest.len() == 0 {
                value.take()
            } else {
                value.clone()
            };
            if let Some(value) = for_window {
                self.put(value, timestamp, actual, state_window)?;
            }
        }
        set.persist()?;
        Ok(value.filter(|_| skipped))
    }

    /// Puts an element into a window whose contents are in the namespace `state_window`.
    fn put(&mut self, value: T, timestamp: i64, window: A::Window, state_window: A::Window) -> Result<()> {
        let spec = self.spec;
        let result = self.ask(window, &[], |ctx| {
            spec.trigger.on_element(&value, timestamp, &window, ctx)
        })?;
        self.contents.select(state_window)?;
        self.contents.add(value)?;
        self.act(result, window)?;
        self.register_cleanup_timer(window)
    }

    /// Computes and purges as the trigger said.
    fn act(&mut self, result: TriggerResult, window: A::Window) -> Result<()> {
        if result.is_fire() {
            self.emit(window)?;
        }
        if result.is_purge() {
            self.contents.clear()?;
        }
        Ok(())
    }

    /// Makes a merge in the states.
    fn merge(&mut self, merge: &Merge<A::Window>) -> Result<()> {
        self.check_merge(merge.result)?;
        let spec = self.spec;
        self.ask(merge.result, &merge.merged, |ctx| {
            spec.trigger.on_merge(&merge.result, ctx)
        })?;
        for window in &merge.merged {
            self.ask(*window, &[], |ctx| spec.trigger.clear(window, ctx))?;
            self.delete_cleanup_timer(*window)?;
        }
        self.contents
            .merge(&merge.state_window, &merge.merged_state_windows)
    }

    /// A merged window can't be over: none of its parts is.
    fn check_merge(&self, window: A::Window) -> Result<()> {
        let (over, now) = if self.spec.assigner.is_event_time() {
            (self.is_over(&window), self.core.timers.current_watermark())
        } else {
            let now = self.core.clock.now_ms();
            (window.max_timestamp() <= now, now)
        };
        if !over {
            return Ok(());
        }
        Err(Error::illegal_state(
            "merge windows",
            "windows were merged into one that is over already",
        )
        .with("window", window)
        .with("time", now))
    }

    fn on_timer(&mut self, domain: TimeDomain, time: i64, window: A::Window) -> Result<()> {
        let sets = self.states.merging.as_ref();
        let mut set = sets.map(MergingWindowSet::load).transpose()?;
        let state_window = match &set {
            // A timer that a trigger left behind for a window that has been merged away.
            Some(set) => match set.state_window(window) {
                Some(state_window) => state_window,
                None => return Ok(()),
            },
            None => window,
        };
        let spec = self.spec;
        let result = self.ask(window, &[], |ctx| match domain {
            TimeDomain::EventTime => spec.trigger.on_event_time(time, &window, ctx),
            TimeDomain::ProcessingTime => spec.trigger.on_processing_time(time, &window, ctx),
        })?;
        self.contents.select(state_window)?;
        self.act(result, window)?;
        let in_domain = spec.assigner.is_event_time() == (domain == TimeDomain::EventTime);
        if in_domain && time == self.cleanup_time(&window) {
            self.contents.clear()?;
            self.ask(window, &[], |ctx| spec.trigger.clear(&window, ctx))?;
            self.tell_window_over(window)?;
            if let Some(set) = &mut set {
                set.retire(window)?;
            }
        }
        set.as_mut().map_or(Ok(()), MergingWindowSet::persist)
    }

    /// Calls the trigger about `window`.
    fn ask<R>(
        &mut self,
        window: A::Window,
        merged: &[A::Window],
        call: impl FnOnce(&mut TriggerContext<'_, A::Window, Tr::State>) -> Result<R>,
    ) -> Result<R> {
        self.states.trigger_scope.enter(window)?;
        let key = self.keys.current_key()?;
        let mut timers = WindowTimers {
            service: &mut self.core.timers,
            key: &*key,
            window,
            clock: &*self.core.clock,
        };
        call(&mut TriggerContext::new(
            &mut timers,
            &self.states.trigger,
            merged,
        ))
    }

    /// Computes the window whose contents are selected.
    fn emit(&mut self, window: A::Window) -> Result<()> {
        self.states.function_scope.enter(window)?;
        let key = self.keys.current_key()?;
        let core = &mut *self.core;
        let watermark = core.timers.current_watermark();
        let mut ctx = ProcessWindowContext::new(window, watermark, &*core.clock, &core.side_outputs);
        let mut collector = Collector::new(&mut *self.out, window.max_timestamp());
        let result = self.contents.fire(&key, &mut ctx, &mut collector);
        finish_call(result, collector, &core.side_outputs, &mut core.meter, &core.name)
    }

    fn tell_window_over(&mut self, window: A::Window) -> Result<()> {
        self.states.function_scope.enter(window)?;
        let core = &mut *self.core;
        let watermark = core.timers.current_watermark();
        let mut ctx = ProcessWindowContext::new(window, watermark, &*core.clock, &core.side_outputs);
        let result = self.contents.window_over(&mut ctx);
        core.meter.emitted(core.side_outputs.finish()?);
        result.map_err(|e| user_error(&core.name, e))
    }

    fn register_cleanup_timer(&mut self, window: A::Window) -> Result<()> {
        let time = self.cleanup_time(&window);
        if time == i64::MAX {
            return Ok(());
        }
        let key = self.keys.current_key()?;
        let timers = &mut self.core.timers;
        if self.spec.assigner.is_event_time() {
            timers.register_event_time_timer(&key, &window, time)?;
        } else {
            timers.register_processing_time_timer(&key, &window, time)?;
        }
        Ok(())
    }

    fn delete_cleanup_timer(&mut self, window: A::Window) -> Result<()> {
        let time = self.cleanup_time(&window);
        let key = self.keys.current_key()?;
        let timers = &mut self.core.timers;
        if self.spec.assigner.is_event_time() {
            timers.delete_event_time_timer(&key, &window, time)?;
        } else {
            timers.delete_processing_time_timer(&key, &window, time)?;
        }
        Ok(())
    }

    /// When a window's state is cleared; `i64::MAX`: never.
    fn cleanup_time(&self, window: &A::Window) -> i64 {
        if self.spec.assigner.is_event_time() {
            window
                .max_timestamp()
                .saturating_add(self.spec.allowed_lateness_ms)
        } else {
            window.max_timestamp()
        }
    }

    /// Whether the window's state has been cleared already. Flink's `isWindowLate`.
    fn is_over(&self, window: &A::Window) -> bool {
        self.spec.assigner.is_event_time()
            && self.cleanup_time(window) <= self.core.timers.current_watermark()
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
    type Out = C::Out;

    fn set_side_outputs(&mut self, side_outputs: SideOutputs) {
        self.side_outputs = side_outputs;
    }
    fn initialize(&mut self, ctx: OperatorContext, _out: &mut dyn ChainOutput<C::Out>) -> Result<()> {
        self.opened = Some(self.open(&ctx)?);
        Ok(())
    }
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
    fn process_watermark(&mut self, watermark: Watermark, out: &mut dyn ChainOutput<C::Out>) -> Result<()> {
        self.fire_timers(TimeDomain::EventTime, watermark.timestamp, out)?;
        out.emit_watermark(watermark)
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
        if let Some(opened) = &mut self.opened {
            opened.core.notify_checkpoint_complete(checkpoint_id);
        }
        Ok(())
    }
    fn notify_checkpoint_aborted(&mut self, checkpoint_id: u64) -> Result<()> {
        if let Some(opened) = &mut self.opened {
            opened.core.notify_checkpoint_aborted(checkpoint_id);
        }
        Ok(())
    }
    fn next_processing_timer(&self) -> Option<i64> {
        self.opened.as_ref()?.core.next_processing_timer()
    }
    fn advance_processing_time(&mut self, now_ms: i64, out: &mut dyn ChainOutput<C::Out>) -> Result<()> {
        self.fire_timers(TimeDomain::ProcessingTime, now_ms, out)
    }
    fn close(&mut self) -> Result<()> {
        self.contents.close()
    }
}
