//! The keys that a number stands for, and how a dump shows them. The same as `Keys.java` and `UserKey.java`.

use millpond::prelude::*;
use millpond::types::StateKey;
use serde_json::{Value, json};

/// How many keys each keyed operator has.
pub const COUNT: i64 = 24;

/// A key type of the job.
pub trait Key: StateKey {
    /// The key that number `i` stands for.
    fn of(i: i64) -> Self;
    /// The key in a dump.
    fn show(&self) -> Value;
}

/// A POJO as a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, StateType, JavaHash)]
#[state_type(java = "org.millpond.it.UserKey")]
pub struct UserKey {
    name: String,
    region: i32,
}

impl Key for String {
    fn of(i: i64) -> Self {
        format!("key-{i}{}", if i % 3 == 0 { "-é池😀" } else { "" })
    }
    fn show(&self) -> Value {
        json!(self)
    }
}

impl Key for i64 {
    fn of(i: i64) -> Self {
        (i - 10) * 123_456_789_012
    }
    fn show(&self) -> Value {
        json!(self)
    }
}

impl Key for (String, i32) {
    fn of(i: i64) -> Self {
        (format!("t{}", i % 5), i as i32 - 7)
    }
    fn show(&self) -> Value {
        json!({"f0": self.0, "f1": self.1})
    }
}

impl Key for UserKey {
    fn of(i: i64) -> Self {
        UserKey {
            name: format!("user-{i}"),
            region: (i % 4) as i32,
        }
    }
    fn show(&self) -> Value {
        json!({"name": self.name, "region": self.region})
    }
}
