//! A hash table whose entries lie side by side in one vector, found through an [`Index`] of their positions.
//!
//! A lookup reads half a line of the index and one entry, and both addresses are known from little: the first from the hash
//! alone, the second from the index. That is what [`Shard::prefetch_index`] and [`Shard::likely`] use; a table that
//! others wrote tells neither. Being dense, a shard is also copied, written to a snapshot and swept at the speed of a vector.

mod entries;
mod index;

use entries::Entries;
use index::Index;
use std::mem::needs_drop;
use std::sync::Arc;

/// A hash table. Whoever uses it computes the hashes; only their lower 32 bits count here.
#[derive(Clone, Debug)]
pub(super) struct Shard<E> {
    entries: Entries<E>,
    index: Index,
}

impl<E> Default for Shard<E> {
    fn default() -> Self {
        Shard {
            entries: Entries::default(),
            index: Index::default(),
        }
    }
}

impl<E> Shard<E> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entries in the order of their positions. Each keeps its position until one before it or it itself is removed.
    #[inline]
    pub(super) fn entries(&self) -> impl Iterator<Item = &E> {
        self.entries.iter()
    }

    /// The entry at a position.
    #[inline]
    pub(super) fn entry(&self, position: usize) -> Option<&E> {
        self.entries.get(position)
    }

    /// Takes over what a shard that a snapshot had still lends to this one, if the snapshot is done with it; what that leaves over goes
    /// bit by bit, with each call.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.entries.is_unsettled() {
            self.entries.settle();
        }
    }

    /// The position of the entry that has this hash and that `eq` accepts.
    #[inline(always)]
    pub(super) fn seek(&self, hash: u64, mut eq: impl FnMut(&E) -> bool) -> Option<usize> {
        let entries = &self.entries;
        let found = self.index.find(hash, |position| {
            entries.get(position as usize).is_some_and(&mut eq)
        });
        Some(found?.position as usize)
    }

    /// Adds an entry that is not there yet.
    #[inline]
    pub(super) fn insert_unique(&mut self, hash: u64, entry: E, hasher: impl Fn(&E) -> u64) {
        if self.index.is_too_small_for(self.entries.len() + 1) {
            self.grow(hasher);
        }
        self.index.link(hash, self.entries.len() as u32);
        self.entries.push(entry);
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, hasher: impl Fn(&E) -> u64) {
        self.link_all(self.index.doubled(), hasher);
    }

    /// Finds the entries by `index` from now on, which has to be empty and large enough.
    fn link_all(&mut self, index: Index, hasher: impl Fn(&E) -> u64) {
        self.index = index;
        for (position, entry) in self.entries.iter().enumerate() {
            self.index.link(hasher(entry), position as u32);
        }
    }

    /// Makes the index know that the entry of this hash at this position is gone and that the one which was the last has its place.
    fn forget(&mut self, hash: u64, position: usize, hasher: impl Fn(&E) -> u64) {
        let entries = &self.entries;
        let Some(found) = self.index.find(hash, |at| at as usize == position) else {
            return;
        };
        if let Some(moved) = entries.get(position) {
            self.index
                .moved(hasher(moved), entries.len() as u32, found.position);
        }
        self.index
            .unlink(found, |position| entries.get(position as usize).map(&hasher));
    }

    /// Asks for the part of the index where a lookup of this hash begins.
    #[inline]
    pub(super) fn prefetch_index(&self, hash: u64) {
        self.index.prefetch(hash);
    }

    /// Asks for the place where the next entry goes.
    #[inline]
    pub(super) fn prefetch_end(&self) {
        self.entries.prefetch_end();
    }

    /// The position that a lookup of this hash looks at first, most likely that of what it finds, and the entry there. Reads the
    /// index alone.
    #[inline]
    pub(super) fn likely(&self, hash: u64) -> Option<(u32, &E)> {
        let position = self.index.likely(hash)?;
        Some((position, self.entries.get(position as usize)?))
    }
}

impl<E: Clone> Shard<E> {
    /// A shard with what `frozen` holds, which a snapshot still has. See [`entries`].
    pub(super) fn of_frozen(frozen: Arc<Shard<E>>) -> Self {
        if !needs_drop::<E>() {
            return Arc::unwrap_or_clone(frozen);
        }
        Shard {
            index: frozen.index.clone(),
            entries: Entries::lent_by(frozen),
        }
    }

    /// The entry at a position, to be changed in what its hash doesn't depend on.
    #[inline]
    pub(super) fn entry_mut(&mut self, position: usize) -> Option<&mut E> {
        self.entries.get_mut(position)
    }

    /// Whether a snapshot has the entry at a position, and a change of it would copy it.
    #[inline]
    pub(super) fn is_lent(&self, position: usize) -> bool {
        self.entries.is_lent(position)
    }

    /// Puts an entry of the same hash into the place of one that is lent.
    #[inline]
    pub(super) fn put_lent(&mut self, position: usize, entry: E) {
        self.entries.put_lent(position, entry);
    }

    /// Takes out the entry at a position; the last one moves there.
    pub(super) fn remove(&mut self, position: usize, hasher: impl Fn(&E) -> u64) -> Option<E> {
        let hash = hasher(self.entries.get(position)?);
        let removed = self.entries.swap_remove(position);
        self.forget(hash, position, hasher);
        Some(removed)
    }

    /// Takes out the entry of this hash at a position, lets `change` make another one of the same hash of it or none, and puts that in
    /// its place. Answers whether there is one.
    #[inline]
    pub(super) fn replace(
        &mut self,
        hash: u64,
        position: usize,
        hasher: impl Fn(&E) -> u64,
        change: impl FnOnce(E) -> Option<E>,
    ) -> bool {
        if self.entries.replace_at(position, change) {
            return true;
        }
        self.forget(hash, position, hasher);
        false
    }

    /// Moves the entries whose hash `moves` accepts into another shard. Both then have room for as many entries as this one had: by
    /// the time that either is split again it has about as many. Their indexes are small at first, for each lookup reads those.
    pub(super) fn split(&mut self, hasher: impl Fn(&E) -> u64, moves: impl Fn(u64) -> bool) -> Shard<E> {
        let mut moved = Shard {
            entries: Entries::with_capacity(self.len() + self.len() / 8),
            index: Index::with_capacity(self.len() / 2 + self.len() / 8),
        };
        self.entries.take_back_all();
        let mut position = 0;
        while let Some(entry) = self.entries.get(position) {
            let hash = hasher(entry);
            if moves(hash) {
                moved.insert_unique(hash, self.entries.swap_remove(position), &hasher);
            } else {
                position += 1;
            }
        }
        self.link_all(Index::with_capacity(self.len() + self.len() / 4), hasher);
        moved
    }
}

#[cfg(test)]
mod tests;
