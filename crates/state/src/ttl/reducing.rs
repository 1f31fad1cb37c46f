//! A reducing state with a time to live. Flink's `TtlReducingState` and `TtlReduceFunction`.

use super::{TtlContext, TtlValue, value};
use crate::descriptor::{ReduceFunction, StateData};
use crate::keyed::Namespace;
use crate::keyed::access::{KeyedAccess, ReducingAccess, ValueAccess};
use millpond_core::Result;

/// Around a value state of reduced values with timestamps, which is how a reducing state is stored.
pub(crate) struct TtlReducingState<A, R> {
    inner: A,
    ttl: TtlContext,
    reduce: R,
}

impl<A, R> TtlReducingState<A, R> {
    /// Reduces by `reduce` what `inner` stores.
    pub(crate) fn new(inner: A, ttl: TtlContext, reduce: R) -> Self {
        TtlReducingState { inner, ttl, reduce }
    }
}

impl<N, A: KeyedAccess<N>, R> KeyedAccess<N> for TtlReducingState<A, R> {
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

impl<T: StateData, N: Namespace, R: ReduceFunction<T>, A: ValueAccess<TtlValue<T>, N>> ReducingAccess<T, N>
    for TtlReducingState<A, R>
{
    fn add(&self, value: T) -> Result<()> {
        let mut value = Some(value);
        value::modify(
            &self.inner,
            &self.ttl,
            &mut |slot| match (slot.as_mut(), value.take()) {
                (Some(reduced), Some(value)) => self.reduce.reduce(reduced, value),
                (None, value) => *slot = value,
                (Some(_), None) => {}
            },
        )
    }
    fn get(&self) -> Result<Option<T>> {
        value::get(&self.inner, &self.ttl)
    }
}
