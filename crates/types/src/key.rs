//! Keys: types that records can be partitioned by.

use crate::serializer::StateType;
use std::hash::Hash;

/// The `hashCode` that Java computes for the value that this one is written as.
///
/// The key group of a key, and so which operator instance owns it, depends on it; a savepoint can only move between
/// Flink and Millpond when both compute the same.
pub trait JavaHash {
    /// Java's `hashCode`.
    fn java_hash(&self) -> i32;
}

/// A type that records can be keyed by.
pub trait StateKey: StateType + JavaHash + Hash + Eq {}

impl<T: StateType + JavaHash + Hash + Eq> StateKey for T {}
