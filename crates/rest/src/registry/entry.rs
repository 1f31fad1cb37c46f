//! One running job's entry: written when its server is up, removed when it goes.

use millpond_core::host::entropy;
use millpond_core::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// No entry that we wrote is longer; a longer file is none of ours.
const ENTRY_BYTES_MAX: u64 = 64 * 1024;
const WRITE: &str = "write entry of running job";

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

impl Entry {
    /// `None`, with a warning, when the file is no entry.
    pub(super) fn read(path: &Path) -> Option<Entry> {
        let mut text = Vec::new();
        let file = File::open(path).ok()?;
        file.take(ENTRY_BYTES_MAX + 1).read_to_end(&mut text).ok()?;
        if text.len() as u64 > ENTRY_BYTES_MAX {
            tracing::warn!(path = %path.display(), "too long for an entry of a running job");
            return None;
        }
        serde_json::from_slice(&text)
            .inspect_err(|e| tracing::warn!(path = %path.display(), "no entry of a running job: {e}"))
            .ok()
    }
}

impl Registration {
    /// Writes the entry as a whole or not at all: a reader never sees half of one.
    pub(super) fn write(folder: &Path, entry: &Entry) -> Result<Self> {
        // The process is part of the name: two processes may run the same job, by mistake or one after the other.
        let name = format!("{}-{}", entry.job_id, entry.pid);
        let path = folder.join(format!("{name}.json"));
        let draft = folder.join(format!("{name}.{:016x}.part", entropy()));
        let text = serde_json::to_vec_pretty(entry)
            .map_err(|e| Error::illegal_state(WRITE, "the entry is no JSON").source(e))?;
        let written = File::create_new(&draft)
            .and_then(|mut f| f.write_all(&text))
            .and_then(|()| fs::rename(&draft, &path));
        if let Err(e) = written {
            // It may not be there; either way the error to tell is the first one.
            let _ = fs::remove_file(&draft);
            return Err(Error::io(WRITE, e).with("path", path.display()));
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
