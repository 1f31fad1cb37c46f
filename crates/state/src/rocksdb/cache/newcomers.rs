//! Which keys that are only read get a slot when the cache is full: those that were read before, not long ago. A key that is read once
//! would push out another, and leave unused itself; on keys without a hot set that costs as much as the read.

/// Marks of keys that were read without a slot. Few are mistaken for others: there are eight bits for each slot.
#[derive(Default)]
pub(super) struct Newcomers {
    bits: Vec<u64>,
    marked: usize,
}

/// Bits for each slot of the cache.
const BITS: usize = 8;

impl Newcomers {
    /// Whether the key of `hash` was seen since the marks were last forgotten, which happens as soon as there are as many as
    /// `slots`. Marks it.
    pub(super) fn seen(&mut self, hash: u64, slots: usize) -> bool {
        let words = slots.max(u64::BITS as usize).next_power_of_two() * BITS / u64::BITS as usize;
        if self.bits.len() != words || self.marked >= slots {
            self.bits.clear();
            self.bits.resize(words, 0);
            self.marked = 0;
        }
        let bit = 1 << (hash % u64::from(u64::BITS));
        let word = (hash / u64::from(u64::BITS)) as usize & (words - 1);
        let Some(word) = self.bits.get_mut(word) else {
            return true;
        };
        let seen = *word & bit != 0;
        *word |= bit;
        self.marked += usize::from(!seen);
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millpond_core::hash::fixed_hash;

    /// Goal: a key is seen the second time, unless so many others came between that it is forgotten.
    #[test]
    fn the_second_time_counts() {
        let mut newcomers = Newcomers::default();
        let hash = fixed_hash(&7);
        assert!(!newcomers.seen(hash, 100));
        assert!(newcomers.seen(hash, 100));
        let mistaken = (1_000..1_050)
            .filter(|key| newcomers.seen(fixed_hash(key), 100))
            .count();
        assert!(mistaken < 10, "{mistaken} of 50");
        for key in 2_000..2_200 {
            newcomers.seen(fixed_hash(&key), 100);
        }
        assert!(!newcomers.seen(hash, 100));
    }
}
