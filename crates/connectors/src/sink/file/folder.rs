//! The folder that part files are in: every file operation of the sink, with its errors.

use super::names::{Owner, PartName};
use millpond_core::{Error, Result};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The sink's folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Opens the folder, which is made if it doesn't exist.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).map_err(|e| failed("make output folder", path, e))?;
        Ok(Folder(path.to_path_buf()))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The part files of `owner`.
    pub(crate) fn parts(&self, owner: &Owner) -> Result<Vec<(String, PartName)>> {
        let listing = |e| failed("list output folder", &self.0, e);
        let mut parts = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(listing)? {
            let name = entry.map_err(listing)?.file_name();
            if let Some(name) = name.to_str()
                && let Some(part) = owner.parse(name)
            {
                parts.push((name.to_string(), part));
            }
        }
        parts.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(parts)
    }

    /// Creates an empty file; one that a crash left under this name is overwritten.
    pub(crate) fn create(&self, name: &str) -> Result<File> {
        File::create(self.path(name)).map_err(|e| failed("create part file", &self.path(name), e))
    }

    /// Gives a file another name; durable after [`Folder::sync`].
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    /// Removes a file that may be gone already.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(failed("remove part file", &self.path(name), e)),
            _ => Ok(()),
        }
    }

    /// The length of a file, `None` if it isn't there.
    pub(crate) fn length(&self, name: &str) -> Result<Option<u64>> {
        match fs::metadata(self.path(name)) {
            Ok(meta) => Ok(Some(meta.len())),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failed("look at part file", &self.path(name), e)),
        }
    }

    /// Makes the names in the folder durable.
    pub(crate) fn sync(&self) -> Result<()> {
        File::open(&self.0)
            .and_then(|f| f.sync_all())
            .map_err(|e| failed("sync output folder", &self.0, e))
    }
}

/// The error of an operation on `path`, with what to do about it.
pub(crate) fn failed(operation: &'static str, path: &Path, e: io::Error) -> Error {
    let hint = match e.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free space there; the job goes on from its last checkpoint"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "let the user that runs the job write there, or give the sink another folder"
        }
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            "a file stands where the folder should be; give the sink another folder"
        }
        _ => "see whether the folder and its disk are in order",
    };
    Error::io(operation, e).with("path", path.display()).hint(hint)
}
