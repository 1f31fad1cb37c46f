//! A map state in which each entry has a time to live of its own. Flink's `TtlMapState`.

use super::context::Then;
use super::{TtlContext, TtlValue};
use crate::descriptor::StateData;
use crate::keyed::access::{EntryVisitor, KeyedAccess, MapAccess};
use crate::keyed::{MapKey, Namespace};
use millpond_core::Result;

/// Around a map state of [`TtlValue`]s.
pub(crate) struct TtlMapState<A> {
    inner: A,
    ttl: TtlContext,
}

impl<A> TtlMapState<A> {
    /// Around `inner`.
    pub(crate) fn new(inner: A, ttl: TtlContext) -> Self {
        TtlMapState { inner, ttl }
    }

    /// Does to an entry what a read does to it.
    fn settle<UK: MapKey, UV: StateData, N: Namespace>(&self, key: &UK, then: Then, now_ms: i64) -> Result<()>
    where
        A: MapAccess<UK, TtlValue<UV>, N>,
    {
        match then {
            Then::Nothing => Ok(()),
            Then::Remove => self.inner.remove(key).map(|_| ()),
            Then::Touch => self.inner.modify(key.clone(), &mut |slot| {
                if let Some(stored) = slot {
                    stored.timestamp = now_ms;
                }
            }),
        }
    }

    fn read<UK: MapKey, UV: StateData, N: Namespace>(
        &self,
        key: &UK,
        f: &mut dyn FnMut(Option<&UV>),
    ) -> Result<()>
    where
        A: MapAccess<UK, TtlValue<UV>, N>,
    {
        let moment = self.ttl.moment();
        let mut then = Then::Nothing;
        self.inner.with(key, &mut |stored| match stored {
            None => f(None),
            Some(stored) => {
                let verdict = self.ttl.judge(moment, stored.timestamp);
                then = verdict.then;
                f(verdict.visible.then_some(&stored.value));
            }
        })?;
        self.settle(key, then, moment.now_ms)?;
        self.ttl.accessed(moment, 0)?;
        Ok(())
    }
}

impl<N, A: KeyedAccess<N>> KeyedAccess<N> for TtlMapState<A> {
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

impl<UK, UV, N, A> MapAccess<UK, UV, N> for TtlMapState<A>
where
    UK: MapKey,
    UV: StateData,
    N: Namespace,
    A: MapAccess<UK, TtlValue<UV>, N>,
{
    fn get(&self, key: &UK) -> Result<Option<UV>> {
        let mut out = None;
        self.read(key, &mut |v: Option<&UV>| out = v.cloned())?;
        Ok(out)
    }
    fn with(&self, key: &UK, f: &mut dyn FnMut(Option<&UV>)) -> Result<()> {
        self.read(key, f)
    }
    fn put(&self, key: UK, value: UV) -> Result<()> {
        let moment = self.ttl.moment();
        let timestamp = moment.now_ms;
        self.inner.put(key, TtlValue { timestamp, value })?;
        self.ttl.accessed(moment, 1)?;
        Ok(())
    }
    fn modify(&self, key: UK, f: &mut dyn FnMut(&mut Option<UV>)) -> Result<()> {
        let moment = self.ttl.moment();
        self.inner.modify(key, &mut |slot| {
            let stored = slot.take().filter(|s| self.ttl.visible(moment, s.timestamp));
            let mut value = stored.map(|s| s.value);
            f(&mut value);
            *slot = value.map(|value| TtlValue {
                timestamp: moment.now_ms,
                value,
            });
        })?;
        self.ttl.accessed(moment, 1)?;
        Ok(())
    }
    fn remove(&self, key: &UK) -> Result<Option<UV>> {
        let moment = self.ttl.moment();
        let removed = self.inner.remove(key)?;
        self.ttl.accessed(moment, 0)?;
        Ok(removed
            .filter(|s| self.ttl.visible(moment, s.timestamp))
            .map(|s| s.value))
    }
    fn contains(&self, key: &UK) -> Result<bool> {
        let mut out = false;
        self.read(key, &mut |v: Option<&UV>| out = v.is_some())?;
        Ok(out)
    }
    fn entry_count(&self) -> Result<usize> {
        let moment = self.ttl.moment();
        let mut count = 0;
        self.inner.for_each(&mut |_: &UK, stored: &TtlValue<UV>| {
            count += usize::from(self.ttl.visible(moment, stored.timestamp));
        })?;
        self.ttl.accessed(moment, 0)?;
        Ok(count)
    }
    fn for_each(&self, visitor: &mut dyn EntryVisitor<UK, UV>) -> Result<()> {
        let moment = self.ttl.moment();
        let mut after = Vec::new();
        self.inner.for_each(&mut |key: &UK, stored: &TtlValue<UV>| {
            let verdict = self.ttl.judge(moment, stored.timestamp);
            if verdict.then != Then::Nothing {
                after.push((key.clone(), verdict.then));
            }
            if verdict.visible {
                visitor.entry(key, &stored.value);
            }
        })?;
        for (key, then) in after {
            self.settle::<UK, UV, N>(&key, then, moment.now_ms)?;
        }
        self.ttl.accessed(moment, 0)?;
        Ok(())
    }
    fn is_entry_at_hand(&self, key: &UK) -> Result<bool> {
        self.inner.is_entry_at_hand(key)
    }
    fn want_entry(&self, key: &UK) -> Result<()> {
        self.inner.want_entry(key)
    }
}
