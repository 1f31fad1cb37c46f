//! The asynchronous handles of reducing and aggregating state.

use super::future::{Kind, StateFuture};
use super::{Buffered, async_handle};
use crate::descriptor::{AggregateFunction, StateData};
use crate::keyed::{AggregatingState, ReducingState};
use millpond_core::Result;
use std::future::Future;

/// One value for each key, to which others are added by a function, whose accesses are futures. Flink's
/// `org.apache.flink.api.common.state.v2.ReducingState`.
///
/// # Contract
/// As [`super::AsyncValueState`]. Two additions that wait together both count.
pub struct AsyncReducingState<T>(Option<Buffered<ReducingState<T>>>);

async_handle!(AsyncReducingState, ReducingState<T>, [T], [T]);

impl<T: StateData> AsyncReducingState<T> {
    /// What was reduced so far.
    ///
    /// # Errors
    /// IllegalState when the state was never opened, or outside of a record's future; those of the storage. So for the other
    /// accesses.
    pub fn async_get(&self) -> impl Future<Output = Result<Option<T>>> + use<T> {
        self.access(Kind::Read, |state| state.get())
    }
    /// Reduces `value` into what is stored; the first value is stored as it is.
    ///
    /// # Errors
    /// As [`AsyncReducingState::async_get`].
    pub fn async_add(&self, value: T) -> impl Future<Output = Result<()>> + use<T> {
        self.access(Kind::Change, |state| state.add(value))
    }
    /// Forgets what was reduced.
    ///
    /// # Errors
    /// As [`AsyncReducingState::async_get`].
    pub fn async_clear(&self) -> impl Future<Output = Result<()>> + use<T> {
        self.access(Kind::Write, |state| state.clear())
    }

    fn access<R: 'static, F: FnOnce(&ReducingState<T>) -> Result<R> + 'static>(
        &self,
        kind: Kind,
        run: F,
    ) -> StateFuture<ReducingState<T>, F, R> {
        StateFuture::new(self.0.as_ref(), kind, Clone::clone, run)
    }
}

/// An accumulator for each key, whose accesses are futures. Flink's
/// `org.apache.flink.api.common.state.v2.AggregatingState`.
///
/// # Contract
/// As [`AsyncReducingState`].
pub struct AsyncAggregatingState<F: AggregateFunction>(Option<Buffered<AggregatingState<F>>>);

async_handle!(AsyncAggregatingState, AggregatingState<F>, [F: AggregateFunction], [F]);

impl<F: AggregateFunction> AsyncAggregatingState<F> {
    /// The result of what was added so far; `None` when nothing was.
    ///
    /// # Errors
    /// As [`AsyncReducingState::async_get`].
    pub fn async_get(&self) -> impl Future<Output = Result<Option<F::Out>>> + use<F> {
        self.access(Kind::Read, |state| state.get())
    }
    /// Adds `value`.
    ///
    /// # Errors
    /// As [`AsyncReducingState::async_get`].
    pub fn async_add(&self, value: F::In) -> impl Future<Output = Result<()>> + use<F> {
        self.access(Kind::Change, |state| state.add(value))
    }
    /// Forgets what was added.
    ///
    /// # Errors
    /// As [`AsyncReducingState::async_get`].
    pub fn async_clear(&self) -> impl Future<Output = Result<()>> + use<F> {
        self.access(Kind::Write, |state| state.clear())
    }

    fn access<R: 'static, A: FnOnce(&AggregatingState<F>) -> Result<R> + 'static>(
        &self,
        kind: Kind,
        run: A,
    ) -> StateFuture<AggregatingState<F>, A, R> {
        StateFuture::new(self.0.as_ref(), kind, Clone::clone, run)
    }
}
