//! The handle of a map state.

use super::access::{EntryVisitor, MapAccess};
use super::{MapKey, Namespace, not_called, opened};
use crate::descriptor::StateData;
use millpond_core::Result;
use millpond_types::serializer::void::VoidNamespace;
use std::fmt;
use std::rc::Rc;

/// A map for each key. Flink's `MapState`.
pub struct MapState<UK, UV, N = VoidNamespace>(pub(super) Option<Rc<dyn MapAccess<UK, UV, N>>>);

impl<UK: MapKey, UV: StateData, N: Namespace> MapState<UK, UV, N> {
    /// A handle onto what a backend has registered.
    pub fn from_access(access: Rc<dyn MapAccess<UK, UV, N>>) -> Self {
        Self(Some(access))
    }
    /// Makes `namespace` the one that every later access through this state is about.
    ///
    /// # Errors
    /// IllegalState when the state was never opened, as for every other method.
    #[inline]
    pub fn set_current_namespace(&self, namespace: N) -> Result<()> {
        opened(&self.0)?.set_current_namespace(namespace)
    }
    /// Forgets what the current key has.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn clear(&self) -> Result<()> {
        opened(&self.0)?.clear()
    }
    /// The value of `key`.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn get(&self, key: &UK) -> Result<Option<UV>> {
        opened(&self.0)?.get(key)
    }
    /// Shows the value of `key` without copying it.
    ///
    /// # Errors
    /// IllegalState without a current key, or when `f` itself changes this state.
    #[inline]
    pub fn with<R>(&self, key: &UK, f: impl FnOnce(Option<&UV>) -> R) -> Result<R> {
        let mut f = Some(f);
        let mut out = None;
        opened(&self.0)?.with(key, &mut |v| out = f.take().map(|f| f(v)))?;
        out.ok_or_else(not_called)
    }
    /// Sets the value of `key`.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn put(&self, key: UK, value: UV) -> Result<()> {
        opened(&self.0)?.put(key, value)
    }
    /// Sets the value of each key.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn put_all(&self, entries: impl IntoIterator<Item = (UK, UV)>) -> Result<()> {
        let access = opened(&self.0)?;
        entries.into_iter().try_for_each(|(k, v)| access.put(k, v))
    }
    /// Lends the value of `key` to be changed, removed (`None`) or set.
    ///
    /// # Errors
    /// IllegalState without a current key, or when `f` itself uses this state.
    #[inline]
    pub fn modify<R>(&self, key: UK, f: impl FnOnce(&mut Option<UV>) -> R) -> Result<R> {
        let mut f = Some(f);
        let mut out = None;
        opened(&self.0)?.modify(key, &mut |v| out = f.take().map(|f| f(v)))?;
        out.ok_or_else(not_called)
    }
    /// Forgets `key` and returns its value.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn remove(&self, key: &UK) -> Result<Option<UV>> {
        opened(&self.0)?.remove(key)
    }
    /// Whether `key` has a value.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn contains(&self, key: &UK) -> Result<bool> {
        opened(&self.0)?.contains(key)
    }
    /// How many keys there are.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn len(&self) -> Result<usize> {
        opened(&self.0)?.entry_count()
    }
    /// Whether there is no key.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn is_empty(&self) -> Result<bool> {
        Ok(opened(&self.0)?.entry_count()? == 0)
    }
    /// Shows every entry, in no particular but a repeatable order.
    ///
    /// # Errors
    /// IllegalState without a current key, or when `f` itself changes this state.
    #[inline]
    pub fn for_each(&self, mut f: impl FnMut(&UK, &UV)) -> Result<()> {
        self.visit(&mut f)
    }
    /// Shows every entry to `visitor`.
    #[inline]
    pub(crate) fn visit(&self, visitor: &mut dyn EntryVisitor<UK, UV>) -> Result<()> {
        opened(&self.0)?.for_each(visitor)
    }
    /// Every entry.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn entries(&self) -> Result<Vec<(UK, UV)>> {
        let mut out = Vec::new();
        self.for_each(|k, v| out.push((k.clone(), v.clone())))?;
        Ok(out)
    }
    /// Every key.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn keys(&self) -> Result<Vec<UK>> {
        let mut out = Vec::new();
        self.for_each(|k, _| out.push(k.clone()))?;
        Ok(out)
    }
    /// Every value.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn values(&self) -> Result<Vec<UV>> {
        let mut out = Vec::new();
        self.for_each(|_, v| out.push(v.clone()))?;
        Ok(out)
    }
}

impl<UK, UV, N> Default for MapState<UK, UV, N> {
    /// An unopened handle.
    fn default() -> Self {
        Self(None)
    }
}

impl<UK, UV, N> Clone for MapState<UK, UV, N> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<UK, UV, N> fmt::Debug for MapState<UK, UV, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "MapState"
        } else {
            "MapState(unopened)"
        })
    }
}
