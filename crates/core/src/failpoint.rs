//! Where a crash test can kill the process: the moments between two steps of a snapshot, a commit or a deletion, after which what
//! lies on the disk differs.
//!
//! Compiled to nothing without the cargo feature `failpoints`. With it, the variable [`VARIABLE`] names a point and how often it has
//! to be reached, `sidecar-written:3`; the process then aborts: nothing is flushed, no destructor runs, as with `kill -9`.

/// Names the failpoint at which the process aborts, and the how-manieth time it is reached.
pub const VARIABLE: &str = "MILLPOND_FAILPOINT";

macro_rules! failpoints {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal,)*) => {
        /// A moment at which a process can be killed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Failpoint {
            $($(#[doc = $doc])* $name,)*
        }

        impl Failpoint {
            /// Every failpoint: what a crash test goes through.
            pub const ALL: &'static [Failpoint] = &[$(Failpoint::$name),*];

            /// Its name in [`VARIABLE`].
            pub fn name(self) -> &'static str {
                match self {
                    $(Failpoint::$name => $text,)*
                }
            }
        }
    };
}

failpoints! {
    /// The state is frozen; nothing of it is written.
    SnapshotBegins = "snapshot-begins",
    /// Every file of one operator instance's keyed state is stored; nobody knows it yet.
    SnapshotWritten = "snapshot-written",
    /// A file's bytes are there and not yet stored.
    UploadBegins = "upload-begins",
    /// A file is stored and not yet named by anything.
    UploadEnds = "upload-ends",
    /// Every task has acknowledged; neither checksums nor metadata are written.
    CommitBegins = "commit-begins",
    /// The checksums are written, the metadata are not.
    SidecarWritten = "sidecar-written",
    /// The checkpoint exists; nobody was told.
    MetadataWritten = "metadata-written",
    /// The registry knows the checkpoint's shared files; older checkpoints are not subsumed yet.
    CheckpointRegistered = "checkpoint-registered",
    /// An old checkpoint is on its way to be deleted, and the registry has let go of its shared files; those are still there.
    CheckpointUnregistered = "checkpoint-unregistered",
    /// The thread that deletes takes up its next piece of work.
    DeletionBegins = "deletion-begins",
    /// The metadata of an old checkpoint are deleted, its other files are not.
    MetadataDeleted = "metadata-deleted",
    /// One shared file that nobody names is deleted.
    SharedFileDeleted = "shared-file-deleted",
    /// A piece of deletion is done.
    DeletionEnds = "deletion-ends",
    /// A task learns that a checkpoint is complete, and has not committed its output yet.
    CompletionNotified = "completion-notified",
    /// A restarted process knows what there is; nothing is swept away yet.
    RecoveryBegins = "recovery-begins",
    /// What unfinished checkpoints left behind is handed to the thread that deletes.
    RecoverySwept = "recovery-swept",
}

/// The process has come to `point`.
#[inline(always)]
#[cfg_attr(
    not(feature = "failpoints"),
    expect(unused_variables, reason = "nothing is armed in this build")
)]
pub fn reach(point: Failpoint) {
    #[cfg(feature = "failpoints")]
    armed::reach(point);
}

#[cfg(feature = "failpoints")]
mod armed {
    use super::{Failpoint, VARIABLE};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// The name that was asked for, and how often it may still be reached.
    static ARMED: OnceLock<Option<(String, AtomicU64)>> = OnceLock::new();

    /// `name:count`. A text that is neither kills nothing: the test then finds its process alive.
    fn parse(text: &str) -> Option<(String, AtomicU64)> {
        let (name, count) = text.split_once(':')?;
        let count: u64 = count.parse().ok()?;
        Some((name.to_owned(), AtomicU64::new(count.checked_sub(1)?)))
    }

    #[cold]
    pub(super) fn reach(point: Failpoint) {
        let armed = ARMED.get_or_init(|| parse(&std::env::var(VARIABLE).ok()?));
        let Some((_, left)) = armed.as_ref().filter(|(name, _)| name == point.name()) else {
            return;
        };
        let spend = |left: u64| left.checked_sub(1);
        if left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend)
            .is_err()
        {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a name means one point. Method: all of them.
    #[test]
    fn names_are_different() {
        let mut names: Vec<_> = Failpoint::ALL.iter().map(|p| p.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Failpoint::ALL.len());
    }
}
