//! The asynchronous handle of a value state.

use super::future::{Kind, StateFuture};
use super::{Buffered, async_handle};
use crate::descriptor::StateData;
use crate::keyed::ValueState;
use millpond_core::Result;
use std::future::Future;

/// One value for each key, whose accesses are futures. Flink's `org.apache.flink.api.common.state.v2.ValueState`.
///
/// # Contract
/// An access is about the key of the record whose future polls it first. Two accesses of one record run in the order in which
/// they are polled first, also when they wait together in a `join!`.
pub struct AsyncValueState<V>(Option<Buffered<ValueState<V>>>);

async_handle!(AsyncValueState, ValueState<V>, [V], [V]);

impl<V: StateData> AsyncValueState<V> {
    /// The stored value, else the descriptor's default.
    ///
    /// # Errors
    /// IllegalState when there is neither, when the state was never opened, or outside of a record's future; those of the
    /// storage. So for the other accesses.
    pub fn async_value(&self) -> impl Future<Output = Result<V>> + use<V> {
        self.access(Kind::Read, |state| state.value())
    }
    /// The stored value, if there is one; the default doesn't count.
    ///
    /// # Errors
    /// As [`AsyncValueState::async_value`].
    pub fn async_get(&self) -> impl Future<Output = Result<Option<V>>> + use<V> {
        self.access(Kind::Read, |state| state.get())
    }
    /// Stores `value`.
    ///
    /// # Errors
    /// As [`AsyncValueState::async_value`].
    pub fn async_update(&self, value: V) -> impl Future<Output = Result<()>> + use<V> {
        self.access(Kind::Write, |state| state.update(value))
    }
    /// Lends the stored value to be changed, removed (`None`) or set, in one access.
    ///
    /// # Errors
    /// As [`AsyncValueState::async_value`].
    pub fn async_modify<R: 'static, F>(&self, f: F) -> impl Future<Output = Result<R>> + use<V, R, F>
    where
        F: FnOnce(&mut Option<V>) -> R + 'static,
    {
        self.access(Kind::Change, |state| state.modify(f))
    }
    /// Forgets the value.
    ///
    /// # Errors
    /// As [`AsyncValueState::async_value`].
    pub fn async_clear(&self) -> impl Future<Output = Result<()>> + use<V> {
        self.access(Kind::Write, |state| state.clear())
    }

    fn access<T: 'static, F: FnOnce(&ValueState<V>) -> Result<T> + 'static>(
        &self,
        kind: Kind,
        run: F,
    ) -> StateFuture<ValueState<V>, F, T> {
        StateFuture::new(self.0.as_ref(), kind, Clone::clone, run)
    }
}
