//! Sinks: files exactly once, print, discard, and collect for tests.

pub mod collect;
pub mod discard;
pub mod file;
pub mod print;
#[cfg(test)]
pub(crate) mod testing;
