//! Where the folder is, and that it is ours.

use millpond_core::{Error, ErrorKind, Result};
use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

const OPERATION: &str = "open folder of running jobs";

/// The folder of running jobs: `$MILLPOND_HOME/jobs`, else `$XDG_RUNTIME_DIR/millpond/jobs`, else
/// `<temporary folder>/millpond-<user number>/jobs`. Empty variables count as unset.
pub fn folder() -> PathBuf {
    let variable = |name| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = variable("MILLPOND_HOME")
        .or_else(|| variable("XDG_RUNTIME_DIR").map(|d| d.join("millpond")))
        .unwrap_or_else(|| env::temp_dir().join(format!("millpond-{}", rustix::process::getuid().as_raw())));
    home.join("jobs")
}

/// Creates the folder, for this user alone.
pub(super) fn create(folder: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|e| Error::io(OPERATION, e).with("path", folder.display()))?;
    check(folder)
}

/// Refuses a folder that somebody else may have filled: in a temporary folder anybody can be first to make it.
pub(super) fn check(folder: &Path) -> Result<()> {
    let meta =
        fs::symlink_metadata(folder).map_err(|e| Error::io(OPERATION, e).with("path", folder.display()))?;
    let own = meta.uid() == rustix::process::getuid().as_raw();
    if meta.is_dir() && own && meta.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        OPERATION,
        "it must be a folder of yours that nobody else may write to",
    )
    .with("path", folder.display())
    .hint("correct its owner and mode, or set MILLPOND_HOME to another folder"))
}
