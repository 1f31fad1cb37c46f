//! The timers of one kind (event time or processing time) of one operator instance, apart by key group.
//!
//! Key groups are the unit in which a snapshot is written and a job rescaled. An index of the groups' first timers finds
//! the next one due, as Flink's `KeyGroupPartitionedPriorityQueue` does with a heap of heaps.

use super::element::TimerElement;
use super::heads::Heads;
use super::set::TimerSet;
use millpond_types::KeyGroupRange;

/// Sorted timers by key group. Cloning it freezes it: one reference count a key group.
#[derive(Clone, Debug)]
pub(super) struct KeyGroupedTimers {
    range: KeyGroupRange,
    groups: Vec<TimerSet>,
    heads: Heads,
    len: usize,
}

impl KeyGroupedTimers {
    /// No timers, for the key groups of `range`.
    pub(super) fn new(range: KeyGroupRange) -> Self {
        KeyGroupedTimers {
            range,
            groups: range.iter().map(|_| TimerSet::default()).collect(),
            heads: Heads::default(),
            len: 0,
        }
    }

    /// The key groups of the instance.
    #[cfg(test)]
    pub(super) fn range(&self) -> KeyGroupRange {
        self.range
    }

    /// How many chunks are the same memory in both, and how many there are.
    #[cfg(test)]
    pub(super) fn chunks_shared_with(&self, other: &Self) -> (usize, usize) {
        let counts = self
            .groups
            .iter()
            .zip(&other.groups)
            .map(|(a, b)| a.chunks_shared_with(b));
        counts.fold((0, 0), |sum, n| (sum.0 + n.0, sum.1 + n.1))
    }

    /// How many timers there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The timestamp of the next timer due.
    pub(super) fn next_timestamp(&self) -> Option<i64> {
        self.heads.first().map(|(timestamp, _)| timestamp)
    }

    /// Adds a timer; false when it is there already or its key group is not ours.
    pub(super) fn insert(&mut self, key_group: u32, timer: TimerElement) -> bool {
        let added = self.change(key_group, |set| set.insert(timer));
        self.len += usize::from(added);
        added
    }

    /// Takes a timer out; false when it is not there.
    pub(super) fn remove(&mut self, key_group: u32, timer: &TimerElement) -> bool {
        let removed = self.change(key_group, |set| set.remove(timer));
        self.len -= usize::from(removed);
        removed
    }

    /// Takes out the next timer due at or before `time`, and its key group. Among timers of one timestamp the lower key
    /// group comes first, then the lower serialized key and namespace.
    pub(super) fn pop_due(&mut self, time: i64) -> Option<(u32, TimerElement)> {
        let (timestamp, key_group) = self.heads.first()?;
        if timestamp > time {
            return None;
        }
        let mut popped = None;
        self.change(key_group, |set| {
            popped = set.pop_first();
            popped.is_some()
        });
        let timer = popped?;
        self.len -= 1;
        Some((key_group, timer))
    }

    /// The timers of a key group, in order; none for a group that is not ours.
    pub(super) fn group(&self, key_group: u32) -> impl Iterator<Item = &TimerElement> {
        self.index(key_group)
            .and_then(|i| self.groups.get(i))
            .into_iter()
            .flat_map(TimerSet::iter)
    }

    fn index(&self, key_group: u32) -> Option<usize> {
        self.range
            .contains(key_group)
            .then(|| (key_group - self.range.first()) as usize)
    }

    /// Changes a group and keeps the index of first timers right.
    fn change(&mut self, key_group: u32, f: impl FnOnce(&mut TimerSet) -> bool) -> bool {
        let Some(set) = self.index(key_group).and_then(|i| self.groups.get_mut(i)) else {
            return false;
        };
        let before = set.first().map(TimerElement::timestamp);
        let changed = f(set);
        let after = set.first().map(TimerElement::timestamp);
        self.heads.moved(key_group, before, after);
        changed
    }
}
