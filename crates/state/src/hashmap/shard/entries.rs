//! The entries of a shard, side by side; of a shard that a snapshot still has, they stay there until they are written.
//!
//! A copy of a shard whose values have memory of their own would take as long as making all of them again, and whoever writes one
//! value after a snapshot would wait for the whole of it. So such entries are *lent*: the new vector has a place for each of
//! them, and the first write to one puts a copy there. When the snapshot is done with the old shard, what is still lent moves over.
//! Entries without memory of their own are copied at once, which is a copy of bytes.

use super::Shard;
use millpond_core::memory::prefetch_end;
use std::mem::{MaybeUninit, needs_drop};
use std::sync::Arc;

/// A vector of entries, some of which may lie in a frozen shard.
#[derive(Debug)]
pub(super) struct Entries<E> {
    /// Those that are not lent; they alone are initialized.
    own: Vec<MaybeUninit<E>>,
    lender: Option<Box<Lender<E>>>,
    unwanted: Option<Box<Unwanted<E>>>,
}

/// What a lender had and we have replaced: dropped a few at a time, for all at once would hold up whoever writes just then.
#[derive(Debug)]
struct Unwanted<E>(Vec<E>);

/// How many are dropped at a time.
const DROPPED_AT_ONCE: usize = 4;

/// Where lent entries lie: at the same positions.
#[derive(Debug)]
struct Lender<E> {
    shard: Arc<Shard<E>>,
    /// A bit for each position of the lender's. None is set behind its own end or behind ours.
    lent: Box<[u64]>,
    /// How many are set; never none.
    count: usize,
}

/// A bit and the word that it is in.
#[inline]
fn bit(position: usize) -> (usize, u64) {
    (position / 64, 1 << (position % 64))
}

impl<E> Lender<E> {
    #[inline]
    fn lends(&self, position: usize) -> bool {
        let (word, bit) = bit(position);
        self.lent.get(word).is_some_and(|w| w & bit != 0)
    }

    fn returned(&mut self, position: usize) {
        let (word, bit) = bit(position);
        if let Some(word) = self.lent.get_mut(word)
            && *word & bit != 0
        {
            *word &= !bit;
            self.count -= 1;
        }
    }
}

impl<E> Default for Entries<E> {
    fn default() -> Self {
        Entries {
            own: Vec::new(),
            lender: None,
            unwanted: None,
        }
    }
}

impl<E> Entries<E> {
    pub(super) fn with_capacity(entries: usize) -> Self {
        Entries {
            own: Vec::with_capacity(entries),
            lender: None,
            unwanted: None,
        }
    }

