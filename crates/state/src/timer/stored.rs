//! Timers in a backend's store instead of in memory: what Flink's `KeyGroupPartitionedPriorityQueue` of
//! `RocksDBCachingPriorityQueueSet`s is.
//!
//! Of each key group the first timers are in memory (its *head*), the others in the store alone. A boundary divides them:
//! timers below it are in the head, all of them, and those from it on are not. So whether a timer is in memory is decided by
//! a comparison, and one beyond the boundary is registered and deleted without reading. A timer that comes and goes while it
//! is in the head never gets to the store: it is written there when it is pushed out, or for a snapshot.

use super::element::TimerElement;
use super::heads::Heads;
use super::key_grouped::KeyGroupedTimers;
use crate::snapshot::SortedStore;
use millpond_core::Result;
use millpond_types::{DataOutput, KeyGroupRange};
use std::collections::VecDeque;
use std::fmt;

/// Sorted timers by key group.
pub(super) struct StoredTimers {
    range: KeyGroupRange,
    groups: Vec<Head>,
    heads: Heads,
    places: Places,
}

/// The first timers of a key group.
#[derive(Debug, Default)]
struct Head {
    /// In ascending order.
    timers: VecDeque<HeadTimer>,
    /// No stored timer is below it but those in `timers`; `None`: no other is stored.
    boundary: Option<TimerElement>,
}

#[derive(Debug)]
struct HeadTimer {
    timer: TimerElement,
    /// Whether the store has it too.
    stored: bool,
}

/// The store, and how much of it may be in memory.
struct Places {
    store: Box<dyn SortedStore>,
    head_size: usize,
    buffer: DataOutput,
}

impl fmt::Debug for StoredTimers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredTimers")
            .field("key_groups", &self.range)
            .field("head_size", &self.places.head_size)
            .finish_non_exhaustive()
    }
}

impl Places {
    fn put(&mut self, key_group: u32, timer: &TimerElement) -> Result<()> {
        self.buffer.clear();
        timer.write(&mut self.buffer);
        self.store.put(key_group, self.buffer.as_slice())
    }

    fn delete(&mut self, key_group: u32, timer: &TimerElement) -> Result<()> {
        self.buffer.clear();
        timer.write(&mut self.buffer);
        self.store.delete(key_group, self.buffer.as_slice())
    }

    /// Shows the stored timers from `from` on.
    fn scan(
        &mut self,
        key_group: u32,
        from: Option<&TimerElement>,
        mut f: impl FnMut(TimerElement) -> bool,
    ) -> Result<()> {
        self.buffer.clear();
        if let Some(from) = from {
            from.write(&mut self.buffer);
        }
        self.store.scan(key_group, self.buffer.as_slice(), &mut |bytes| {
            TimerElement::from_bytes(bytes).map(&mut f)
        })
    }
}

impl Head {
    fn first(&self) -> Option<i64> {
        self.timers.front().map(|first| first.timer.timestamp())
    }

    fn is_beyond(&self, timer: &TimerElement) -> bool {
        self.boundary.as_ref().is_some_and(|boundary| timer >= boundary)
    }

    fn position(&self, timer: &TimerElement) -> std::result::Result<usize, usize> {
        self.timers.binary_search_by(|held| held.timer.cmp(timer))
    }

    fn insert(&mut self, key_group: u32, timer: TimerElement, places: &mut Places) -> Result<()> {
        if self.is_beyond(&timer) {
            return places.put(key_group, &timer);
        }
        let Err(position) = self.position(&timer) else {
            return Ok(());
        };
        let stored = false;
        self.timers.insert(position, HeadTimer { timer, stored });
        if self.timers.len() > places.head_size {
            self.push_last_out(key_group, places)?;
        }
        Ok(())
    }

    fn push_last_out(&mut self, key_group: u32, places: &mut Places) -> Result<()> {
        if let Some(last) = self.timers.back() {
            if !last.stored {
                places.put(key_group, &last.timer)?;
            }
            self.boundary = self.timers.pop_back().map(|last| last.timer);
        }
        Ok(())
    }

    fn remove(&mut self, key_group: u32, timer: &TimerElement, places: &mut Places) -> Result<()> {
        if self.is_beyond(timer) {
            return places.delete(key_group, timer);
        }
        match self.position(timer) {
            Ok(position) => self.take(key_group, position, places).map(drop),
            Err(_) => Ok(()),
        }
    }

    /// Takes a timer out of the head and out of the store.
    fn take(&mut self, key_group: u32, position: usize, places: &mut Places) -> Result<Option<TimerElement>> {
        let Some(held) = self.timers.get(position) else {
            return Ok(None);
        };
        if held.stored {
            places.delete(key_group, &held.timer)?;
        }
        let taken = self.timers.remove(position).map(|held| held.timer);
        if self.timers.is_empty() && self.boundary.is_some() {
            self.fill(key_group, places)?;
        }
        Ok(taken)
    }

