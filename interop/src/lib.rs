//! A job that has one of every state, written twice: here and, as the same job for Flink, in `flink-it/`.
//!
//! Both fill the same state from the same numbers, under the same uids, names and types, stop with a savepoint, and restore
//! savepoints of either side. A restored job tells all that it finds as lines of JSON ([`lines`]), and these are compared
//! ([`compare`]). Another job is continued by one and the other in turns ([`chain`], [`turns`]). `make flink-it` runs all of it; `tests/golden.rs` reads savepoints that Flink wrote once, without Java.

pub mod chain;
pub mod compare;
pub mod expiring;
pub mod flink;
pub mod job;
pub mod keys;
pub mod lines;
pub mod matrix;
pub mod numbers;
pub mod rules;
pub mod states;
pub mod turns;
pub mod windows;
