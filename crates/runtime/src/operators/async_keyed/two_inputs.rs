//! An asynchronous function of two inputs as one of one input, whose elements say which stream they are of.

use super::AsyncKeyedProcessOperator;
use crate::graph::node::KeySelector;
use crate::operator::{ChainOutput, TwoInputOperator};
use millpond_api::function::{
    AsyncCollector, AsyncKeyedCoProcessFunction, AsyncKeyedContext, AsyncKeyedProcessFunction,
    AsyncOnTimerContext, RuntimeContext, StateSnapshotContext,
};
use millpond_core::{CheckpointId, Result};

/// Runs an asynchronous function over two streams keyed alike. Flink's `AsyncKeyedCoProcessOperator`.
pub(crate) type AsyncKeyedCoProcessOperator<F> = AsyncKeyedProcessOperator<TwoInputs<F>, Selectors<F>>;

/// The keys of both streams.
pub(crate) type Selectors<F> = (
    KeySelector<<F as AsyncKeyedCoProcessFunction>::In1, <F as AsyncKeyedCoProcessFunction>::Key>,
    KeySelector<<F as AsyncKeyedCoProcessFunction>::In2, <F as AsyncKeyedCoProcessFunction>::Key>,
);

/// An element of one of two streams.
#[derive(Clone)]
pub(crate) enum Either<A, B> {
    First(A),
    Second(B),
}

/// See the module.
pub(crate) struct TwoInputs<F>(F);

impl<F: AsyncKeyedCoProcessFunction> AsyncKeyedCoProcessOperator<F> {
    pub(crate) fn of_two_inputs(function: F, selectors: Selectors<F>) -> Self {
        Self::with_selector(TwoInputs(function), selectors)
    }
}

impl<F: AsyncKeyedCoProcessFunction> AsyncKeyedProcessFunction for TwoInputs<F> {
    type Key = F::Key;
    type In = Either<F::In1, F::In2>;
    type Out = F::Out;

    fn open(&mut self, ctx: &mut RuntimeContext<'_, F::Key>) -> Result<()> {
        self.0.open(ctx)
    }
    async fn process_element(
        &self,
        value: Self::In,
        ctx: &AsyncKeyedContext<F::Key>,
        out: &AsyncCollector<F::Out>,
    ) -> Result<()> {
        match value {
            Either::First(value) => self.0.process_element1(value, ctx, out).await,
            Either::Second(value) => self.0.process_element2(value, ctx, out).await,
        }
    }
    async fn on_timer(
        &self,
        timestamp: i64,
        ctx: &AsyncOnTimerContext<F::Key>,
        out: &AsyncCollector<F::Out>,
    ) -> Result<()> {
        self.0.on_timer(timestamp, ctx, out).await
    }
    fn snapshot_state(&self, ctx: &mut StateSnapshotContext<'_>) -> Result<()> {
        self.0.snapshot_state(ctx)
    }
    fn notify_checkpoint_complete(&self, checkpoint_id: CheckpointId) -> Result<()> {
        self.0.notify_checkpoint_complete(checkpoint_id)
    }
    fn notify_checkpoint_aborted(&self, checkpoint_id: CheckpointId) -> Result<()> {
        self.0.notify_checkpoint_aborted(checkpoint_id)
    }
    fn close(&mut self) -> Result<()> {
        self.0.close()
    }
}

impl<F: AsyncKeyedCoProcessFunction> TwoInputOperator for AsyncKeyedCoProcessOperator<F> {
    type In1 = F::In1;
    type In2 = F::In2;

    fn process_element1(
        &mut self,
        value: F::In1,
        timestamp: i64,
        out: &mut dyn ChainOutput<F::Out>,
    ) -> Result<()> {
        let key = (self.selector.0)(&value);
        self.submit(key, Either::First(value), timestamp, out)
    }
    fn process_element2(
        &mut self,
        value: F::In2,
        timestamp: i64,
        out: &mut dyn ChainOutput<F::Out>,
    ) -> Result<()> {
        let key = (self.selector.1)(&value);
        self.submit(key, Either::Second(value), timestamp, out)
    }
}
