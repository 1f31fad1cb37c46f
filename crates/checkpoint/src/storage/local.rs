//! Copies of a job's state files on a local disk, so that a restart reads them there instead of over the network. Flink's
//! task-local recovery.
//!
//! Names of state files are random, and a file never changes: a copy is found by the name, and believed by length and checksum.
//! A copy that is missing or damaged is no failure; then the checkpoint's own file is read. Neither is one that can't be
//! written. Only what the newest complete checkpoint names is kept.

use super::layout;
use bytes::Bytes;
use millpond_core::hash::HashSet;
use millpond_core::{Error, JobId, Result};
use millpond_state::handle::{FileStateHandle, StatePath, StreamStateHandle};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Ends the name of a copy that is being written.
const PART: &str = ".part";

/// Where copies lie, and whether they are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalBackupOptions {
    /// Folders that files are spread over: one for each disk.
    pub dirs: Vec<PathBuf>,
    /// Whether copies are written.
    pub write: bool,
    /// Whether copies are read.
    pub read: bool,
}

impl Default for LocalBackupOptions {
    fn default() -> Self {
        LocalBackupOptions {
            dirs: vec![std::env::temp_dir().join("millpond-local-state")],
            write: false,
            read: false,
        }
    }
}

/// The copies of one job.
pub(crate) struct LocalCopies {
    /// `<dir>/<job id>` of each folder.
    dirs: Vec<PathBuf>,
    write: bool,
    read: bool,
    /// What was there when the last checkpoint completed: of that, what it didn't name is nobody's. What came since may belong to
    /// a checkpoint under way.
    settled: Mutex<HashSet<String>>,
    warned: AtomicBool,
}

impl LocalCopies {
    /// `None` if the options ask for nothing.
    pub(crate) fn of(job: JobId, options: &LocalBackupOptions) -> Option<Arc<Self>> {
        (options.write || options.read).then(|| {
            Arc::new(LocalCopies {
                dirs: options.dirs.iter().map(|d| d.join(job.to_string())).collect(),
                write: options.write,
                read: options.read,
                settled: Mutex::default(),
                warned: AtomicBool::new(false),
            })
        })
    }

    /// Where the copy of the file `name` lies, if there is one.
    fn path(&self, name: &str) -> Option<PathBuf> {
        let number = crc32c::crc32c(name.as_bytes()) as usize;
        let dir = self.dirs.get(number.checked_rem(self.dirs.len())?)?;
        Some(dir.join(name))
    }

    /// Begins a copy of the file `name`.
    pub(crate) fn begin(self: &Arc<Self>, name: &str) -> Option<LocalCopy> {
        let path = self.path(name).filter(|_| self.write)?;
        let part = path.with_file_name(format!("{name}{PART}"));
        let create = || {
            if let Some(dir) = path.parent() {
                std::fs::create_dir_all(dir)?;
            }
            File::create(&part)
        };
        match create() {
            Ok(file) => Some(LocalCopy {
                copies: Arc::clone(self),
                file: Some(file),
                part,
                path,
            }),
            Err(e) => {
                self.warn(&part, &e);
                None
            }
        }
    }

    /// Once: a full disk would otherwise say so for each file.
    fn warn(&self, path: &Path, error: &std::io::Error) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(path = %path.display(), %error, "local copies of state can't be written; a restart reads the checkpoint itself");
        }
    }

    /// The copy of `file`, if there is one of its length and it can be told from another by a checksum.
    pub(crate) fn find(&self, file: &FileStateHandle) -> Option<LocalFile> {
        file.crc32c?;
        let path = self.path(name_of(&file.path)?).filter(|_| self.read)?;
        let opened = File::open(&path).ok()?;
        (opened.metadata().ok()?.len() == file.size).then_some(LocalFile { file: opened, path })
    }

    /// The newest complete checkpoint names `streams`: copies that were there before it and aren't named go.
    pub(crate) fn retain<'a>(&self, streams: impl Iterator<Item = &'a StreamStateHandle>) {
        let named: HashSet<&str> = streams
            .filter_map(|stream| name_of(&stream.file()?.path))
            .collect();
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        for name in settled.iter().filter(|n| !named.contains(n.as_str())) {
            if let Some(path) = self.path(name) {
                let _ = std::fs::remove_file(path);
            }
        }
        *settled = self.names();
    }

    /// Deletes all copies: the job is over.
    pub(crate) fn clear(&self) {
        for dir in &self.dirs {
            let _ = std::fs::remove_dir_all(dir);
        }
    }

    fn names(&self) -> HashSet<String> {
        let entries = self
            .dirs
            .iter()
            .filter_map(|dir| std::fs::read_dir(dir).ok())
            .flatten();
        entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect()
    }
}

/// The last part of a path, if it is a name that we give to files: what a snapshot says must not lead anywhere else.
fn name_of(path: &StatePath) -> Option<&str> {
    let (StatePath::Relative(text) | StatePath::Absolute(text)) = path;
    let name = text.rsplit('/').next()?;
    layout::is_file_name(name).then_some(name)
}

/// A copy that is being written. Dropped without [`LocalCopy::finish`], it leaves nothing.
pub(crate) struct LocalCopy {
    copies: Arc<LocalCopies>,
    file: Option<File>,
    part: PathBuf,
    path: PathBuf,
}

impl LocalCopy {
    /// Adds bytes. A copy that can't be written is given up.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let result = self.file.as_mut().map_or(Ok(()), |f| f.write_all(bytes));
        if let Err(e) = result {
            self.copies.warn(&self.part, &e);
            self.file = None;
        }
    }

    /// Gives the copy its name. It isn't synced: after a power cut, the checksum says whether it is whole.
    pub(crate) fn finish(mut self) {
        if self.file.take().is_some()
            && let Err(e) = std::fs::rename(&self.part, &self.path)
        {
            self.copies.warn(&self.path, &e);
        }
    }
}

impl Drop for LocalCopy {
    fn drop(&mut self) {
        // Gone already, if it was finished.
        let _ = std::fs::remove_file(&self.part);
    }
}

/// A copy that is read.
pub(crate) struct LocalFile {
    file: File,
    path: PathBuf,
}

impl LocalFile {
    pub(crate) fn get_range(&mut self, range: Range<u64>) -> Result<Bytes> {
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        self.file
            .seek(SeekFrom::Start(range.start))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(|e| Error::io("read local copy", e).with("path", self.path.display()))?;
        Ok(Bytes::from(bytes))
    }

    /// Makes `path` another name of it; `false` if that lies on another disk.
    pub(crate) fn link(&self, path: &Path) -> bool {
        std::fs::hard_link(&self.path, path).is_ok()
    }

    pub(crate) fn display(&self) -> String {
        self.path.display().to_string()
    }

    /// It is not what it should be.
    pub(crate) fn discard(&self) {
        tracing::warn!(path = %self.path.display(), "damaged local copy deleted; the checkpoint itself is read");
        let _ = std::fs::remove_file(&self.path);
    }
}