    /// Lends all entries of `shard`, whose entries should have memory of their own: others are better copied.
    pub(super) fn lent_by(shard: Arc<Shard<E>>) -> Self {
        let len = shard.entries.len();
        let mut lent = vec![u64::MAX; len.div_ceil(64)];
        if let Some(last) = lent.last_mut()
            && !len.is_multiple_of(64)
        {
            *last = (1 << (len % 64)) - 1;
        }
        let mut own = Vec::new();
        own.resize_with(len, MaybeUninit::uninit);
        let lender = Lender {
            shard,
            lent: lent.into(),
            count: len,
        };
        Entries {
            own,
            lender: (len > 0).then(|| Box::new(lender)),
            unwanted: None,
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.own.len()
    }

    /// Whether some of them may be lent.
    #[inline]
    pub(super) fn has_lender(&self) -> bool {
        needs_drop::<E>() && self.lender.is_some()
    }

    #[inline]
    fn lends(&self, position: usize) -> Option<&Lender<E>> {
        if !needs_drop::<E>() {
            return None;
        }
        self.lender.as_deref().filter(|l| l.lends(position))
    }

    #[inline]
    #[expect(unsafe_code, reason = "a place of a lent entry holds nothing")]
    pub(super) fn get(&self, position: usize) -> Option<&E> {
        if let Some(lender) = self.lends(position) {
            return lender.shard.entries.get(position);
        }
        // SAFETY: it is not lent, so it is initialized.
        self.own.get(position).map(|e| unsafe { e.assume_init_ref() })
    }

    /// All of them, if none is lent.
    #[inline]
    #[expect(unsafe_code, reason = "every place holds an entry then")]
    fn as_slice(&self) -> Option<&[E]> {
        if self.has_lender() {
            return None;
        }
        // SAFETY: nothing is lent, so all are initialized, and `MaybeUninit<E>` lies in memory as `E` does.
        Some(unsafe { std::slice::from_raw_parts(self.own.as_ptr().cast(), self.own.len()) })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &E> {
        let own = self.as_slice();
        let lent = if own.is_some() { 0..0 } else { 0..self.len() };
        own.into_iter()
            .flatten()
            .chain(lent.filter_map(|position| self.get(position)))
    }

    /// Asks for the place where the next one goes.
    #[inline]
    pub(super) fn prefetch_end(&self) {
        prefetch_end(&self.own);
    }

    #[inline]
    pub(super) fn push(&mut self, entry: E) {
        self.own.push(MaybeUninit::new(entry));
    }

    /// Whether [`Entries::settle`] may have something to do.
    #[inline]
    pub(super) fn is_unsettled(&self) -> bool {
        needs_drop::<E>() && (self.lender.is_some() || self.unwanted.is_some())
    }

    /// Takes over what is still lent, if nobody else has the lender any more, or drops some of what is not wanted of earlier ones.
    pub(super) fn settle(&mut self) {
        if let Some(Unwanted(entries)) = self.unwanted.as_deref_mut() {
            entries.truncate(entries.len().saturating_sub(DROPPED_AT_ONCE));
            if entries.is_empty() {
                self.unwanted = None;
            }
        }
        self.take_over();
    }

    #[cold]
    #[inline(never)]
    #[expect(
        unsafe_code,
        reason = "entries move from a vector that does not drop them then"
    )]
    fn take_over(&mut self) {
        while let Some(lender) = self.lender.take_if(|l| Arc::strong_count(&l.shard) == 1) {
            let Lender {
                shard,
                mut lent,
                count,
            } = *lender;
            let mut theirs = match Arc::try_unwrap(shard) {
                Ok(shard) => shard.entries,
                // Not reached: a snapshot's share is never shared again by anybody but us.
                Err(shard) => {
                    self.lender = Some(Box::new(Lender { shard, lent, count }));
                    return;
                }
            };
            // From here on nothing of theirs is dropped by itself, and nothing below panics before all of it has an owner.
            let mut left = std::mem::take(&mut theirs.own);
            let mut under = theirs.lender.take();
            let mut unwanted = Vec::new();
            let mut still_lent = 0;
            for (position, theirs) in left.iter_mut().enumerate() {
                let (word, bit) = bit(position);
                let ours = lent.get(word).is_some_and(|w| w & bit != 0);
                if under.as_ref().is_some_and(|u| u.lends(position)) {
                    // It lies deeper.
                    still_lent += usize::from(ours);
                    continue;
                }
                // SAFETY: nobody lent it to them, so it is initialized; `left` drops nothing, so it is read once.
                let entry = unsafe { theirs.assume_init_read() };
                if !ours {
                    unwanted.push(entry);
                    continue;
                }
                if let Some(word) = lent.get_mut(word) {
                    *word &= !bit;
                }
                if let Some(place) = self.own.get_mut(position) {
                    place.write(entry);
                }
            }
            if let Some(under) = under.as_mut().filter(|_| still_lent > 0) {
                self.lender = Some(Box::new(Lender {
                    shard: Arc::clone(&under.shard),
                    lent,
                    count: still_lent,
                }));
            }
            // Before the next round, which may find that nobody else has the one below either.
            drop(under);
            if let Some(more) = theirs.unwanted.take() {
                unwanted.extend(more.0);
            }
            if !unwanted.is_empty() {
                let all = self
                    .unwanted
                    .get_or_insert_with(|| Box::new(Unwanted(Vec::new())));
                all.0.append(&mut unwanted);
            }
        }
    }
}

impl<E> Entries<E> {
    #[inline]
    pub(super) fn is_lent(&self, position: usize) -> bool {
        self.lends(position).is_some()
    }

