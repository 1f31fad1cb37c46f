//! The storage half of checkpoints on real folders: commit, damage, recovery, retention, savepoints, failing media.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: a failure is a panic"
)]

mod damage;
mod faults;
mod fencing;
mod files;
mod inspect;
mod kit;
mod local;
mod merging;
mod model;
mod retention;
mod savepoints;
