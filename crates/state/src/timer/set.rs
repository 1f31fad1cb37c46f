//! The timers of one key group: a sorted set that is frozen by cloning it.
//!
//! Two levels of sorted runs behind `Arc`s. A clone shares everything; the first write after it copies the list of
//! chunk pointers and then only the chunks that are touched, so that neither the snapshot nor the writes after it ever copy
//! a whole key group at once. This takes the place of Flink's `HeapPriorityQueueSet`, whose heap is copied in full.

use super::element::TimerElement;
use std::collections::VecDeque;
use std::sync::Arc;

/// Timers in a chunk, at most: 4 KiB to move or copy at the worst.
const CHUNK_MAX: usize = 128;
/// A chunk smaller than this looks for a neighbour to join.
const CHUNK_SMALL: usize = CHUNK_MAX / 4;

type Chunk = VecDeque<TimerElement>;

/// A sorted set of timers. Cloning it is one reference count.
///
/// Invariant: no chunk is empty, and elements ascend within and across chunks.
#[derive(Clone, Debug, Default)]
pub(super) struct TimerSet {
    chunks: Arc<VecDeque<Arc<Chunk>>>,
}

impl TimerSet {
    /// The timer that is due first.
    pub(super) fn first(&self) -> Option<&TimerElement> {
        self.chunks.front()?.front()
    }

    /// How many chunks are the same memory in both, and how many there are.
    #[cfg(test)]
    pub(super) fn chunks_shared_with(&self, other: &Self) -> (usize, usize) {
        let same = |c: &&Arc<Chunk>| other.chunks.iter().any(|d| Arc::ptr_eq(c, d));
        (self.chunks.iter().filter(same).count(), self.chunks.len())
    }

    /// The timers in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &TimerElement> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// Adds a timer; false when it is there already.
    pub(super) fn insert(&mut self, timer: TimerElement) -> bool {
        let at = self.chunk_index(&timer);
        let Some(chunk) = self.chunks.get(at) else {
            Arc::make_mut(&mut self.chunks).push_back(Arc::new(Chunk::from([timer])));
            return true;
        };
        let Err(position) = chunk.binary_search(&timer) else {
            return false;
        };
        let full = chunk.len() >= CHUNK_MAX;
        let chunks = Arc::make_mut(&mut self.chunks);
        if !full {
            with_chunk(chunks, at, |chunk| chunk.insert(position, timer));
        } else if position == CHUNK_MAX && at + 1 == chunks.len() {
            // Timestamps mostly grow: leave the chunk full instead of half empty.
            chunks.push_back(Arc::new(Chunk::from([timer])));
        } else {
            let mut upper = Chunk::new();
            with_chunk(chunks, at, |chunk| {
                upper = chunk.split_off(CHUNK_MAX / 2);
                match position.checked_sub(chunk.len()) {
                    Some(in_upper) if in_upper > 0 => upper.insert(in_upper, timer),
                    _ => chunk.insert(position, timer),
                }
            });
            chunks.insert(at + 1, Arc::new(upper));
        }
        true
    }

    /// Takes a timer out; false when it is not there.
    pub(super) fn remove(&mut self, timer: &TimerElement) -> bool {
        let at = self.chunk_index(timer);
        let Some(Ok(position)) = self.chunks.get(at).map(|c| c.binary_search(timer)) else {
            return false;
        };
        let chunks = Arc::make_mut(&mut self.chunks);
        with_chunk(chunks, at, |chunk| drop(chunk.remove(position)));
        shrink(chunks, at);
        true
    }

    /// Takes out the timer that is due first.
    pub(super) fn pop_first(&mut self) -> Option<TimerElement> {
        self.first()?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let front = chunks.front_mut()?;
        let timer = Arc::make_mut(front).pop_front()?;
        if front.is_empty() {
            chunks.pop_front();
        }
        Some(timer)
    }

    /// The chunk that holds `timer`, or would.
    fn chunk_index(&self, timer: &TimerElement) -> usize {
        self.chunks
            .partition_point(|chunk| chunk.front().is_some_and(|first| first <= timer))
            .saturating_sub(1)
    }
}

fn with_chunk(chunks: &mut VecDeque<Arc<Chunk>>, at: usize, f: impl FnOnce(&mut Chunk)) {
    if let Some(chunk) = chunks.get_mut(at) {
        f(Arc::make_mut(chunk));
    }
}

/// Removes the chunk at `at` if it is empty, and joins it with a neighbour if both are small: many deletions must not
/// leave many chunks of one timer each.
fn shrink(chunks: &mut VecDeque<Arc<Chunk>>, at: usize) {
    let len_at = |chunks: &VecDeque<Arc<Chunk>>, i: usize| chunks.get(i).map_or(CHUNK_MAX, |c| c.len());
    let len = len_at(chunks, at);
    if len == 0 {
        chunks.remove(at);
    } else if len < CHUNK_SMALL {
        let fits = |left: &usize| len_at(chunks, *left) + len_at(chunks, left + 1) <= CHUNK_MAX / 2;
        let left = [Some(at), at.checked_sub(1)].into_iter().flatten().find(fits);
        let Some((left, right)) = left.and_then(|left| Some((left, chunks.remove(left + 1)?))) else {
            return;
        };
        with_chunk(chunks, left, |chunk| chunk.extend(Arc::unwrap_or_clone(right)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millpond_core::host::SeededRandom;
    use std::collections::BTreeSet;

    fn timer(n: u64) -> TimerElement {
        TimerElement::new((n / 4) as i64, &(n % 4).to_be_bytes())
    }

    fn check(set: &TimerSet, model: &BTreeSet<TimerElement>) {
        assert!(set.iter().eq(model.iter()));
        assert!(set.chunks.iter().all(|c| !c.is_empty() && c.len() <= CHUNK_MAX));
    }

    /// Goal: the set is a set, and a clone never changes. Method: random operations against `BTreeSet`, growing and then
    /// shrinking, with clones kept and compared at the end.
    #[test]
    fn behaves_as_a_sorted_set_and_clones_stay_frozen() {
        for seed in 0..20 {
            let mut random = SeededRandom::new(seed);
            let (mut set, mut model) = (TimerSet::default(), BTreeSet::new());
            let mut frozen = Vec::new();
            for step in 0..10_000 {
                let t = timer(random.below(6_000));
                let growing = step < 5_000;
                match random.below(10) {
                    0 => assert_eq!(set.pop_first(), model.pop_first()),
                    n if (n < 7) == growing => assert_eq!(set.insert(t.clone()), model.insert(t)),
                    _ => assert_eq!(set.remove(&t), model.remove(&t)),
                }
                assert_eq!(set.first(), model.first());
                if step % 1_000 == 0 {
                    frozen.push((set.clone(), model.clone()));
                }
            }
            check(&set, &model);
            frozen.iter().for_each(|(set, model)| check(set, model));
        }
    }

    /// Goal: deletions don't leave a long list of nearly empty chunks. Method: delete all but every fiftieth timer.
    #[test]
    fn sparse_chunks_are_joined() {
        let mut set = TimerSet::default();
        (0..50_000).for_each(|n| assert!(set.insert(timer(n))));
        assert!(set.chunks.len() < 400, "appending leaves chunks full");
        (0..50_000)
            .filter(|n| n % 50 != 0)
            .for_each(|n| assert!(set.remove(&timer(n))));
        assert_eq!(set.iter().count(), 1_000);
        assert!(set.chunks.len() < 100, "{} chunks", set.chunks.len());
    }
}
