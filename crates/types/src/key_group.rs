//! Key groups: the unit in which keyed state is assigned to operator instances and moved when a job is rescaled.
//!
//! The rules are those of Flink's `KeyGroupRangeAssignment` and `KeyGroupRange`.
//!
//! # Contract
//! The functions here trust what a job's configuration has already checked: `1 <= parallelism <= max_parallelism <=
//! MAX_PARALLELISM_LIMIT`, and an operator index below the parallelism. Within these bounds no product overflows and no
//! range is empty. A range that was read from outside goes through [`KeyGroupRange::new`], which checks it.
//!
//! ```
//! use millpond_types::JavaHash;
//! use millpond_types::key_group::{key_group_for_hash, key_group_range_for_operator, operator_index_for_key_group};
//!
//! let (max_parallelism, parallelism) = (128, 3);
//! let key_group = key_group_for_hash("N14228".java_hash(), max_parallelism);
//! let owner = operator_index_for_key_group(key_group, max_parallelism, parallelism);
//! assert_eq!((key_group, owner), (38, 0));
//! assert_eq!(key_group_range_for_operator(max_parallelism, parallelism, owner).to_string(), "0..=42");
//! ```

use millpond_core::{Error, Result};
use std::fmt;

/// The largest max parallelism: key groups are numbered with 15 bits (`KeyGroupRangeAssignment.UPPER_BOUND_MAX_PARALLELISM`).
pub const MAX_PARALLELISM_LIMIT: u32 = 1 << 15;

/// Key groups `first..=last`; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyGroupRange {
    first: u32,
    last: u32,
}

impl KeyGroupRange {
    /// The range `first..=last`.
    ///
    /// # Errors
    /// Corrupt when it is empty or goes past [`MAX_PARALLELISM_LIMIT`].
    pub fn new(first: u32, last: u32) -> Result<Self> {
        if first > last || last >= MAX_PARALLELISM_LIMIT {
            return Err(
                Error::corrupt("read key-group range", "not a range of key groups")
                    .with("first", first)
                    .with("last", last),
            );
        }
        Ok(KeyGroupRange { first, last })
    }
    /// The first key group.
    pub fn first(&self) -> u32 {
        self.first
    }
    /// The last key group, which belongs to the range.
    pub fn last(&self) -> u32 {
        self.last
    }
    /// How many key groups it has; at least 1.
    pub fn count(&self) -> usize {
        (self.last - self.first + 1) as usize
    }
    /// Whether `key_group` belongs to it.
    pub fn contains(&self, key_group: u32) -> bool {
        (self.first..=self.last).contains(&key_group)
    }
    /// The key groups that both have.
    pub fn intersection(&self, other: &KeyGroupRange) -> Option<KeyGroupRange> {
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        (first <= last).then_some(KeyGroupRange { first, last })
    }
    /// The key groups in their order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + use<> {
        self.first..=self.last
    }
}

impl fmt::Display for KeyGroupRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={}", self.first, self.last)
    }
}

/// The key group of a key with this Java hash code.
#[inline]
pub fn key_group_for_hash(java_hash: i32, max_parallelism: u32) -> u32 {
    murmur_hash(java_hash) % max_parallelism
}

/// The operator instance that owns `key_group`.
#[inline]
pub fn operator_index_for_key_group(key_group: u32, max_parallelism: u32, parallelism: u32) -> u32 {
    key_group * parallelism / max_parallelism
}

/// The key groups that operator instance `operator_index` of `parallelism` owns.
pub fn key_group_range_for_operator(
    max_parallelism: u32,
    parallelism: u32,
    operator_index: u32,
) -> KeyGroupRange {
    let first = (operator_index * max_parallelism).div_ceil(parallelism);
    let last = ((operator_index + 1) * max_parallelism - 1) / parallelism;
    KeyGroupRange { first, last }
}

/// The max parallelism that Flink chooses for a job that doesn't name one (`computeDefaultMaxParallelism`).
pub fn default_max_parallelism(parallelism: u32) -> u32 {
    (parallelism + parallelism / 2)
        .next_power_of_two()
        .clamp(128, MAX_PARALLELISM_LIMIT)
}

/// Flink's `MathUtils.murmurHash`: MurmurHash3 32 of the four bytes of `code`, made non-negative.
#[inline]
pub fn murmur_hash(code: i32) -> u32 {
    let k = (code as u32)
        .wrapping_mul(0xcc9e_2d51)
        .rotate_left(15)
        .wrapping_mul(0x1b87_3593);
    let mut h = k.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    h ^= 4;
    h ^= h >> 16;
    h = h.wrapping_mul(0x85eb_ca6b);
    h ^= h >> 13;
    h = h.wrapping_mul(0xc2b2_ae35);
    h ^= h >> 16;
    let h = h as i32;
    if h >= 0 {
        h as u32
    } else if h != i32::MIN {
        h.unsigned_abs()
    } else {
        0
    }
}