    /// Fills an empty head from the store.
    fn fill(&mut self, key_group: u32, places: &mut Places) -> Result<()> {
        let mut boundary = None;
        let timers = &mut self.timers;
        let size = places.head_size;
        // From the boundary on, so that the marks of deleted timers before it are not read again.
        places.scan(key_group, self.boundary.as_ref(), |timer| {
            if timers.len() < size {
                let stored = true;
                timers.push_back(HeadTimer { timer, stored });
                return true;
            }
            boundary = Some(timer);
            false
        })?;
        self.boundary = boundary;
        Ok(())
    }

    /// Puts into the store what only the head has.
    fn store(&mut self, key_group: u32, places: &mut Places) -> Result<()> {
        for held in self.timers.iter_mut().filter(|held| !held.stored) {
            places.put(key_group, &held.timer)?;
            held.stored = true;
        }
        Ok(())
    }
}

impl StoredTimers {
    /// The timers that `store` has, with at most `head_size` of each key group in memory.
    pub(super) fn new(range: KeyGroupRange, store: Box<dyn SortedStore>, head_size: usize) -> Result<Self> {
        let mut timers = StoredTimers {
            range,
            groups: Vec::with_capacity(range.count()),
            heads: Heads::default(),
            places: Places {
                store,
                head_size: head_size.max(1),
                buffer: DataOutput::new(),
            },
        };
        for key_group in range.iter() {
            let mut head = Head::default();
            head.fill(key_group, &mut timers.places)?;
            timers.heads.moved(key_group, None, head.first());
            timers.groups.push(head);
        }
        Ok(timers)
    }

    /// The timestamp of the next timer due.
    pub(super) fn next_timestamp(&self) -> Option<i64> {
        self.heads.first().map(|(timestamp, _)| timestamp)
    }

    /// Adds a timer; nothing happens when it is there already or its key group is not ours.
    pub(super) fn insert(&mut self, key_group: u32, timer: TimerElement) -> Result<()> {
        self.change(key_group, |head, places| head.insert(key_group, timer, places))
    }

    /// Takes a timer out, if it is there.
    pub(super) fn remove(&mut self, key_group: u32, timer: &TimerElement) -> Result<()> {
        self.change(key_group, |head, places| head.remove(key_group, timer, places))
    }

    /// Takes out the next timer due at or before `time`, and its key group, in the order of [`KeyGroupedTimers::pop_due`].
    pub(super) fn pop_due(&mut self, time: i64) -> Result<Option<(u32, TimerElement)>> {
        let Some((timestamp, key_group)) = self.heads.first() else {
            return Ok(None);
        };
        if timestamp > time {
            return Ok(None);
        }
        let mut popped = None;
        self.change(key_group, |head, places| {
            popped = head.take(key_group, 0, places)?;
            Ok(())
        })?;
        Ok(popped.map(|timer| (key_group, timer)))
    }

    /// How many timers there are, by reading all of them.
    pub(super) fn count(&mut self) -> Result<usize> {
        let mut count = 0;
        self.for_each(|_, _| count += 1)?;
        Ok(count)
    }

    /// All timers, in memory.
    pub(super) fn read_all(&mut self) -> Result<KeyGroupedTimers> {
        let mut timers = KeyGroupedTimers::new(self.range);
        self.for_each(|key_group, timer| {
            timers.insert(key_group, timer);
        })?;
        Ok(timers)
    }

    fn for_each(&mut self, mut f: impl FnMut(u32, TimerElement)) -> Result<()> {
        for (key_group, head) in self.range.iter().zip(&self.groups) {
            head.timers
                .iter()
                .for_each(|held| f(key_group, held.timer.clone()));
            if let Some(boundary) = &head.boundary {
                self.places.scan(key_group, Some(boundary), |timer| {
                    f(key_group, timer);
                    true
                })?;
            }
        }
        Ok(())
    }

    /// Puts what is only in memory into the store.
    pub(super) fn hand_over(&mut self) -> Result<()> {
        for (key_group, head) in self.range.iter().zip(&mut self.groups) {
            head.store(key_group, &mut self.places)?;
        }
        Ok(())
    }

    /// Changes a group and keeps the index of first timers right, also when the change fails half way.
    fn change(&mut self, key_group: u32, f: impl FnOnce(&mut Head, &mut Places) -> Result<()>) -> Result<()> {
        if !self.range.contains(key_group) {
            return Ok(());
        }
        let Some(head) = self.groups.get_mut((key_group - self.range.first()) as usize) else {
            return Ok(());
        };
        let before = head.first();
        let result = f(head, &mut self.places);
        self.heads.moved(key_group, before, head.first());
        result
    }
}
