//! The handle of a reducing state.

use super::access::ReducingAccess;
use super::{Namespace, opened};
use crate::descriptor::StateData;
use millpond_core::Result;
use millpond_types::serializer::void::VoidNamespace;
use std::fmt;
use std::rc::Rc;

/// One value for each key, to which others are added by a function. Flink's `ReducingState`.
pub struct ReducingState<T, N = VoidNamespace>(pub(super) Option<Rc<dyn ReducingAccess<T, N>>>);

impl<T: StateData, N: Namespace> ReducingState<T, N> {
    /// A handle onto what a backend has registered.
    pub fn from_access(access: Rc<dyn ReducingAccess<T, N>>) -> Self {
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
    /// Reduces `value` into what is stored; the first value is stored as it is.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn add(&self, value: T) -> Result<()> {
        opened(&self.0)?.add(value)
    }
    /// What was reduced so far.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn get(&self) -> Result<Option<T>> {
        opened(&self.0)?.get()
    }
    /// Reduces what the current key has in the `sources` into what it has in `target`; the sources have
    /// nothing afterwards, and `target` is the current namespace. Flink's `InternalMergingState#mergeNamespaces`.
    ///
    /// # Errors
    /// IllegalState without a current key.
    pub fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()> {
        opened(&self.0)?.merge_namespaces(target, sources)
    }
}

impl<T, N> Default for ReducingState<T, N> {
    /// An unopened handle.
    fn default() -> Self {
        Self(None)
    }
}

impl<T, N> Clone for ReducingState<T, N> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T, N> fmt::Debug for ReducingState<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "ReducingState"
        } else {
            "ReducingState(unopened)"
        })
    }
}
