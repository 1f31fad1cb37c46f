//! The asynchronous handle of a map state.

use super::future::{Kind, StateFuture};
use super::{Buffered, async_handle};
use crate::descriptor::StateData;
use crate::keyed::{Entry, MapKey, MapState};
use millpond_core::Result;
use millpond_types::VoidNamespace;
use std::future::Future;

/// A map for each key, whose accesses are futures. Flink's `org.apache.flink.api.common.state.v2.MapState`.
///
/// Accesses of one entry wait for storage together; those of a whole map read it by itself, each on its own.
///
/// # Contract
/// As [`super::AsyncValueState`].
pub struct AsyncMapState<UK, UV>(Option<Buffered<MapState<UK, UV>>>);

async_handle!(AsyncMapState, MapState<UK, UV>, [UK, UV], [UK, UV]);

impl<UK: MapKey, UV: StateData> AsyncMapState<UK, UV> {
    /// The value of `key`.
    ///
    /// # Errors
    /// IllegalState when the state was never opened, or outside of a record's future; those of the storage. So for the other
    /// accesses.
    pub fn async_get(&self, key: UK) -> impl Future<Output = Result<Option<UV>>> + use<UK, UV> {
        self.entry(key, Kind::Read, |map, key| map.get(key))
    }
    /// Whether `key` has a value.
    ///
    /// # Errors
    /// As [`AsyncMapState::async_get`].
    pub fn async_contains(&self, key: UK) -> impl Future<Output = Result<bool>> + use<UK, UV> {
        self.entry(key, Kind::Read, |map, key| map.contains(key))
    }
    /// Sets the value of `key`.
    ///
    /// # Errors
    /// As [`AsyncMapState::async_get`].
    pub fn async_put(&self, key: UK, value: UV) -> impl Future<Output = Result<()>> + use<UK, UV> {
        self.entry(key, Kind::Write, |map, key| map.put(key.clone(), value))
    }
    /// Sets the value of each key.
    ///
    /// # Errors
    /// As [`AsyncMapState::async_get`].
    pub fn async_put_all(&self, entries: Vec<(UK, UV)>) -> impl Future<Output = Result<()>> + use<UK, UV> {
        self.whole(Kind::Write, |map| map.put_all(entries))
    }
    /// Lends the value of `key` to be changed, removed (`None`) or set, in one access.
    ///
    /// # Errors
    /// As [`AsyncMapState::async_get`].
    pub fn async_modify<R: 'static, F>(
        &self,
        key: UK,
        f: F,
    ) -> impl Future<Output = Result<R>> + use<UK, UV, R, F>
    where
        F: FnOnce(&mut Option<UV>) -> R + 'static,
    {
        self.entry(key, Kind::Change, |map, key| map.modify(key.clone(), f))
    }
    /// Forgets `key` and returns its value.
    ///
    /// # Errors
    /// As [`AsyncMapState::async_get`].
    pub fn async_remove(&self, key: UK) -> impl Future<Output = Result<Option<UV>>> + use<UK, UV> {
        self.entry(key, Kind::Change, |map, key| map.remove(key))
    }
    /// Every entry, in no particular but a repeatable order.
    ///
    /// # Errors
    /// As [`AsyncMapState::async_get`].
    pub fn async_entries(&self) -> impl Future<Output = Result<Vec<(UK, UV)>>> + use<UK, UV> {
        self.whole(Kind::Read, |map| map.entries())
    }
    /// Every key.
    ///
    /// # Errors
    /// As [`AsyncMapState::async_get`].
    pub fn async_keys(&self) -> impl Future<Output = Result<Vec<UK>>> + use<UK, UV> {
        self.whole(Kind::Read, |map| map.keys())
    }
    /// Every value.
    ///
    /// # Errors
    /// As [`AsyncMapState::async_get`].
    pub fn async_values(&self) -> impl Future<Output = Result<Vec<UV>>> + use<UK, UV> {
        self.whole(Kind::Read, |map| map.values())
    }
    /// Whether there is no key.
    ///
    /// # Errors
    /// As [`AsyncMapState::async_get`].
    pub fn async_is_empty(&self) -> impl Future<Output = Result<bool>> + use<UK, UV> {
        self.whole(Kind::Read, |map| map.is_empty())
    }
    /// Forgets the map.
    ///
    /// # Errors
    /// As [`AsyncMapState::async_get`].
    pub fn async_clear(&self) -> impl Future<Output = Result<()>> + use<UK, UV> {
        self.whole(Kind::Write, |map| map.clear())
    }

    fn entry<R: 'static, F: FnOnce(&MapState<UK, UV>, &UK) -> Result<R> + 'static>(
        &self,
        key: UK,
        kind: Kind,
        run: F,
    ) -> impl Future<Output = Result<R>> + use<UK, UV, R, F> {
        let entry = |map: &MapState<UK, UV>| Entry {
            map: map.clone(),
            key,
        };
        let run = |entry: &Entry<UK, UV, VoidNamespace>| run(&entry.map, &entry.key);
        StateFuture::new(self.0.as_ref(), kind, entry, run)
    }

    fn whole<R: 'static, F: FnOnce(&MapState<UK, UV>) -> Result<R> + 'static>(
        &self,
        kind: Kind,
        run: F,
    ) -> StateFuture<MapState<UK, UV>, F, R> {
        StateFuture::new(self.0.as_ref(), kind, Clone::clone, run)
    }
}
