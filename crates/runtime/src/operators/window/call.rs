//! What an element or a timer does to its windows.
//!
//! The order of things is Flink's: put the element into each of its windows, ask the trigger, compute and purge as it says,
//! and register the timer that ends the window's life (its last timestamp, plus the allowed lateness in event time).

use super::super::keyed::KeyedCore;
use super::super::user_code::{finish_call, user_error};
use super::contents::WindowContents;
use super::merging::{Merge, MergingSetState, MergingWindowSet};
use super::operator::{Opened, States, WindowSpec};
use super::timers::WindowTimers;
use crate::operator::ChainOutput;
use millpond_api::function::TimeDomain;
use millpond_api::window::{
    ProcessWindowContext, Trigger, TriggerContext, TriggerResult, Window, WindowAssigner,
};
use millpond_api::{Collector, Data};
use millpond_core::{Error, Result};
use millpond_state::keyed::KeyContext;
use millpond_types::StateKey;

/// One element or timer being processed: everything that is about its key.
pub(super) struct Call<'a, K, T, A, Tr, C>
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
    pub(super) fn new(
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
    pub(super) fn on_element(
        &mut self,
        value: T,
        timestamp: i64,
        windows: &[A::Window],
    ) -> Result<Option<T>> {
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

    pub(super) fn on_timer(&mut self, domain: TimeDomain, time: i64, window: A::Window) -> Result<()> {
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
