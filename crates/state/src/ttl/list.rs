//! A list state in which each element has a time to live of its own. Flink's `TtlListState`.

use super::{Expiry, TtlContext, TtlValue};
use crate::descriptor::StateData;
use crate::keyed::Namespace;
use crate::keyed::access::{KeyedAccess, ListAccess};
use millpond_core::Result;

/// Around a list state of [`TtlValue`]s.
pub(crate) struct TtlListState<A> {
    inner: A,
    ttl: TtlContext,
    update_on_read: bool,
}

impl<A> TtlListState<A> {
    /// Around `inner`.
    pub(crate) fn new(inner: A, ttl: TtlContext) -> Self {
        TtlListState {
            inner,
            update_on_read: ttl.updates_on_read(),
            ttl,
        }
    }
}

fn stamped<T>(values: Vec<T>, moment: Expiry) -> Vec<TtlValue<T>> {
    let stamp = |value| TtlValue {
        timestamp: moment.now_ms,
        value,
    };
    values.into_iter().map(stamp).collect()
}

impl<N, A: KeyedAccess<N>> KeyedAccess<N> for TtlListState<A> {
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

/// What a read found.
struct Found<T> {
    alive: Vec<TtlValue<T>>,
    stored: usize,
    /// How many are alive.
    alive_count: usize,
    /// Whether one is over or has not the present as its timestamp.
    stale: bool,
}

impl<A> TtlListState<A> {
    /// Shows `f` what a read sees, while the list is lent, and says what there is.
    fn read<T: StateData, N: Namespace>(&self, moment: Expiry, f: &mut dyn FnMut(&[T])) -> Result<Found<T>>
    where
        A: ListAccess<TtlValue<T>, N>,
    {
        let mut found = Found {
            alive: Vec::new(),
            stored: 0,
            alive_count: 0,
            stale: false,
        };
        self.inner.with(&mut |list| {
            found.stored = list.len();
            let mut shown = Vec::with_capacity(list.len());
            for stored in list {
                found.stale |= stored.timestamp != moment.now_ms;
                if !moment.is_over(stored.timestamp) {
                    found.alive_count += 1;
                    if self.update_on_read {
                        found.alive.push(TtlValue {
                            timestamp: moment.now_ms,
                            value: stored.value.clone(),
                        });
                    }
                }
                if self.ttl.visible(moment, stored.timestamp) {
                    shown.push(stored.value.clone());
                }
            }
            f(&shown);
        })?;
        Ok(found)
    }

    /// The elements that are not over, with the lives that they have.
    fn alive<T: StateData, N: Namespace>(&self, moment: Expiry) -> Result<Vec<TtlValue<T>>>
    where
        A: ListAccess<TtlValue<T>, N>,
    {
        let mut alive = Vec::new();
        self.inner.with(&mut |list| {
            let living = list.iter().filter(|e| !moment.is_over(e.timestamp));
            alive.extend(living.cloned());
        })?;
        Ok(alive)
    }
}

impl<T: StateData, N: Namespace, A: ListAccess<TtlValue<T>, N>> ListAccess<T, N> for TtlListState<A> {
    fn add(&self, value: T) -> Result<()> {
        let moment = self.ttl.moment();
        self.inner.add(TtlValue {
            timestamp: moment.now_ms,
            value,
        })?;
        self.ttl.accessed(moment, 1)?;
        Ok(())
    }
    fn add_all(&self, values: Vec<T>) -> Result<()> {
        let (moment, written) = (self.ttl.moment(), values.len());
        self.inner.add_all(stamped(values, moment))?;
        self.ttl.accessed(moment, written)?;
        Ok(())
    }
    fn update(&self, values: Vec<T>) -> Result<()> {
        let (moment, written) = (self.ttl.moment(), values.len());
        self.inner.update(stamped(values, moment))?;
        self.ttl.accessed(moment, written)?;
        Ok(())
    }
    fn with(&self, f: &mut dyn FnMut(&[T])) -> Result<()> {
        let moment = self.ttl.moment();
        let found = self.read(moment, f)?;
        if found.stored > 0 && found.alive_count == 0 {
            self.inner.clear()?;
        } else if self.update_on_read && found.stale {
            self.inner.update(found.alive)?;
        } else if self.ttl.cleans_up() && found.stored > 2 * found.alive_count {
            // A list that is read often may be in a cache, where no sweep comes by. Most of it is over: that pays for it.
            self.inner.update(self.alive(moment)?)?;
        }
        self.ttl.accessed(moment, 0)?;
        Ok(())
    }
    fn merge_namespaces(&self, target: &N, sources: &[N]) -> Result<()> {
        // The elements keep their timestamps: they are moved, not written.
        self.inner.merge_namespaces(target, sources)
    }
}