    /// Puts an entry of our own into the place of a lent one.
    pub(super) fn put_lent(&mut self, position: usize, entry: E) {
        if let Some(lender) = self.lender.as_deref_mut().filter(|l| l.lends(position))
            && let Some(place) = self.own.get_mut(position)
        {
            place.write(entry);
            lender.returned(position);
            if lender.count == 0 {
                self.lender = None;
            }
        }
    }
}

impl<E: Clone> Entries<E> {
    /// Makes an entry our own.
    #[cold]
    #[inline(never)]
    fn take_back(&mut self, position: usize) {
        let Some(lender) = self.lends(position) else {
            return;
        };
        let Some(entry) = lender.shard.entries.get(position).cloned() else {
            return;
        };
        self.put_lent(position, entry);
    }

    #[inline]
    #[expect(unsafe_code, reason = "a place of a lent entry holds nothing")]
    pub(super) fn get_mut(&mut self, position: usize) -> Option<&mut E> {
        if self.has_lender() {
            self.take_back(position);
        }
        // SAFETY: it is not lent, so it is initialized.
        self.own.get_mut(position).map(|e| unsafe { e.assume_init_mut() })
    }

    /// Takes one out; the last one moves there. As with a vector, the position has to be below the length.
    #[expect(unsafe_code, reason = "a place of a lent entry holds nothing")]
    pub(super) fn swap_remove(&mut self, position: usize) -> E {
        self.take_back_for_removal(position);
        let entry = self.own.swap_remove(position);
        // SAFETY: it is not lent, so it is initialized.
        unsafe { entry.assume_init() }
    }

    /// What moves has to be our own: a lent entry has its position from its lender.
    fn take_back_for_removal(&mut self, position: usize) {
        if self.has_lender() {
            self.take_back(position);
            self.take_back(self.len().saturating_sub(1));
        }
    }

    /// Makes all of them our own.
    pub(super) fn take_back_all(&mut self) {
        for position in 0..self.len() {
            if self.has_lender() {
                self.take_back(position);
            }
        }
    }

    /// Lets `change` turn the entry at a position into another; when it makes none, or panics, the last one moves there.
    /// Answers whether it made one.
    #[inline]
    #[expect(
        unsafe_code,
        reason = "by way of safe code the last element would be moved away and back, which waits for its memory each time"
    )]
    pub(super) fn replace_at(&mut self, position: usize, change: impl FnOnce(E) -> Option<E>) -> bool {
        /// An entry that is out; when this goes, the last one takes its place.
        struct Gap<'a, E> {
            entries: &'a mut Vec<MaybeUninit<E>>,
            position: usize,
        }
        impl<E> Drop for Gap<'_, E> {
            fn drop(&mut self) {
                let _moved_out: MaybeUninit<E> = self.entries.swap_remove(self.position);
            }
        }

        self.take_back_for_removal(position);
        let Some(entry) = self.own.get_mut(position) else {
            return false;
        };
        // SAFETY: it is not lent, so it is initialized. Nobody uses the entry where it lies until it is written again, or `Gap`
        // has closed the gap.
        let taken = unsafe { entry.assume_init_read() };
        let gap = Gap {
            entries: &mut self.own,
            position,
        };
        match change(taken) {
            Some(changed) => {
                if let Some(place) = gap.entries.get_mut(position) {
                    place.write(changed);
                }
                std::mem::forget(gap);
                true
            }
            None => false,
        }
    }
}

/// All of them, as its own.
impl<E: Clone> Clone for Entries<E> {
    fn clone(&self) -> Self {
        let clone = |e: &E| MaybeUninit::new(e.clone());
        let own = match self.as_slice() {
            Some(own) => own.iter().map(clone).collect(),
            None => self.iter().map(clone).collect(),
        };
        Entries {
            own,
            lender: None,
            unwanted: None,
        }
    }
}

impl<E> Drop for Entries<E> {
    #[expect(unsafe_code, reason = "a place of a lent entry holds nothing")]
    fn drop(&mut self) {
        if !needs_drop::<E>() {
            return;
        }
        let lender = self.lender.take();
        for (position, entry) in self.own.iter_mut().enumerate() {
            if lender.as_ref().is_none_or(|l| !l.lends(position)) {
                // SAFETY: it is not lent, so it is initialized, and nobody sees it after this.
                unsafe { entry.assume_init_drop() };
            }
        }
    }
}
