//! Which keys the state has, what lies under them, and which percent of them changes. `BigState.java` makes the same.

use super::MAX_PARALLELISM;
use millpond_core::host::SeededRandom;
use millpond_core::{Error, Result};
use millpond_types::JavaHash;
use millpond_types::key_group::key_group_for_hash;

/// Bytes of a value; a multiple of 8.
const VALUE_BYTES: usize = 200;
/// What an entry counts as: value and key.
const ENTRY_BYTES: u64 = VALUE_BYTES as u64 + 8;
const SIZE_VARIABLE: &str = "BIG_STATE_MB";
const SIZE_DEFAULT_MB: u64 = 2048;

/// The keys from 0 on, each with a value of random bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dataset {
    pub(super) keys: i64,
}

/// Which percent of the keys changes between two checkpoints.
#[derive(Clone, Copy, Debug)]
pub(super) enum Percent {
    /// The first in the order in which the backends keep them: by key group, then by key.
    Contiguous,
    /// The smallest keys. Key groups follow from a hash, so each has its part of them.
    Range,
    /// Drawn from all.
    Random,
}

impl Percent {
    pub(super) const ALL: [(&'static str, Percent); 3] = [
        ("contiguous", Percent::Contiguous),
        ("range", Percent::Range),
        ("random", Percent::Random),
    ];
}

/// The key group of a key.
pub(super) fn key_group(key: i64) -> u32 {
    key_group_for_hash(key.java_hash(), MAX_PARALLELISM)
}

impl Dataset {
    /// The size that the environment asks for.
    pub(super) fn from_env() -> Result<Self> {
        let megabytes = match std::env::var(SIZE_VARIABLE) {
            Ok(text) => text
                .parse()
                .ok()
                .filter(|mb| (1..=1 << 20).contains(mb))
                .ok_or_else(|| {
                    Error::config("run benchmarks", "not a number of megabytes")
                        .with("variable", SIZE_VARIABLE)
                        .with("value", text)
                        .hint("give a whole number from 1 on; 2048 when unset")
                })?,
            Err(_) => SIZE_DEFAULT_MB,
        };
        Ok(Dataset {
            keys: ((megabytes << 20) / ENTRY_BYTES) as i64,
        })
    }

    /// The keys of a percent, in the order in which they are updated.
    pub(super) fn percent(&self, percent: Percent) -> Vec<i64> {
        let count = (self.keys / 100).max(1);
        match percent {
            Percent::Range => (0..count).collect(),
            Percent::Random => {
                let mut random = SeededRandom::new(11);
                (0..count)
                    .map(|_| random.below(self.keys as u64) as i64)
                    .collect()
            }
            Percent::Contiguous => {
                let mut keys: Vec<(u32, i64)> = (0..self.keys).map(|key| (key_group(key), key)).collect();
                keys.sort_unstable();
                keys.iter().take(count as usize).map(|(_, key)| *key).collect()
            }
        }
    }
}

/// Draws values.
pub(super) struct Values(SeededRandom);

impl Values {
    pub(super) fn new(seed: u64) -> Self {
        Values(SeededRandom::new(seed))
    }
    pub(super) fn next(&mut self) -> Vec<u8> {
        let mut value = Vec::with_capacity(VALUE_BYTES);
        while value.len() < VALUE_BYTES {
            value.extend_from_slice(&self.0.next_u64().to_be_bytes());
        }
        value
    }
}
