//! An aggregating state with a time to live. Flink's `TtlAggregatingState` and `TtlAggregateFunction`.

use super::{TtlContext, TtlValue, value};
use crate::descriptor::AggregateFunction;
use crate::keyed::Namespace;
use crate::keyed::access::{AggregatingAccess, KeyedAccess, ValueAccess};
use millpond_core::Result;

/// Around a value state of accumulators with timestamps, which is how an aggregating state is stored.
pub(crate) struct TtlAggregatingState<A, F> {
    inner: A,
    ttl: TtlContext,
    function: F,
}

impl<A, F> TtlAggregatingState<A, F> {
    /// Aggregates by `function` into what `inner` stores.
    pub(crate) fn new(inner: A, ttl: TtlContext, function: F) -> Self {
        TtlAggregatingState { inner, ttl, function }
    }
}

impl<N, A: KeyedAccess<N>, F> KeyedAccess<N> for TtlAggregatingState<A, F> {
    fn set_current_namespace(&self, namespace: N) -> Result<()> {
        self.inner.set_current_namespace(namespace)
    }
    fn clear(&self) -> Result<()> {
        self.inner.clear()
    }
    fn is_at_hand(&self) -> Result<bool> {
        self.inner.is_at_hand()
    }
    fn want(&self) -> Result<()> {
        self.inner.want()
    }
    fn load_wanted(&self) -> Result<()> {
        self.inner.load_wanted()
    }
    fn forget_loaded(&self) {
        self.inner.forget_loaded();
    }
}

impl<F, N, A> AggregatingAccess<F, N> for TtlAggregatingState<A, F>
where
    F: AggregateFunction,
    N: Namespace,
    A: ValueAccess<TtlValue<F::Acc>, N>,
{
    fn add(&self, value: F::In) -> Result<()> {
        let mut value = Some(value);
        value::modify(&self.inner, &self.ttl, &mut |slot| {
            if let Some(value) = value.take() {
                let accumulator = slot.get_or_insert_with(|| self.function.create_accumulator());
                self.function.add(value, accumulator);
            }
        })
    }
    fn get(&self) -> Result<Option<F::Out>> {
        let result = |acc: Option<&F::Acc>| acc.map(|acc| self.function.get_result(acc));
        Ok(value::read(&self.inner, &self.ttl, result)?.flatten())
    }
    fn accumulator(&self) -> Result<Option<F::Acc>> {
        value::get(&self.inner, &self.ttl)
    }
    fn merge(&self, accumulator: F::Acc) -> Result<()> {
        let mut other = Some(accumulator);
        value::modify(
            &self.inner,
            &self.ttl,
            &mut |slot| match (slot.as_mut(), other.take()) {
                (Some(accumulator), Some(other)) => self.function.merge(accumulator, other),
                (None, other) => *slot = other,
                (Some(_), None) => {}
            },
        )
    }
}
