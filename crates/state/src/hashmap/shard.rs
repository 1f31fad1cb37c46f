//! A hash table whose entries lie side by side in one vector, found through an index of their positions.
//!
//! The index is open addressing with linear probing, at most three quarters full. A slot of it is 32 bits: as many low bits as
//! the index needs are the position of the entry, the others are those bits of its hash. A false match is rare, so a lookup
//! reads one line of the index and one of the entries, and both addresses are known from little: the first from the hash
//! alone, the second from the slot. That is what [`Shard::prefetch_index`] and [`Shard::prefetch_entry`] use; a table that
//! others wrote tells neither. Being dense, a shard is also copied, written to a snapshot and swept at the speed of a vector.

use millpond_core::memory::prefetch_at;

/// A slot without an entry. As a position it would be the last of the index, which is never that full.
const VACANT: u32 = u32::MAX;
/// The smallest index.
const INDEX_LEN_MIN: usize = 8;

/// A hash table. Whoever uses it computes the hashes; only their lower 32 bits count here.
#[derive(Clone, Debug)]
pub(super) struct Shard<E> {
    entries: Vec<E>,
    /// Empty, or as many slots as a power of two.
    index: Box<[u32]>,
}

/// Where an entry was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// The slot of the index.
    slot: u32,
    /// The position among the entries.
    position: u32,
}

impl<E> Default for Shard<E> {
    fn default() -> Self {
        Shard {
            entries: Vec::new(),
            index: Box::default(),
        }
    }
}

