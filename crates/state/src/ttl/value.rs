//! A value state with a time to live. Flink's `TtlValueState`.

use super::context::Then;
use super::{TtlContext, TtlValue};
use crate::descriptor::StateData;
use crate::keyed::Namespace;
use crate::keyed::access::{KeyedAccess, ValueAccess};
use millpond_core::Result;

/// Around a state of [`TtlValue`]s.
pub(crate) struct TtlValueState<A> {
    inner: A,
    ttl: TtlContext,
}

impl<A> TtlValueState<A> {
    /// Around `inner`. Its default, if it has one, is this one's; the timestamp of the default means nothing.
    pub(crate) fn new(inner: A, ttl: TtlContext) -> Self {
        TtlValueState { inner, ttl }
    }
}

/// Reads the value of the current key, and lets the read do to it what a read does.
pub(super) fn read<V: StateData, N: Namespace, R>(
    inner: &impl ValueAccess<TtlValue<V>, N>,
    ttl: &TtlContext,
    mut f: impl FnMut(Option<&V>) -> R,
) -> Result<Option<R>> {
    let moment = ttl.moment();
    let mut then = Then::Nothing;
    let mut out = None;
    inner.with(&mut |stored| {
        out = Some(match stored {
            None => f(None),
            Some(stored) => {
                let verdict = ttl.judge(moment, stored.timestamp);
                then = verdict.then;
                f(verdict.visible.then_some(&stored.value))
            }
        });
    })?;
    match then {
        Then::Nothing => {}
        Then::Remove => inner.clear()?,
        Then::Touch => inner.modify(&mut |slot| {
            if let Some(stored) = slot {
                stored.timestamp = moment.now_ms;
            }
        })?,
    }
    ttl.accessed(moment, 0)?;
    Ok(out)
}

/// Lends the value of the current key to be changed, removed or set; what comes back begins a life.
pub(super) fn modify<V: StateData, N: Namespace>(
    inner: &impl ValueAccess<TtlValue<V>, N>,
    ttl: &TtlContext,
    f: &mut dyn FnMut(&mut Option<V>),
) -> Result<()> {
    let moment = ttl.moment();
    inner.modify(&mut |slot| {
        let stored = slot.take().filter(|s| ttl.visible(moment, s.timestamp));
        let mut value = stored.map(|s| s.value);
        f(&mut value);
        *slot = value.map(|value| TtlValue {
            timestamp: moment.now_ms,
            value,
        });
    })?;
    ttl.accessed(moment, 1)?;
    Ok(())
}

/// Reads a copy of the value of the current key.
pub(super) fn get<V: StateData, N: Namespace>(
    inner: &impl ValueAccess<TtlValue<V>, N>,
    ttl: &TtlContext,
) -> Result<Option<V>> {
    Ok(read(inner, ttl, |v| v.cloned())?.flatten())
}

impl<N, A: KeyedAccess<N>> KeyedAccess<N> for TtlValueState<A> {
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

impl<V: StateData, N: Namespace, A: ValueAccess<TtlValue<V>, N>> ValueAccess<V, N> for TtlValueState<A> {
    fn value(&self) -> Result<V> {
        match get(&self.inner, &self.ttl)? {
            Some(value) => Ok(value),
            // The read removed what had expired: the inner state answers for a key without a value.
            None => self.inner.value().map(|stored| stored.value),
        }
    }
    fn get(&self) -> Result<Option<V>> {
        get(&self.inner, &self.ttl)
    }
    fn update(&self, value: V) -> Result<()> {
        let moment = self.ttl.moment();
        self.inner.update(TtlValue {
            timestamp: moment.now_ms,
            value,
        })?;
        self.ttl.accessed(moment, 1)?;
        Ok(())
    }
    fn with(&self, f: &mut dyn FnMut(Option<&V>)) -> Result<()> {
        read(&self.inner, &self.ttl, f).map(|_| ())
    }
    fn modify(&self, f: &mut dyn FnMut(&mut Option<V>)) -> Result<()> {
        modify(&self.inner, &self.ttl, f)
    }
}
