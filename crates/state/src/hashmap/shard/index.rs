//! The index of a shard: from a hash to the positions of the entries that may have it.
//!
//! Open addressing by buckets of eight slots, half a cache line each and never across two. A slot is 32 bits: as many low bits as the
//! index needs are the position of an entry, the others are those bits of its hash. A lookup compares a whole bucket at once, and
//! as most entries lie in the bucket where their probing begins, it hardly ever branches in a way that the processor can't
//! foresee: with single slots every third one did. At most three quarters of the slots are taken.
//!
//! An entry lies in the first bucket, from the one that its hash names on, that had room. So every bucket between the two is
//! full, and a lookup ends at the first one that isn't.

use millpond_core::memory::prefetch_at;

/// A slot without an entry. As a position it would be the last of the index, which is never that full.
const VACANT: u32 = u32::MAX;
/// Slots of a bucket.
const BUCKET_LEN: usize = 8;

/// Slots that are compared at once.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
struct Bucket([u32; BUCKET_LEN]);

/// Where an entry was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// The slot of the index.
    slot: u32,
    /// The position among the entries.
    pub(super) position: u32,
}

/// Positions by hash. Only the lower 32 bits of a hash count.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// None, or as many as a power of two.
    buckets: Box<[Bucket]>,
}

impl Bucket {
    const VACANT: Bucket = Bucket([VACANT; BUCKET_LEN]);

