//! Where the folder is, that it is ours, and what is in it.

use super::entry::{Entry, Registration};
use millpond_core::{Error, ErrorKind, Result};
use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

const OPEN: &str = "open folder of running jobs";

/// The folder of running jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    folder: PathBuf,
}

impl Registry {
    /// This user's: `$MILLPOND_HOME/jobs`, else `$XDG_RUNTIME_DIR/millpond/jobs`, else
    /// `<temporary folder>/millpond-<user number>/jobs`. Empty variables count as unset.
    pub fn of_user() -> Self {
        let variable = |name| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let home = variable("MILLPOND_HOME")
            .or_else(|| variable("XDG_RUNTIME_DIR").map(|d| d.join("millpond")))
            .unwrap_or_else(|| env::temp_dir().join(format!("millpond-{}", user())));
        Registry::at(home.join("jobs"))
    }

    /// One of one's own choice.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Registry {
            folder: folder.into(),
        }
    }

    /// The folder's path.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Enters a job until the registration is dropped. Makes the folder, for this user alone, when it isn't there.
    ///
    /// # Errors
    /// Io when the folder can't be made or written; Config when it is not this user's own.
    pub fn register(&self, entry: &Entry) -> Result<Registration> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(|e| Error::io(OPEN, e).with("path", self.folder.display()))?;
        self.check()?;
        Registration::write(&self.folder, entry)
    }

    /// All entries with their paths, sorted by path. A file that is no entry is left out.
    ///
    /// # Errors
    /// Io when the folder is there but can't be read; Config when it is not this user's own.
    pub fn entries(&self) -> Result<Vec<(PathBuf, Entry)>> {
        if !self.folder.exists() {
            return Ok(Vec::new());
        }
        self.check()?;
        let listing =
            fs::read_dir(&self.folder).map_err(|e| Error::io(OPEN, e).with("path", self.folder.display()))?;
        let mut paths: Vec<PathBuf> = listing
            .filter_map(|item| Some(item.ok()?.path()))
            .filter(|p| p.extension().is_some_and(|e| e == "json"))
            .collect();
        paths.sort();
        let read = |path: PathBuf| Entry::read(&path).map(|entry| (path, entry));
        Ok(paths.into_iter().filter_map(read).collect())
    }

    /// Refuses a folder that somebody else may have filled: in a temporary folder anybody can be first to make it.
    fn check(&self) -> Result<()> {
        let named = |e: Error| e.with("path", self.folder.display());
        let meta = fs::symlink_metadata(&self.folder).map_err(|e| named(Error::io(OPEN, e)))?;
        if meta.is_dir() && meta.uid() == user() && meta.mode() & 0o022 == 0 {
            return Ok(());
        }
        let why = "it must be a folder of yours that nobody else may write to";
        Err(named(Error::new(ErrorKind::Config, OPEN, why))
            .hint("correct its owner and mode, or set MILLPOND_HOME to another folder"))
    }
}

fn user() -> u32 {
    rustix::process::getuid().as_raw()
}
