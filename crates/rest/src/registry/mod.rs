//! The folder in which running jobs are found: one small JSON file for each.
//!
//! There is no server that knows all jobs: each process serves its own, on a port of its own, and says so here. An entry is a
//! hint, never the truth: whoever reads it asks the address which job it serves, and clears away entries that nobody stands behind.

mod entry;
mod folder;

pub use entry::{Entry, Registration};
pub use folder::Registry;