    /// A bit for each slot that agrees with `wanted` in the bits of `mask`.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[expect(unsafe_code, reason = "one comparison for four slots")]
    fn agreeing(&self, wanted: u32, mask: u32) -> u32 {
        use std::arch::x86_64::{
            _mm_and_si128, _mm_cmpeq_epi32, _mm_movemask_epi8, _mm_packs_epi16, _mm_packs_epi32,
            _mm_set_epi32, _mm_set1_epi32, _mm_setzero_si128,
        };
        let [a, b, c, d, e, f, g, h] = self.0.map(u32::cast_signed);
        // SAFETY: every x86-64 processor has SSE2, which is all that these need.
        unsafe {
            let mask_lanes = _mm_set1_epi32(mask.cast_signed());
            let wanted = _mm_set1_epi32((wanted & mask).cast_signed());
            let low = _mm_cmpeq_epi32(_mm_and_si128(_mm_set_epi32(d, c, b, a), mask_lanes), wanted);
            let high = _mm_cmpeq_epi32(_mm_and_si128(_mm_set_epi32(h, g, f, e), mask_lanes), wanted);
            let bytes = _mm_packs_epi16(_mm_packs_epi32(low, high), _mm_setzero_si128());
            _mm_movemask_epi8(bytes).cast_unsigned()
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    #[inline]
    fn agreeing(&self, wanted: u32, mask: u32) -> u32 {
        let agrees = |slot: &u32| u32::from((slot ^ wanted) & mask == 0);
        self.0.iter().rev().fold(0, |bits, slot| bits << 1 | agrees(slot))
    }

    #[inline]
    fn vacant(&self) -> u32 {
        self.agreeing(VACANT, u32::MAX)
    }

    #[inline]
    fn slot(&self, lane: u32) -> u32 {
        self.0.get(lane as usize).copied().unwrap_or(VACANT)
    }
}

impl Index {
    /// An index that takes so many entries before it has to grow.
    pub(super) fn with_capacity(entries: usize) -> Self {
        Index::of_buckets(
            (entries + entries / 3 + 1)
                .div_ceil(BUCKET_LEN)
                .next_power_of_two(),
        )
    }

    fn of_buckets(buckets: usize) -> Self {
        Index {
            buckets: vec![Bucket::VACANT; buckets].into(),
        }
    }

    /// An empty one of twice the size.
    pub(super) fn doubled(&self) -> Self {
        Index::of_buckets((self.buckets.len() * 2).max(1))
    }

    /// Whether so many entries are too many.
    #[inline]
    pub(super) fn is_too_small_for(&self, entries: usize) -> bool {
        entries * 4 > self.buckets.len() * BUCKET_LEN * 3
    }

    /// Which bits of a slot are the position. While there is no index it is all of them, which no bucket is found by.
    #[inline]
    fn positions(&self) -> u32 {
        ((self.buckets.len() * BUCKET_LEN) as u32).wrapping_sub(1)
    }

    /// The bucket where the probing for a hash begins.
    #[inline]
    fn home(&self, hash: u64) -> u32 {
        (hash as u32 & self.positions()) / BUCKET_LEN as u32
    }

    #[inline]
    fn after(&self, bucket: u32) -> u32 {
        (bucket + 1) & (self.buckets.len() as u32).wrapping_sub(1)
    }

    /// Where a position is that stands under this hash and that `is` accepts.
    #[inline(always)]
    pub(super) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<Found> {
        let positions = self.positions();
        let mut at = self.home(hash);
        // Ends: some bucket is not full, or there is none.
        loop {
            let bucket = self.buckets.get(at as usize)?;
            let mut lanes = bucket.agreeing(hash as u32, !positions);
            while lanes != 0 {
                let lane = lanes.trailing_zeros();
                let position = bucket.slot(lane) & positions;
                if is(position) {
                    let slot = at * BUCKET_LEN as u32 + lane;
                    return Some(Found { slot, position });
                }
                lanes &= lanes - 1;
            }
            if bucket.vacant() != 0 {
                return None;
            }
            at = self.after(at);
        }
    }

    /// The position that most likely is the one which a lookup of this hash will find.
    #[inline]
    pub(super) fn likely(&self, hash: u64) -> Option<u32> {
        let positions = self.positions();
        let bucket = self.buckets.get(self.home(hash) as usize)?;
        let lane = bucket.agreeing(hash as u32, !positions).trailing_zeros();
        Some(bucket.slot(lane) & positions)
    }

    /// Asks for the bucket where a lookup of this hash begins.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        prefetch_at(&self.buckets, self.home(hash) as usize);
    }

    /// Adds a position, for which there must be room.
    #[inline]
    pub(super) fn link(&mut self, hash: u64, position: u32) {
        let positions = self.positions();
        let mut at = self.home(hash);
        while let Some(bucket) = self.buckets.get_mut(at as usize) {
            let lane = bucket.vacant().trailing_zeros();
            if let Some(slot) = bucket.0.get_mut(lane as usize) {
                *slot = (hash as u32 & !positions) | position;
                return;
            }
            at = self.after(at);
        }
    }

    /// Makes the entry with this hash that stood at position `from` stand at position `to`.
    pub(super) fn moved(&mut self, hash: u64, from: u32, to: u32) {
        let positions = self.positions();
        let found = self.find(hash, |position| position == from);
        if let Some(slot) = found.and_then(|found| self.slot_mut(found.slot)) {
            *slot = (*slot & !positions) | to;
        }
    }

    /// Takes out what was found. `hash_of` tells the hash of the entry at a position.
    ///
    /// What came behind a full bucket by probing over it moves up into the gap.
    pub(super) fn unlink(&mut self, found: Found, hash_of: impl Fn(u32) -> Option<u64>) {
        let mut hole = found.slot;
        loop {
            let bucket = hole / BUCKET_LEN as u32;
            let was_full = self.buckets.get(bucket as usize).is_some_and(|b| b.vacant() == 0);
            self.set(hole, VACANT);
            let Some((slot, value)) = was_full.then(|| self.probed_over(bucket, &hash_of)).flatten() else {
                return;
            };
            self.set(hole, value);
            hole = slot;
        }
    }

    /// A slot behind `bucket` whose probing began there or before it.
    fn probed_over(&self, bucket: u32, hash_of: impl Fn(u32) -> Option<u64>) -> Option<(u32, u32)> {
        let buckets = (self.buckets.len() as u32).wrapping_sub(1);
        let mut at = self.after(bucket);
        while at != bucket {
            let behind = self.buckets.get(at as usize)?;
            for (slot, value) in (at * BUCKET_LEN as u32..).zip(behind.0) {
                if value == VACANT {
                    continue;
                }
                let home = self.home(hash_of(value & self.positions())?);
                if at.wrapping_sub(home) & buckets >= at.wrapping_sub(bucket) & buckets {
                    return Some((slot, value));
                }
            }
            if behind.vacant() != 0 {
                return None;
            }
            at = self.after(at);
        }
        None
    }

    fn slot_mut(&mut self, slot: u32) -> Option<&mut u32> {
        let bucket = self.buckets.get_mut(slot as usize / BUCKET_LEN)?;
        bucket.0.get_mut(slot as usize % BUCKET_LEN)
    }

    fn set(&mut self, slot: u32, value: u32) {
        if let Some(slot) = self.slot_mut(slot) {
            *slot = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millpond_core::host::SeededRandom;

    /// Random buckets and masks, each slot also compared for itself.
    #[test]
    fn a_bucket_is_compared_slot_by_slot() {
        let mut random = SeededRandom::new(3);
        for _ in 0..10_000 {
            let mask = !(random.next_u64() as u32 >> random.below(32));
            let wanted = random.next_u64() as u32;
            let slots = std::array::from_fn(|_| match random.below(4) {
                0 => VACANT,
                1 => (wanted & mask) | (random.next_u64() as u32 & !mask),
                _ => random.next_u64() as u32,
            });
            let bits = |agrees: &dyn Fn(u32) -> bool| {
                (0..)
                    .zip(slots)
                    .fold(0, |bits, (lane, slot)| bits | u32::from(agrees(slot)) << lane)
            };
            let bucket = Bucket(slots);
            assert_eq!(
                bucket.agreeing(wanted, mask),
                bits(&|slot| slot & mask == wanted & mask)
            );
            assert_eq!(bucket.vacant(), bits(&|slot| slot == VACANT));
        }
    }
}
