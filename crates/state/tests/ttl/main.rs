//! State with a time to live, on the public interface of every backend and a driven clock: what stays in memory (`turnover`),
//! what a restore makes of it (`restore`), and random lives against a model (`random`, `model`).
//!
//! `MILLPOND_TEST_SEED` repeats a run of the random test, `MILLPOND_TEST_CASES` sets how many cases it runs for each
//! configuration.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code"
)]

mod model;
mod random;
mod restore;
mod support;
mod turnover;
