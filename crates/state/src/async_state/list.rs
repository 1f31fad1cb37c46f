//! The asynchronous handle of a list state.

use super::future::{Kind, StateFuture};
use super::{Buffered, async_handle};
use crate::descriptor::StateData;
use crate::keyed::ListState;
use millpond_core::Result;
use std::future::Future;

/// A list of elements for each key, whose accesses are futures. Flink's `org.apache.flink.api.common.state.v2.ListState`.
///
/// # Contract
/// As [`super::AsyncValueState`].
pub struct AsyncListState<T>(Option<Buffered<ListState<T>>>);

async_handle!(AsyncListState, ListState<T>, [T], [T]);

impl<T: StateData> AsyncListState<T> {
    /// The elements; empty for a key that has none.
    ///
    /// # Errors
    /// IllegalState when the state was never opened, or outside of a record's future; those of the storage. So for the other
    /// accesses.
    pub fn async_get(&self) -> impl Future<Output = Result<Vec<T>>> + use<T> {
        self.access(Kind::Read, |state| state.get())
    }
    /// Appends `value`.
    ///
    /// # Errors
    /// As [`AsyncListState::async_get`].
    pub fn async_add(&self, value: T) -> impl Future<Output = Result<()>> + use<T> {
        self.access(Kind::Write, |state| state.add(value))
    }
    /// Appends `values`.
    ///
    /// # Errors
    /// As [`AsyncListState::async_get`].
    pub fn async_add_all(&self, values: Vec<T>) -> impl Future<Output = Result<()>> + use<T> {
        self.access(Kind::Write, |state| state.add_all(values))
    }
    /// Puts `values` in place of what was there.
    ///
    /// # Errors
    /// As [`AsyncListState::async_get`].
    pub fn async_update(&self, values: Vec<T>) -> impl Future<Output = Result<()>> + use<T> {
        self.access(Kind::Write, |state| state.update(values))
    }
    /// Forgets the list.
    ///
    /// # Errors
    /// As [`AsyncListState::async_get`].
    pub fn async_clear(&self) -> impl Future<Output = Result<()>> + use<T> {
        self.access(Kind::Write, |state| state.clear())
    }

    fn access<R: 'static, F: FnOnce(&ListState<T>) -> Result<R> + 'static>(
        &self,
        kind: Kind,
        run: F,
    ) -> StateFuture<ListState<T>, F, R> {
        StateFuture::new(self.0.as_ref(), kind, Clone::clone, run)
    }
}
