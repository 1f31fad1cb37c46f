//! Expired values in a table: how each kind of value finds and removes its own, and the sweep that does so bit by bit.
//!
//! A sweep goes round over the entries of all shards and stops when its budget is spent; the next one goes on there. An
//! entry keeps its position until it fills the gap of a removed one or its shard is split, so between two such moments every
//! entry is met once a round; one that moves past the sweep is met in the next round. A frozen shard is looked at as it is, and taken back (which may
//! copy it) only when something in it is to be removed.

use super::small_map::SmallMap;
use super::state::TableState;
use crate::descriptor::StateData;
use crate::hashmap::codec::EntryCodec;
use crate::keyed::{MapKey, Namespace};
use crate::ttl::{Expiry, TtlCleanup, TtlValue};
use millpond_core::Result;
use millpond_core::host::Clock;
use millpond_types::StateKey;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// What a table stores for a key, when it has a time to live.
pub(super) trait Expiring: StateData {
    /// How many elements it has that live for themselves.
    fn elements(&self) -> usize;
    /// Whether one of `max` elements from `from` on is over.
    fn any_over(&self, from: usize, max: usize, moment: Expiry) -> bool;
    /// Removes what is over of `max` elements from `from` on, and more where that is cheaper.
    fn remove_over(&mut self, from: usize, max: usize, moment: Expiry) -> Removed;
    /// What a snapshot that leaves out the expired keeps.
    fn kept(&self, moment: Expiry) -> Kept<Self>;
}

/// What a removal came to.
pub(super) struct Removed {
    /// How many elements were looked at.
    pub(super) cost: usize,
    /// From which element on there is more to look at.
    pub(super) next: usize,
    /// Whether nothing is left.
    pub(super) gone: bool,
}

/// What is left of a value without what is over.
pub(super) enum Kept<V> {
    All,
    Some(V),
    Nothing,
}

/// Leaves the expired out of a snapshot.
pub(super) type SnapshotFilter<V> = fn(&V, Expiry) -> Kept<V>;

impl<T: StateData> Expiring for TtlValue<T> {
    fn elements(&self) -> usize {
        1
    }
    fn any_over(&self, _from: usize, _max: usize, moment: Expiry) -> bool {
        moment.is_over(self.timestamp)
    }
    fn remove_over(&mut self, _from: usize, _max: usize, moment: Expiry) -> Removed {
        Removed {
            cost: 1,
            next: 1,
            gone: moment.is_over(self.timestamp),
        }
    }
    fn kept(&self, moment: Expiry) -> Kept<Self> {
        if moment.is_over(self.timestamp) {
            Kept::Nothing
        } else {
            Kept::All
        }
    }
}

impl<T: StateData> Expiring for Vec<TtlValue<T>> {
    fn elements(&self) -> usize {
        self.len()
    }
    fn any_over(&self, from: usize, max: usize, moment: Expiry) -> bool {
        let mut elements = self.iter().skip(from).take(max);
        elements.any(|e| moment.is_over(e.timestamp))
    }
    fn remove_over(&mut self, _from: usize, _max: usize, moment: Expiry) -> Removed {
        // Taking one out of the middle moves all behind it, so all that are over go at once.
        let cost = self.len();
        self.retain(|e| !moment.is_over(e.timestamp));
        Removed {
            cost,
            next: self.len(),
            gone: self.is_empty(),
        }
    }
    fn kept(&self, moment: Expiry) -> Kept<Self> {
        if !self.any_over(0, self.len(), moment) {
            return Kept::All;
        }
        let mut kept = self.clone();
        if kept.remove_over(0, 0, moment).gone {
            Kept::Nothing
        } else {
            Kept::Some(kept)
        }
    }
}

