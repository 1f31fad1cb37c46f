//! Keys: types that records can be partitioned by, and the `hashCode` that Java gives each of their values.

use crate::serializer::StateType;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;

/// The `hashCode` that Java computes for the value that this one is written as.
///
/// The key group of a key, and so which operator instance owns it, depends on it; a savepoint can only move between
/// Flink and Millpond when both compute the same.
///
/// Implemented for the boxed forms of Java's numbers and booleans, strings, options (`null` is 0), tuples
/// (`TupleN#hashCode`), `Vec` (`List#hashCode`), `BTreeMap` and `BTreeSet` (`Map#hashCode`, `Set#hashCode`) and pointers; for structs and enums by
/// `#[derive(JavaHash)]`. Not for `Vec<u8>`, since Java hashes `byte[]` by identity, nor for floats, which are no keys
/// in Rust (they have no total equality).
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no Java hash code, so records cannot be keyed by it",
    note = "derive `JavaHash` for a struct or enum of your own",
    note = "floats and `Vec<u8>` (`byte[]`) cannot be keys"
)]
pub trait JavaHash {
    /// Java's `hashCode`.
    fn java_hash(&self) -> i32;
}

/// A type that records can be keyed by.
///
/// ```
/// use millpond_types::{JavaHash, StateKey, StateType, key_group::key_group_for_hash};
///
/// #[derive(Clone, PartialEq, Eq, Hash, StateType, JavaHash)]
/// struct Route {
///     from: String,
///     to: String,
/// }
///
/// fn key_group(key: &impl StateKey) -> u32 {
///     key_group_for_hash(key.java_hash(), 128)
/// }
/// assert!(key_group(&Route { from: "JFK".into(), to: "LAX".into() }) < 128);
/// ```
pub trait StateKey: StateType + JavaHash + Hash + Eq {}

impl<T: StateType + JavaHash + Hash + Eq> StateKey for T {}

impl JavaHash for bool {
    #[inline]
    fn java_hash(&self) -> i32 {
        if *self { 1231 } else { 1237 }
    }
}

macro_rules! small_numbers {
    ($($t:ty),*) => {$(
        impl JavaHash for $t {
            #[inline]
            fn java_hash(&self) -> i32 {
                i32::from(*self)
            }
        }
    )*};
}
small_numbers!(i8, i16, i32, u16);

impl JavaHash for i64 {
    #[inline]
    fn java_hash(&self) -> i32 {
        (*self ^ ((*self as u64) >> 32) as i64) as i32
    }
}

/// As the `int` with the same bits. Java has no unsigned type, so no hash of Flink's could differ.
impl JavaHash for u32 {
    #[inline]
    fn java_hash(&self) -> i32 {
        *self as i32
    }
}

/// As the `long` with the same bits.
impl JavaHash for u64 {
    #[inline]
    fn java_hash(&self) -> i32 {
        (*self as i64).java_hash()
    }
}

/// As Java's `String#hashCode`, over UTF-16 units.
impl JavaHash for str {
    #[inline]
    fn java_hash(&self) -> i32 {
        let step = |hash: i32, unit: i32| hash.wrapping_mul(31).wrapping_add(unit);
        if self.is_ascii() {
            return self.bytes().fold(0, |hash, b| step(hash, i32::from(b)));
        }
        self.encode_utf16()
            .fold(0, |hash, unit| step(hash, i32::from(unit)))
    }
}

impl JavaHash for String {
    #[inline]
    fn java_hash(&self) -> i32 {
        self.as_str().java_hash()
    }
}

/// Java's `null`, the only value of `Void`.
impl JavaHash for () {
    #[inline]
    fn java_hash(&self) -> i32 {
        0
    }
}

impl<T: JavaHash> JavaHash for Option<T> {
    #[inline]
    fn java_hash(&self) -> i32 {
        self.as_ref().map_or(0, T::java_hash)
    }
}

/// As `List#hashCode`.
impl<T: JavaHash> JavaHash for Vec<T> {
    fn java_hash(&self) -> i32 {
        self.iter().fold(1, |hash, e| hash_next(hash, e))
    }
}

/// As `Map#hashCode`: the sum of the entries' hashes, each key's XOR value's.
impl<K: JavaHash, V: JavaHash> JavaHash for BTreeMap<K, V> {
    fn java_hash(&self) -> i32 {
        self.iter()
            .fold(0, |hash, (k, v)| hash.wrapping_add(k.java_hash() ^ v.java_hash()))
    }
}

/// As `Set#hashCode`: the sum of the elements' hashes.
impl<T: JavaHash> JavaHash for BTreeSet<T> {
    fn java_hash(&self) -> i32 {
        self.iter().fold(0, |hash, e| hash.wrapping_add(e.java_hash()))
    }
}

/// One step of `Objects.hash` (begun with 1), which `#[derive(JavaHash)]` takes for each field.
#[inline]
pub fn hash_next<T: JavaHash + ?Sized>(hash: i32, value: &T) -> i32 {
    hash.wrapping_mul(31).wrapping_add(value.java_hash())
}
