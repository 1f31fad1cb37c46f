//! A function over the elements of a window, and what it is handed.

use super::{Window, WindowScope, WindowStateStore};
use crate::function::RuntimeContext;
use crate::side_output::{OutputTag, SideOutputs};
use crate::{Collector, Data};
use millpond_core::host::Clock;
use millpond_core::{CheckpointId, Result};
use millpond_types::StateKey;
use std::ops::{Deref, DerefMut};

/// Computes a window from all of its elements, or from what they were reduced or aggregated to. Flink's
/// `ProcessWindowFunction`.
///
/// ```
/// use millpond_api::Collector;
/// use millpond_api::window::{ProcessWindowContext, ProcessWindowFunction, TimeWindow};
/// use millpond_core::Result;
///
/// /// The median of each window, with the window's end.
/// struct Median;
///
/// impl ProcessWindowFunction for Median {
///     type Key = String;
///     type In = i64;
///     type Out = (String, i64, i64);
///     type Window = TimeWindow;
///
///     fn process(
///         &mut self,
///         key: &String,
///         elements: &[i64],
///         ctx: &mut ProcessWindowContext<'_, TimeWindow>,
///         out: &mut Collector<'_, Self::Out>,
///     ) -> Result<()> {
///         let mut sorted = elements.to_vec();
///         sorted.sort_unstable();
///         if let Some(median) = sorted.get(sorted.len() / 2) {
///             out.collect((key.clone(), ctx.window().end(), *median));
///         }
///         Ok(())
///     }
/// }
/// // In the job: `.window(TumblingEventTimeWindows::of(hour)).process(|| Median)`
/// ```
pub trait ProcessWindowFunction: 'static {
    /// The key that the stream is keyed by.
    type Key: StateKey;
    /// The elements, or what they were reduced or aggregated to.
    type In;
    /// The results.
    type Out: Data;
    /// The windows.
    type Window: Window;

    /// Opens states and counters: once, before the first element.
    ///
    /// # Errors
    /// Whatever keeps the function from working; the job restarts by its restart strategy.
    fn open(&mut self, _ctx: &mut WindowRuntimeContext<'_, Self::Key, Self::Window>) -> Result<()> {
        Ok(())
    }

    /// Computes a window of `key`. `elements` are all that it holds, in the order in which they came, and never none; a
    /// window that is reduced or aggregated has one, the result. Results carry the window's last timestamp.
    ///
    /// # Errors
    /// As [`ProcessWindowFunction::open`].
    fn process(
        &mut self,
        key: &Self::Key,
        elements: &[Self::In],
        ctx: &mut ProcessWindowContext<'_, Self::Window>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()>;

    /// The window is over: clear what was kept for it by [`WindowRuntimeContext::window_state`].
    ///
    /// # Errors
    /// As [`ProcessWindowFunction::open`].
    fn clear(&mut self, _ctx: &mut ProcessWindowContext<'_, Self::Window>) -> Result<()> {
        Ok(())
    }

    /// The checkpoint is complete: what came before it won't be processed again, so effects that waited for it may show. Not told of
    /// savepoints, but for the one that the job stops with. The notice is missing where the job fails first; the next one covers
    /// the checkpoints before it. Flink's `CheckpointListener`.
    ///
    /// # Errors
    /// The task fails; the checkpoint stays complete.
    fn notify_checkpoint_complete(&mut self, _checkpoint_id: CheckpointId) -> Result<()> {
        Ok(())
    }

    /// The checkpoint or savepoint will never complete. What waits for it goes with the next one. Flink's `CheckpointListener`.
    ///
    /// # Errors
    /// The task fails.
    fn notify_checkpoint_aborted(&mut self, _checkpoint_id: CheckpointId) -> Result<()> {
        Ok(())
    }

    /// The end, also after a failure.
    ///
    /// # Errors
    /// Logged.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What a window function is handed when it is opened: a [`RuntimeContext`], whose states belong to the key alone (Flink's
/// `globalState`), and states that belong to key and window (Flink's `windowState`).
pub struct WindowRuntimeContext<'a, K, W> {
    runtime: RuntimeContext<'a, K>,
    scope: &'a mut WindowScope<W>,
    merging: bool,
}

impl<'a, K: StateKey, W: Window> WindowRuntimeContext<'a, K, W> {
    /// For engines: a context whose window states are noted in `scope`; `merging` windows can have none.
    pub fn new(runtime: RuntimeContext<'a, K>, scope: &'a mut WindowScope<W>, merging: bool) -> Self {
        WindowRuntimeContext {
            runtime,
            scope,
            merging,
        }
    }
    /// Opens states that each window of each key has its own of.
    ///
    /// # Errors
    /// None of its own; opening a state fails when the windows merge.
    pub fn window_state(&mut self) -> Result<WindowStateStore<'_, K, W>> {
        let backend = self.runtime.keyed_backend()?;
        Ok(WindowStateStore::new(backend, self.scope).refused_if(self.merging))
    }
}

impl<'a, K, W> Deref for WindowRuntimeContext<'a, K, W> {
    type Target = RuntimeContext<'a, K>;
    fn deref(&self) -> &RuntimeContext<'a, K> {
        &self.runtime
    }
}
impl<K, W> DerefMut for WindowRuntimeContext<'_, K, W> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.runtime
    }
}

/// What a window function is handed with a window. Flink's `ProcessWindowFunction.Context`.
pub struct ProcessWindowContext<'a, W> {
    window: W,
    watermark: i64,
    clock: &'a dyn Clock,
    side_outputs: &'a SideOutputs,
}

impl<'a, W: Window> ProcessWindowContext<'a, W> {
    /// For engines: the context of one window.
    pub fn new(window: W, watermark: i64, clock: &'a dyn Clock, side_outputs: &'a SideOutputs) -> Self {
        ProcessWindowContext {
            window,
            watermark,
            clock,
            side_outputs,
        }
    }
    /// The window.
    pub fn window(&self) -> W {
        self.window
    }
    /// The watermark; `i64::MIN` before the first.
    pub fn current_watermark(&self) -> i64 {
        self.watermark
    }
    /// The clock's time, in milliseconds since the epoch.
    pub fn current_processing_time(&self) -> i64 {
        self.clock.now_ms()
    }
    /// Emits a record to a side output, with the window's last timestamp.
    pub fn output<T: 'static>(&mut self, tag: &OutputTag<T>, value: T) {
        self.side_outputs.emit(tag, value, self.window.max_timestamp());
    }
}
