//! Every interleaving of a small world: no luck involved.
//!
//! `aligner` runs one task over two channels and two checkpoints, `coordinator` a job of two tasks; both walk the
//! whole tree of what can happen next, cloning the machine at each branch, and check each step. `fencing` runs processes
//! that take one job over from each other.

#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    reason = "the model's own indices and states, in test code"
)]

mod aligner;
mod coordinator;
mod fencing;
mod unaligned;
