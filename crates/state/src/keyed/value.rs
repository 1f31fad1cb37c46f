//! The handle of a value state.

use super::access::ValueAccess;
use super::{Namespace, not_called, opened};
use crate::descriptor::StateData;
use millpond_core::Result;
use millpond_types::serializer::void::VoidNamespace;
use std::fmt;
use std::rc::Rc;

/// One value for each key. Flink's `ValueState`.
///
/// ```
/// use millpond_state::keyed::ValueState;
/// let count = ValueState::<i64>::default();
/// assert!(count.get().is_err(), "it was never opened");
/// ```
pub struct ValueState<V, N = VoidNamespace>(pub(super) Option<Rc<dyn ValueAccess<V, N>>>);

impl<V: StateData, N: Namespace> ValueState<V, N> {
    /// A handle onto what a backend has registered.
    pub fn from_access(access: Rc<dyn ValueAccess<V, N>>) -> Self {
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
    /// The stored value, else the descriptor's default.
    ///
    /// # Errors
    /// IllegalState when there is neither (then use [`ValueState::get`], or give the descriptor a default), or without a
    /// current key.
    #[inline]
    pub fn value(&self) -> Result<V> {
        opened(&self.0)?.value()
    }
    /// The stored value, if there is one; the default doesn't count.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn get(&self) -> Result<Option<V>> {
        opened(&self.0)?.get()
    }
    /// Stores `value`.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn update(&self, value: V) -> Result<()> {
        opened(&self.0)?.update(value)
    }
    /// Shows the stored value without copying it.
    ///
    /// # Errors
    /// IllegalState without a current key, or when `f` itself changes this state.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(Option<&V>) -> R) -> Result<R> {
        let mut f = Some(f);
        let mut out = None;
        opened(&self.0)?.with(&mut |v| out = f.take().map(|f| f(v)))?;
        out.ok_or_else(not_called)
    }
    /// Lends the stored value to be changed, removed (`None`) or set, in one lookup.
    ///
    /// # Errors
    /// IllegalState without a current key, or when `f` itself uses this state.
    #[inline]
    pub fn modify<R>(&self, f: impl FnOnce(&mut Option<V>) -> R) -> Result<R> {
        let mut f = Some(f);
        let mut out = None;
        opened(&self.0)?.modify(&mut |v| out = f.take().map(|f| f(v)))?;
        out.ok_or_else(not_called)
    }
}

impl<V, N> Default for ValueState<V, N> {
    /// An unopened handle.
    fn default() -> Self {
        Self(None)
    }
}

impl<V, N> Clone for ValueState<V, N> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V, N> fmt::Debug for ValueState<V, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "ValueState"
        } else {
            "ValueState(unopened)"
        })
    }
}