impl<E> Shard<E> {
    /// A shard that takes so many entries before its index has to grow.
    pub(super) fn with_capacity(entries: usize) -> Self {
        let slots = (entries + entries / 3 + 1).next_power_of_two().max(INDEX_LEN_MIN);
        Shard {
            entries: Vec::with_capacity(entries),
            index: vec![VACANT; slots].into(),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entries; each keeps its position until one before it or it itself is removed.
    #[inline]
    pub(super) fn entries(&self) -> &[E] {
        &self.entries
    }

    /// The entry at a position, to be changed in what its hash doesn't depend on.
    pub(super) fn entry_mut(&mut self, position: usize) -> Option<&mut E> {
        self.entries.get_mut(position)
    }

    /// Which bits of a slot are the position; all of them while there is no index.
    #[inline]
    fn mask(&self) -> u32 {
        (self.index.len() as u32).wrapping_sub(1)
    }

    /// Where the entry is that has this hash and that `eq` accepts.
    #[inline]
    pub(super) fn seek(&self, hash: u64, mut eq: impl FnMut(&E) -> bool) -> Option<Found> {
        let mask = self.mask();
        let (mut at, tag) = (hash as u32 & mask, hash as u32 & !mask);
        // Ends: there is a vacant slot, or no index.
        loop {
            let slot = *self.index.get(at as usize)?;
            if slot & !mask == tag && slot != VACANT {
                let position = slot & mask;
                if self.entries.get(position as usize).is_some_and(&mut eq) {
                    return Some(Found { slot: at, position });
                }
            } else if slot == VACANT {
                return None;
            }
            at = (at + 1) & mask;
        }
    }

    /// The entry that has this hash and that `eq` accepts.
    #[inline]
    pub(super) fn find(&self, hash: u64, eq: impl FnMut(&E) -> bool) -> Option<&E> {
        let found = self.seek(hash, eq)?;
        self.entries.get(found.position as usize)
    }

    /// The same, to be changed in what its hash doesn't depend on.
    #[inline]
    pub(super) fn find_mut(&mut self, hash: u64, eq: impl FnMut(&E) -> bool) -> Option<&mut E> {
        let found = self.seek(hash, eq)?;
        self.entries.get_mut(found.position as usize)
    }

    /// What was found, to be changed in what its hash doesn't depend on.
    #[inline]
    pub(super) fn found_mut(&mut self, found: Found) -> Option<&mut E> {
        self.entries.get_mut(found.position as usize)
    }

    /// Adds an entry that is not there yet.
    #[inline]
    pub(super) fn insert_unique(&mut self, hash: u64, entry: E, hasher: impl Fn(&E) -> u64) {
        if (self.entries.len() + 1) * 4 > self.index.len() * 3 {
            self.grow(hasher);
        }
        link(&mut self.index, hash, self.entries.len() as u32);
        self.entries.push(entry);
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, hasher: impl Fn(&E) -> u64) {
        let slots = (self.index.len() * 2).max(INDEX_LEN_MIN);
        self.index = vec![VACANT; slots].into();
        for (position, entry) in self.entries.iter().enumerate() {
            link(&mut self.index, hasher(entry), position as u32);
        }
    }

    /// Takes out what was found; the last entry moves into its place.
    pub(super) fn remove(&mut self, found: Found, hasher: impl Fn(&E) -> u64) -> E {
        let removed = self.entries.swap_remove(found.position as usize);
        self.moved_from_end(found.position, &hasher);
        self.unlink(found.slot, hasher);
        removed
    }

    /// Takes out the entry at a position; the last entry moves there.
    pub(super) fn remove_at(&mut self, position: usize, hasher: impl Fn(&E) -> u64) -> Option<E> {
        let hash = hasher(self.entries.get(position)?);
        let position = position as u32;
        let slot = self.slot_of(hash, position)?;
        Some(self.remove(Found { slot, position }, hasher))
    }

    /// Takes out what was found, lets `change` make another entry of the same hash of it or none, and puts that in its
    /// place. Answers whether there is one.
    #[inline]
    pub(super) fn replace(
        &mut self,
        found: Found,
        hasher: impl Fn(&E) -> u64,
        change: impl FnOnce(E) -> Option<E>,
    ) -> bool {
        if replace_at(&mut self.entries, found.position as usize, change) {
            return true;
        }
        self.moved_from_end(found.position, &hasher);
        self.unlink(found.slot, hasher);
        false
    }

    /// The slot of the entry with this hash at this position.
    fn slot_of(&self, hash: u64, position: u32) -> Option<u32> {
        let mask = self.mask();
        let mut at = hash as u32 & mask;
        loop {
            let slot = *self.index.get(at as usize)?;
            if slot == VACANT {
                return None;
            }
            if slot & mask == position {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
    }

    /// Makes the index say that the entry which was the last one is at `position` now.
    fn moved_from_end(&mut self, position: u32, hasher: impl Fn(&E) -> u64) {
        let last = self.entries.len() as u32;
        let Some(moved) = self.entries.get(position as usize) else {
            return;
        };
        let mask = self.mask();
        let slot = self.slot_of(hasher(moved), last);
        if let Some(slot) = slot.and_then(|at| self.index.get_mut(at as usize)) {
            *slot = (*slot & !mask) | position;
        }
    }

    /// Empties a slot of the index, and moves those behind it up that came there by probing over it.
    fn unlink(&mut self, slot: u32, hasher: impl Fn(&E) -> u64) {
        let mask = self.mask();
        let (mut hole, mut at) = (slot, slot);
        loop {
            at = (at + 1) & mask;
            let behind = self.index.get(at as usize).copied().unwrap_or(VACANT);
            if behind == VACANT {
                break;
            }
            let Some(entry) = self.entries.get((behind & mask) as usize) else {
                break;
            };
            let home = hasher(entry) as u32 & mask;
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.set_slot(hole, behind);
                hole = at;
            }
        }
        self.set_slot(hole, VACANT);
    }

    fn set_slot(&mut self, at: u32, value: u32) {
        if let Some(slot) = self.index.get_mut(at as usize) {
            *slot = value;
        }
    }

    /// Moves the entries whose hash `moves` accepts into another shard.
    pub(super) fn split(&mut self, hasher: impl Fn(&E) -> u64, moves: impl Fn(u64) -> bool) -> Shard<E> {
        let entries = std::mem::take(&mut self.entries);
        // Half of them each, and room for what comes soon.
        let expected = entries.len() / 2 + entries.len() / 8;
        let (mut moved, mut kept) = (Shard::with_capacity(expected), Shard::with_capacity(expected));
        for entry in entries {
            let hash = hasher(&entry);
            let shard = if moves(hash) { &mut moved } else { &mut kept };
            shard.insert_unique(hash, entry, &hasher);
        }
        *self = kept;
        moved
    }

    /// Asks for the part of the index where a lookup of this hash begins.
    #[inline]
    pub(super) fn prefetch_index(&self, hash: u64) {
        prefetch_at(&self.index, (hash as u32 & self.mask()) as usize);
    }

    /// Asks for the entry that a lookup of this hash looks at first.
    #[inline]
    pub(super) fn prefetch_entry(&self, hash: u64) {
        let mask = self.mask();
        if let Some(slot) = self.index.get((hash as u32 & mask) as usize) {
            prefetch_at(&self.entries, (slot & mask) as usize);
        }
    }
}

/// Lets `change` turn the element at a position into another; when it makes none, or panics, the last one moves there.
/// Answers whether it made one.
#[inline]
#[expect(
    unsafe_code,
    reason = "by way of safe code the last element would be moved away and back, which waits for its memory each time"
)]
fn replace_at<E>(elements: &mut Vec<E>, position: usize, change: impl FnOnce(E) -> Option<E>) -> bool {
    /// An element that is out; when this goes, the last one takes its place.
    struct Gap<'a, E> {
        elements: &'a mut Vec<E>,
        position: usize,
    }
    impl<E> Drop for Gap<'_, E> {
        fn drop(&mut self) {
            let last = self.elements.len() - 1;
            let elements = self.elements.as_mut_ptr();
            // SAFETY: `position` is at most `last`, and both are within the vector; the element at `position` was moved
            // out, and the one at `last` counts no more once it has been copied there.
            unsafe {
                std::ptr::copy(elements.add(last), elements.add(self.position), 1);
                self.elements.set_len(last);
            }
        }
    }

    let Some(element) = elements.get_mut(position) else {
        return false;
    };
    // SAFETY: nobody uses the element where it lies until it is written again, or `Gap` has closed the gap.
    let taken = unsafe { std::ptr::read(element) };
    let gap = Gap { elements, position };
    match change(taken) {
        Some(changed) => {
            // SAFETY: the position is within the vector, which nobody has changed, and its element was moved out.
            unsafe { std::ptr::write(gap.elements.as_mut_ptr().add(position), changed) };
            std::mem::forget(gap);
            true
        }
        None => false,
    }
}

/// Puts a position into the first vacant slot for a hash.
#[inline]
fn link(index: &mut [u32], hash: u64, position: u32) {
    let mask = (index.len() as u32).wrapping_sub(1);
    let mut at = hash as u32 & mask;
    while let Some(slot) = index.get_mut(at as usize) {
        if *slot == VACANT {
            *slot = (hash as u32 & !mask) | position;
            return;
        }
        at = (at + 1) & mask;
    }
}

#[cfg(test)]
mod tests;
