//! Looks at the folders of jobs from outside: what is whole, what nobody names any more, and removes the latter on request.
//!
//! For people with a terminal, not for jobs: a job sweeps its own folder when it starts. Everything works on any file system
//! that checkpoints lie on. `docs/storage.md` says when removing is safe.

mod clean;
mod folders;
mod orphans;
mod verify;

pub use clean::{Collected, gc};
pub use orphans::{Orphan, Orphans, orphans};
pub use verify::{CheckpointReport, CheckpointStatus, FileProblem, JobReport, verify};
