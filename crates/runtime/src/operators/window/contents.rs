//! What is kept of a window, and how it is computed: each pairs a state called `window-contents` with a function.

use millpond_api::window::{
    ProcessWindowContext, ProcessWindowFunction, Window, WindowRuntimeContext, WindowScope,
};
use millpond_api::{Collector, Data, function::RuntimeContext};
use millpond_core::{CheckpointId, Result};
use millpond_state::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, ReducingStateDescriptor,
};
use millpond_state::keyed::{AggregatingState, ListState, ReducingState};
use millpond_types::{StateKey, StateType};
use std::marker::PhantomData;
use std::slice;
use std::sync::Arc;

/// The name of the state, as in Flink.
const STATE_NAME: &str = "window-contents";

/// The contents of windows and the function that computes them.
pub(crate) trait WindowContents<K, T, W>: 'static {
    /// The function's results.
    type Out: Data;

    /// Opens the state, and the function with the states that it wants, which are noted in `scope`.
    fn open(
        &mut self,
        ctx: &mut RuntimeContext<'_, K>,
        scope: &mut WindowScope<W>,
        merging: bool,
    ) -> Result<()>;
    /// Makes `window` the one that the following is about.
    fn select(&self, window: W) -> Result<()>;
    /// Puts an element in.
    fn add(&self, value: T) -> Result<()>;
    /// Forgets what is in.
    fn clear(&self) -> Result<()>;
    /// Moves what is in `sources` into `target`, which is selected afterwards.
    fn merge(&self, target: &W, sources: &[W]) -> Result<()>;
    /// Computes the window, unless nothing is in.
    fn fire(
        &mut self,
        key: &K,
        ctx: &mut ProcessWindowContext<'_, W>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()>;
    /// Tells the function that the window is over.
    fn window_over(&mut self, ctx: &mut ProcessWindowContext<'_, W>) -> Result<()>;
    /// Tells the function that a checkpoint is complete.
    fn notify_checkpoint_complete(&mut self, checkpoint_id: CheckpointId) -> Result<()>;
    /// Tells the function that a checkpoint will never complete.
    fn notify_checkpoint_aborted(&mut self, checkpoint_id: CheckpointId) -> Result<()>;
    /// Closes the function.
    fn close(&mut self) -> Result<()>;
}

/// Emits what a window was reduced or aggregated to. Flink's `PassThroughWindowFunction`.
pub(crate) struct PassThrough<K, V, W>(PhantomData<fn(K, V, W)>);

impl<K, V, W> PassThrough<K, V, W> {
    pub(crate) fn new() -> Self {
        PassThrough(PhantomData)
    }
}

impl<K: StateKey, V: Data, W: Window> ProcessWindowFunction for PassThrough<K, V, W> {
    type Key = K;
    type In = V;
    type Out = V;
    type Window = W;

    fn process(
        &mut self,
        _key: &K,
        elements: &[V],
        _ctx: &mut ProcessWindowContext<'_, W>,
        out: &mut Collector<'_, V>,
    ) -> Result<()> {
        out.collect_all(elements.iter().cloned());
        Ok(())
    }
}

/// The elements themselves, in the order in which they came.
pub(crate) struct ListedContents<F: ProcessWindowFunction> {
    state: ListState<F::In, F::Window>,
    function: F,
}

/// One element, to which the others were reduced.
pub(crate) struct ReducedContents<R, F: ProcessWindowFunction> {
    state: ReducingState<F::In, F::Window>,
    reduce: Arc<R>,
    function: F,
}

/// An accumulator.
pub(crate) struct AggregatedContents<A: AggregateFunction, F: ProcessWindowFunction> {
    state: AggregatingState<A, F::Window>,
    aggregate: A,
    function: F,
}

impl<F: ProcessWindowFunction> ListedContents<F> {
    pub(crate) fn new(function: F) -> Self {
        ListedContents {
            state: ListState::default(),
            function,
        }
    }
}

impl<R, F: ProcessWindowFunction> ReducedContents<R, F> {
    pub(crate) fn new(reduce: Arc<R>, function: F) -> Self {
        ReducedContents {
            state: ReducingState::default(),
            reduce,
            function,
        }
    }
}

impl<A: AggregateFunction, F: ProcessWindowFunction> AggregatedContents<A, F> {
    pub(crate) fn new(aggregate: A, function: F) -> Self {
        AggregatedContents {
            state: AggregatingState::default(),
            aggregate,
            function,
        }
    }
}

/// What is the same whatever the state is. It is opened by the type's own `open_state`.
macro_rules! with_state_and_function {
    () => {
        type Out = F::Out;

        fn open(
            &mut self,
            ctx: &mut RuntimeContext<'_, F::Key>,
            scope: &mut WindowScope<F::Window>,
            merging: bool,
        ) -> Result<()> {
            self.open_state(ctx)?;
            let mut ctx = WindowRuntimeContext::new(ctx.reborrow(), scope, merging);
            self.function.open(&mut ctx)
        }
        fn select(&self, window: F::Window) -> Result<()> {
            self.state.set_current_namespace(window)
        }
        fn clear(&self) -> Result<()> {
            self.state.clear()
        }
        fn merge(&self, target: &F::Window, sources: &[F::Window]) -> Result<()> {
            self.state.merge_namespaces(target, sources)
        }
        fn window_over(&mut self, ctx: &mut ProcessWindowContext<'_, F::Window>) -> Result<()> {
            self.function.clear(ctx)
        }
        fn notify_checkpoint_complete(&mut self, checkpoint_id: CheckpointId) -> Result<()> {
            self.function.notify_checkpoint_complete(checkpoint_id)
        }
        fn notify_checkpoint_aborted(&mut self, checkpoint_id: CheckpointId) -> Result<()> {
            self.function.notify_checkpoint_aborted(checkpoint_id)
        }
        fn close(&mut self) -> Result<()> {
            self.function.close()
        }
    };
}

/// What is the same where the state gives one value.
macro_rules! fire_with_one_value {
    () => {
        fn fire(
            &mut self,
            key: &F::Key,
            ctx: &mut ProcessWindowContext<'_, F::Window>,
            out: &mut Collector<'_, F::Out>,
        ) -> Result<()> {
            match self.state.get()? {
                Some(value) => self
                    .function
                    .process(key, slice::from_ref(&value), ctx, out),
                None => Ok(()),
            }
        }
    };
}

impl<F> ListedContents<F>
where
    F: ProcessWindowFunction,
    F::In: StateType,
{
    fn open_state(&mut self, ctx: &mut RuntimeContext<'_, F::Key>) -> Result<()> {
        let descriptor = ListStateDescriptor::new(STATE_NAME);
        self.state =
            ctx.keyed_backend()?
                .list_state(descriptor, F::Window::serializer(), F::Window::default())?;
        Ok(())
    }
}

impl<F> WindowContents<F::Key, F::In, F::Window> for ListedContents<F>
where
    F: ProcessWindowFunction,
    F::In: StateType,
{
    with_state_and_function!();

    fn add(&self, value: F::In) -> Result<()> {
        self.state.add(value)
    }
    fn fire(
        &mut self,
        key: &F::Key,
        ctx: &mut ProcessWindowContext<'_, F::Window>,
        out: &mut Collector<'_, F::Out>,
    ) -> Result<()> {
        let function = &mut self.function;
        self.state.with(|elements| {
            if elements.is_empty() {
                return Ok(());
            }
            function.process(key, elements, ctx, out)
        })?
    }
}

impl<R, F> ReducedContents<R, F>
where
    R: Fn(&mut F::In, F::In) + 'static,
    F: ProcessWindowFunction,
    F::In: StateType,
{
    fn open_state(&mut self, ctx: &mut RuntimeContext<'_, F::Key>) -> Result<()> {
        let reduce = Arc::clone(&self.reduce);
        let descriptor =
            ReducingStateDescriptor::new(STATE_NAME, move |reduced: &mut F::In, value: F::In| {
                reduce(reduced, value)
            });
        self.state =
            ctx.keyed_backend()?
                .reducing_state(descriptor, F::Window::serializer(), F::Window::default())?;
        Ok(())
    }
}

impl<R, F> WindowContents<F::Key, F::In, F::Window> for ReducedContents<R, F>
where
    R: Fn(&mut F::In, F::In) + 'static,
    F: ProcessWindowFunction,
    F::In: StateType,
{
    with_state_and_function!();
    fire_with_one_value!();

    fn add(&self, value: F::In) -> Result<()> {
        self.state.add(value)
    }
}

impl<A, F> AggregatedContents<A, F>
where
    A: AggregateFunction<Out = F::In> + Clone,
    A::Acc: StateType,
    F: ProcessWindowFunction,
{
    fn open_state(&mut self, ctx: &mut RuntimeContext<'_, F::Key>) -> Result<()> {
        let descriptor = AggregatingStateDescriptor::new(STATE_NAME, self.aggregate.clone());
        self.state = ctx.keyed_backend()?.aggregating_state(
            descriptor,
            F::Window::serializer(),
            F::Window::default(),
        )?;
        Ok(())
    }
}

impl<A, F> WindowContents<F::Key, A::In, F::Window> for AggregatedContents<A, F>
where
    A: AggregateFunction<Out = F::In> + Clone,
    A::Acc: StateType,
    F: ProcessWindowFunction,
{
    with_state_and_function!();
    fire_with_one_value!();

    fn add(&self, value: A::In) -> Result<()> {
        self.state.add(value)
    }
}
