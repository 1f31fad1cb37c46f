//! The handle of a list state.

use super::access::ListAccess;
use super::{Namespace, not_called, opened};
use crate::descriptor::StateData;
use millpond_core::Result;
use millpond_types::serializer::void::VoidNamespace;
use std::fmt;
use std::rc::Rc;

/// A list of elements for each key. Flink's `ListState`.
pub struct ListState<T, N = VoidNamespace>(pub(super) Option<Rc<dyn ListAccess<T, N>>>);

impl<T: StateData, N: Namespace> ListState<T, N> {
    /// A handle onto what a backend has registered.
    pub fn from_access(access: Rc<dyn ListAccess<T, N>>) -> Self {
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
    /// Appends `value`.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn add(&self, value: T) -> Result<()> {
        opened(&self.0)?.add(value)
    }
    /// Appends `values`.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn add_all(&self, values: impl IntoIterator<Item = T>) -> Result<()> {
        opened(&self.0)?.add_all(values.into_iter().collect())
    }
    /// Puts `values` in place of what was there.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn update(&self, values: Vec<T>) -> Result<()> {
        opened(&self.0)?.update(values)
    }
    /// The elements; empty for a key that has none.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn get(&self) -> Result<Vec<T>> {
        self.with(<[T]>::to_vec)
    }
    /// Shows the elements without copying them.
    ///
    /// # Errors
    /// IllegalState without a current key, or when `f` itself changes this state.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&[T]) -> R) -> Result<R> {
        let mut f = Some(f);
        let mut out = None;
        opened(&self.0)?.with(&mut |v| out = f.take().map(|f| f(v)))?;
        out.ok_or_else(not_called)
    }
    /// Shows each element in its order.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn for_each(&self, f: impl FnMut(&T)) -> Result<()> {
        self.with(|list| list.iter().for_each(f))
    }
    /// Whether there is no element.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn is_empty(&self) -> Result<bool> {
        self.with(<[T]>::is_empty)
    }
    /// Moves the current key's elements from the `sources` to the end of `target`'s; the sources have
    /// nothing afterwards, and `target` is the current namespace. Flink's `InternalMergingState#mergeNamespaces`.
    ///
    /// # Errors
    /// IllegalState without a current key.
    pub fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()> {
        opened(&self.0)?.merge_namespaces(target, sources)
    }
}

impl<T, N> Default for ListState<T, N> {
    /// An unopened handle.
    fn default() -> Self {
        Self(None)
    }
}

impl<T, N> Clone for ListState<T, N> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T, N> fmt::Debug for ListState<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "ListState"
        } else {
            "ListState(unopened)"
        })
    }
}
