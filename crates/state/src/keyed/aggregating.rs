//! The handle of an aggregating state.

use super::access::AggregatingAccess;
use super::{Namespace, opened};
use crate::descriptor::AggregateFunction;
use millpond_core::Result;
use millpond_types::serializer::void::VoidNamespace;
use std::fmt;
use std::rc::Rc;

/// An accumulator for each key. Flink's `AggregatingState`.
pub struct AggregatingState<F: AggregateFunction, N = VoidNamespace>(
    pub(super) Option<Rc<dyn AggregatingAccess<F, N>>>,
);

impl<F: AggregateFunction, N: Namespace> AggregatingState<F, N> {
    /// A handle onto what a backend has registered.
    pub fn from_access(access: Rc<dyn AggregatingAccess<F, N>>) -> Self {
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
    /// Adds `value`.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn add(&self, value: F::In) -> Result<()> {
        opened(&self.0)?.add(value)
    }
    /// The result of what was added so far; `None` when nothing was.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn get(&self) -> Result<Option<F::Out>> {
        opened(&self.0)?.get()
    }
    /// The accumulator itself.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn accumulator(&self) -> Result<Option<F::Acc>> {
        opened(&self.0)?.accumulator()
    }
    /// Merges `accumulator` into the stored one.
    ///
    /// # Errors
    /// IllegalState without a current key.
    #[inline]
    pub fn merge(&self, accumulator: F::Acc) -> Result<()> {
        opened(&self.0)?.merge(accumulator)
    }
    /// Merges the current key's accumulators of the `sources` into that of `target`; the sources have
    /// nothing afterwards, and `target` is the current namespace. Flink's `InternalMergingState#mergeNamespaces`.
    ///
    /// # Errors
    /// IllegalState without a current key.
    pub fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()> {
        opened(&self.0)?.merge_namespaces(target, sources)
    }
}

impl<F: AggregateFunction, N> Default for AggregatingState<F, N> {
    /// An unopened handle.
    fn default() -> Self {
        Self(None)
    }
}

impl<F: AggregateFunction, N> Clone for AggregatingState<F, N> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<F: AggregateFunction, N> fmt::Debug for AggregatingState<F, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "AggregatingState"
        } else {
            "AggregatingState(unopened)"
        })
    }
}
