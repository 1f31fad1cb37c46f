//! What the states must hold: plain maps over all keys of the job.

use std::collections::BTreeMap;

/// The namespaces of the states that have some.
pub const NAMESPACES: u64 = 3;

/// The contents of every state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model<K: Ord> {
    pub value: BTreeMap<K, i64>,
    pub text: BTreeMap<(K, i32), String>,
    pub list: BTreeMap<K, Vec<i64>>,
    pub map: BTreeMap<K, BTreeMap<i64, String>>,
    pub windows: BTreeMap<(K, String), BTreeMap<String, i64>>,
    pub sum: BTreeMap<K, i64>,
    pub mean: BTreeMap<K, (i64, i64)>,
}

impl<K: Ord> Default for Model<K> {
    fn default() -> Self {
        Model {
            value: BTreeMap::new(),
            text: BTreeMap::new(),
            list: BTreeMap::new(),
            map: BTreeMap::new(),
            windows: BTreeMap::new(),
            sum: BTreeMap::new(),
            mean: BTreeMap::new(),
        }
    }
}

/// The namespace of `windows` with this number.
pub fn window(number: u64) -> String {
    "w".repeat(number as usize + 1)
}