impl<UK: MapKey, UV: StateData> Expiring for SmallMap<UK, TtlValue<UV>> {
    fn elements(&self) -> usize {
        self.len()
    }
    fn any_over(&self, from: usize, max: usize, moment: Expiry) -> bool {
        let mut entries = self.iter_from(from).take(max);
        entries.any(|(_, v)| moment.is_over(v.timestamp))
    }
    fn remove_over(&mut self, from: usize, max: usize, moment: Expiry) -> Removed {
        let mut next = from;
        let mut cost = 0;
        while cost < max && next < self.len() {
            cost += 1;
            if self.any_over(next, 1, moment) {
                // The last entry comes into its place, and is looked at next.
                self.remove_at(next);
            } else {
                next += 1;
            }
        }
        Removed {
            cost,
            next,
            gone: self.len() == 0,
        }
    }
    fn kept(&self, moment: Expiry) -> Kept<Self> {
        if !self.any_over(0, self.len(), moment) {
            return Kept::All;
        }
        let mut kept = SmallMap::default();
        for (key, value) in self.iter().filter(|(_, v)| !moment.is_over(v.timestamp)) {
            kept.insert(key.clone(), value.clone());
        }
        if kept.len() == 0 {
            Kept::Nothing
        } else {
            Kept::Some(kept)
        }
    }
}

/// Where a sweep stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) group: usize,
    pub(super) slot: usize,
    pub(super) position: usize,
    pub(super) element: usize,
}

/// How much a sweep may still do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Elements to look at.
    pub(super) elements: usize,
    /// Shards to look into, most of them perhaps empty.
    pub(super) shards: usize,
    /// Elements looked at beyond the budget.
    pub(super) overdrawn: usize,
}

impl Budget {
    pub(super) fn spent(&self) -> bool {
        self.elements == 0 || self.shards == 0
    }
    pub(super) fn charge(&mut self, elements: usize) {
        self.overdrawn += elements.saturating_sub(self.elements);
        self.elements = self.elements.saturating_sub(elements);
    }
}

/// How many shards a sweep may look into for each element: hardly any is empty, unless the state was emptied.
const SHARDS_PER_ELEMENT: usize = 64;

/// Sweeps one table with each access to it. Flink's `TtlIncrementalCleanup`.
pub(super) struct IncrementalCleanup<K, N, V, C> {
    state: Rc<TableState<K, N, V, C>>,
    cursor: Cell<Cursor>,
    cleanup_size: usize,
    /// What earlier steps did beyond their budget; later ones do so much less.
    debt: Cell<usize>,
}

impl<K, N, V, C> IncrementalCleanup<K, N, V, C> {
    /// Looks at `cleanup_size` elements for each that is written.
    pub(super) fn new(state: Rc<TableState<K, N, V, C>>, cleanup_size: usize) -> Self {
        IncrementalCleanup {
            state,
            cursor: Cell::default(),
            cleanup_size,
            debt: Cell::new(0),
        }
    }
}

impl<K, N, V, C> TtlCleanup for IncrementalCleanup<K, N, V, C>
where
    K: StateKey,
    N: Namespace,
    V: Expiring,
    C: EntryCodec<V>,
{
    fn step(&self, moment: Expiry, written: usize) -> Result<()> {
        // A read pays, too: looking costs no more than the read itself.
        let allowance = self.cleanup_size.saturating_mul(written.max(1));
        let debt = self.debt.get();
        self.debt.set(debt.saturating_sub(allowance));
        if debt >= allowance {
            return Ok(());
        }
        let elements = allowance - debt;
        let mut budget = Budget {
            elements,
            shards: elements.saturating_mul(SHARDS_PER_ELEMENT),
            overdrawn: 0,
        };
        let mut cursor = self.cursor.get();
        self.state.sweep(&mut cursor, &mut budget, moment);
        self.cursor.set(cursor);
        self.debt.set(budget.overdrawn);
        Ok(())
    }
}

/// What a table's snapshots leave out, and by which clock.
pub(super) struct FilteredSnapshots<V> {
    pub(super) filter: SnapshotFilter<V>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) time_to_live_ms: i64,
}

impl<V> FilteredSnapshots<V> {
    /// The filter of a snapshot that is taken now.
    pub(super) fn now(&self) -> (SnapshotFilter<V>, Expiry) {
        let moment = Expiry {
            now_ms: self.clock.now_ms(),
            time_to_live_ms: self.time_to_live_ms,
        };
        (self.filter, moment)
    }
}
