//! The folder of one backend instance: made when the backend is, removed when it goes, and swept after a crash.
//!
//! A folder is named after the process and the backend (`millpond-rocksdb-<pid>-<backend id>`), so that the next process
//! that uses the same local folder can tell which ones no living process owns.

use millpond_core::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};

const PREFIX: &str = "millpond-rocksdb-";

/// A folder that is removed, with everything in it, when this is dropped.
#[derive(Debug)]
pub(super) struct InstanceFolder {
    path: PathBuf,
}

impl InstanceFolder {
    /// Makes the folder of the backend `backend_id` under `parent`, and removes what processes that are gone left there.
    pub(super) fn create(parent: &Path, backend_id: &str) -> Result<Self> {
        fs::create_dir_all(parent).map_err(|e| unusable(parent, e))?;
        sweep(parent);
        let path = parent.join(format!("{PREFIX}{}-{backend_id}", std::process::id()));
        fs::create_dir(&path).map_err(|e| unusable(&path, e))?;
        Ok(InstanceFolder { path })
    }

    /// A place in it.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for InstanceFolder {
    fn drop(&mut self) {
        if let Err(e) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), error = %e, "folder of a state backend not removed");
        }
    }
}

fn unusable(path: &Path, source: std::io::Error) -> Error {
    Error::io("create state backend", source)
        .with("folder", path.display())
        .hint("point `state.backend.rocksdb.localdir` at a folder on a local disk with space, writable by this process")
}

/// Removes the folders of processes that no longer run. What cannot be removed is left for the next time.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .and_then(|rest| rest.split('-').next())
            .and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !is_alive(pid)) {
            tracing::info!(path = %entry.path().display(), "removing what a crashed process left");
            let removed = fs::remove_dir_all(entry.path());
            if let Err(e) = removed {
                tracing::warn!(path = %entry.path().display(), error = %e, "left over folder not removed");
            }
        }
    }
}

/// Whether the process runs. Where that cannot be known, it does.
fn is_alive(pid: u32) -> bool {
    let processes = Path::new("/proc");
    !processes.join("self").exists() || processes.join(pid.to_string()).exists()
}

/// A folder of a checkpoint's hard links inside an instance's folder, removed when this is dropped.
#[derive(Debug)]
pub(super) struct TemporaryFolder(pub(super) PathBuf);

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // The instance may be gone already, and its folder with it.
        if self.0.exists()
            && let Err(e) = fs::remove_dir_all(&self.0)
        {
            tracing::warn!(path = %self.0.display(), error = %e, "temporary folder not removed");
        }
    }
}
