//! The functions and types that several themes use.

use millpond_state::descriptor::AggregateFunction;
use millpond_types::{JavaHash, StateType};

/// The mean of numbers, by sum and count.
#[derive(Clone, Debug)]
pub struct Mean;

impl AggregateFunction for Mean {
    type In = i64;
    type Acc = (i64, i64);
    type Out = i64;
    fn create_accumulator(&self) -> (i64, i64) {
        (0, 0)
    }
    fn add(&self, value: i64, accumulator: &mut (i64, i64)) {
        accumulator.0 += value;
        accumulator.1 += 1;
    }
    fn get_result(&self, accumulator: &(i64, i64)) -> i64 {
        accumulator.0 / accumulator.1
    }
    fn merge(&self, accumulator: &mut (i64, i64), other: (i64, i64)) {
        accumulator.0 += other.0;
        accumulator.1 += other.1;
    }
}

/// Texts joined in the order in which they come, shown with their number: it tells one order from another.
#[derive(Clone, Debug)]
pub struct Joined;

impl AggregateFunction for Joined {
    type In = &'static str;
    type Acc = Vec<String>;
    type Out = (usize, String);
    fn create_accumulator(&self) -> Vec<String> {
        vec!["start".to_owned()]
    }
    fn add(&self, value: &'static str, accumulator: &mut Vec<String>) {
        accumulator.push(value.to_owned());
    }
    fn get_result(&self, accumulator: &Vec<String>) -> (usize, String) {
        (accumulator.len(), accumulator.join(" "))
    }
    fn merge(&self, accumulator: &mut Vec<String>, other: Vec<String>) {
        accumulator.extend(other.into_iter().skip(1));
    }
}

/// A key of several fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, StateType, JavaHash)]
#[state_type(name = "conformance/route")]
pub struct Route {
    pub from: String,
    pub to: String,
}

impl Route {
    pub fn new(from: &str, to: &str) -> Self {
        Route {
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }
}
