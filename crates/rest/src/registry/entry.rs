//! One running job's entry: written when its server is up, removed when it goes.

use super::folder::{check, create, folder};
use millpond_core::host::entropy;
use millpond_core::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::PathBuf;

/// No entry that we wrote is longer; a longer file is none of ours.
const ENTRY_BYTES_MAX: u64 = 64 * 1024;
const OPERATION: &str = "write entry of running job";

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Entry {
    /// The job's id.
    pub job_id: String,
    /// Its name.
    pub name: String,
    /// The process that runs it.
    pub pid: u32,
    /// Where its REST interface listens: `address:port`.
    pub address: String,
    /// When the job was started, in milliseconds since the epoch.
    #[serde(rename = "start-time")]
    pub start_ms: i64,
}

/// An entry of this process; dropped, it is gone.
#[derive(Debug)]
pub struct Registration {
    path: PathBuf,
}

impl Registration {
    /// Writes the entry, as a whole or not at all.
    ///
    /// # Errors
    /// Io when the folder can't be made or written; Config when it is not this user's own.
    pub fn write(entry: Entry) -> Result<Self> {
        let folder = folder();
        create(&folder)?;
        let name = format!("{}-{}", entry.job_id, entry.pid);
        let path = folder.join(format!("{name}.json"));
        let draft = folder.join(format!("{name}.{:016x}.part", entropy()));
        let text = serde_json::to_vec_pretty(&entry)
            .map_err(|e| Error::illegal_state(OPERATION, "the entry is no JSON").source(e))?;
        let written = File::create_new(&draft)
            .and_then(|mut f| f.write_all(&text))
            .and_then(|()| fs::rename(&draft, &path));
        if let Err(e) = written {
            // It may not be there; either way the error to tell is the first one.
            let _ = fs::remove_file(&draft);
            return Err(Error::io(OPERATION, e).with("path", path.display()));
        }
        Ok(Registration { path })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Err(e) = fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), "entry of running job not removed: {e}");
        }
    }
}

/// All entries with their paths, sorted by path. A file that is no entry is left out: it may be one under construction.
///
/// # Errors
/// Io when the folder is there but can't be read; Config when it is not this user's own.
pub fn entries() -> Result<Vec<(PathBuf, Entry)>> {
    let folder = folder();
    if !folder.exists() {
        return Ok(Vec::new());
    }
    check(&folder)?;
    let listing = fs::read_dir(&folder)
        .map_err(|e| Error::io("list running jobs", e).with("path", folder.display()))?;
    let mut paths: Vec<PathBuf> = listing
        .filter_map(|item| Some(item.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .collect();
    paths.sort();
    Ok(paths
        .into_iter()
        .filter_map(|path| read(&path).map(|entry| (path, entry)))
        .collect())
}

fn read(path: &PathBuf) -> Option<Entry> {
    let mut text = Vec::new();
    let file = File::open(path).ok()?;
    file.take(ENTRY_BYTES_MAX + 1).read_to_end(&mut text).ok()?;
    if text.len() as u64 > ENTRY_BYTES_MAX {
        return None;
    }
    serde_json::from_slice(&text)
        .inspect_err(|e| tracing::warn!(path = %path.display(), "no entry of a running job: {e}"))
        .ok()
}

/// Removes an entry that nobody stands behind any more.
pub fn remove(path: &PathBuf) {
    if let Err(e) = fs::remove_file(path) {
        tracing::debug!(path = %path.display(), "stale entry not removed: {e}");
    }
}
