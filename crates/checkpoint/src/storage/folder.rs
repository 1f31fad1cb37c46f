//! One folder of the checkpoint storage: an object store, a prefix in it, and the name people know it by.
//!
//! Everything durable goes through here. On a local folder the store runs with `fsync`: it syncs a file before the rename
//! that publishes it and the folder after, which is what a remote object store promises by itself. What object stores don't
//! know (that folders exist without files, and go away) is done on the local path directly.

use super::io::Io;
use super::{durability, uri};
use bytes::Bytes;
use millpond_core::{Error, ErrorKind, Result};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as StorePath;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Puts a layer around the store of a folder: metrics, throttling, injected faults.
pub type StoreLayer = dyn Fn(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> + Send + Sync;

/// See the module.
#[derive(Clone)]
pub(crate) struct Folder {
    io: Arc<Io>,
    store: Arc<dyn ObjectStore>,
    prefix: StorePath,
    local: Option<PathBuf>,
    uri: String,
}

/// What a folder holds, without what its subfolders hold.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) folders: Vec<String>,
    pub(crate) files: Vec<(String, u64)>,
}

impl Folder {
    /// A local folder, created if `create` and it doesn't exist yet.
    pub(crate) fn open_local(
        io: Arc<Io>,
        path: &Path,
        create: bool,
        layer: Option<&StoreLayer>,
    ) -> Result<Folder> {
        let failed = |e: std::io::Error| {
            let missing = !create && e.kind() == std::io::ErrorKind::NotFound;
            let error = if missing {
                Error::new(ErrorKind::NotFound, "open folder", "no such folder").source(e)
            } else {
                Error::io("open folder", e)
            };
            error
                .with("path", path.display())
                .hint("check that the folder exists and that this process may read and write it")
        };
        if create {
            durability::create_folder(path).map_err(failed)?;
        }
        if !std::fs::metadata(path).map_err(failed)?.is_dir() {
            return Err(failed(std::io::ErrorKind::NotADirectory.into()));
        }
        let store = LocalFileSystem::new_with_prefix(path)
            .map_err(|e| store_error("open folder", &path.display().to_string(), e))?
            .with_fsync(true);
        let store: Arc<dyn ObjectStore> = Arc::new(store);
        Ok(Folder {
            io,
            store: layer.map_or_else(|| Arc::clone(&store), |l| l(Arc::clone(&store))),
            prefix: StorePath::default(),
            local: Some(path.to_path_buf()),
            uri: uri::to_uri(path),
        })
    }

    /// A folder in memory, gone with its last owner.
    pub(crate) fn in_memory(io: Arc<Io>) -> Folder {
        Self::of_store(io, Arc::new(InMemory::new()), "memory:")
    }

    /// The root of `store`, which people know as `uri`.
    pub(crate) fn of_store(io: Arc<Io>, store: Arc<dyn ObjectStore>, uri: &str) -> Folder {
        Folder {
            io,
            store,
            prefix: StorePath::default(),
            local: None,
            uri: uri.to_string(),
        }
    }

    pub(crate) fn child(&self, name: &str) -> Folder {
        Folder {
            io: Arc::clone(&self.io),
            store: Arc::clone(&self.store),
            prefix: self.prefix.clone().join(name),
            local: self.local.as_ref().map(|p| p.join(name)),
            uri: format!("{}/{name}", self.uri),
        }
    }

    /// The folder as Flink writes it: `file:/checkpoints/…`.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }
    /// The folder as a person reads it: a local path without a scheme.
    pub(crate) fn display(&self) -> String {
        self.local
            .as_ref()
            .map_or_else(|| self.uri.clone(), |p| p.display().to_string())
    }
    pub(crate) fn file_display(&self, name: &str) -> String {
        format!("{}/{name}", self.display())
    }
    pub(crate) fn local(&self) -> Option<&Path> {
        self.local.as_deref()
    }
    pub(crate) fn io(&self) -> &Arc<Io> {
        &self.io
    }
    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }
    pub(crate) fn store_path(&self, name: &str) -> StorePath {
        self.prefix.clone().join(name)
    }

    /// Stores a file at once. `new`: refuses to replace one that exists.
    pub(crate) fn put(&self, name: &str, bytes: Bytes, new: bool) -> Result<()> {
        let mode = if new { PutMode::Create } else { PutMode::Overwrite };
        let (store, path) = (Arc::clone(&self.store), self.store_path(name));
        self.io
            .run(async move {
                let options = PutOptions::from(mode);
                store
                    .put_opts(&path, PutPayload::from_bytes(bytes), options)
                    .await
            })?
            .map(|_| ())
            .map_err(|e| store_error("write file", &self.file_display(name), e))
    }

    /// The whole file.
    pub(crate) fn get(&self, name: &str) -> Result<Bytes> {
        let (store, path) = (Arc::clone(&self.store), self.store_path(name));
        self.io
            .run(async move { store.get(&path).await?.bytes().await })?
            .map_err(|e| store_error("read file", &self.file_display(name), e))
    }

    /// A part of the file; all of `range` must lie in it.
    pub(crate) fn get_range(&self, name: &str, range: Range<u64>) -> Result<Bytes> {
        let length = range.end.saturating_sub(range.start);
        if length == 0 {
            return Ok(Bytes::new());
        }
        let (store, path) = (Arc::clone(&self.store), self.store_path(name));
        let bytes = self
            .io
            .run(async move { store.get_range(&path, range).await })?
            .map_err(|e| store_error("read file", &self.file_display(name), e))?;
        if bytes.len() as u64 != length {
            return Err(
                Error::corrupt("read file", "the file is shorter than it should be")
                    .with("path", self.file_display(name)),
            );
        }
        Ok(bytes)
    }

    /// The file's length, `None` if there is no such file.
    pub(crate) fn size(&self, name: &str) -> Result<Option<u64>> {
        let (store, path) = (Arc::clone(&self.store), self.store_path(name));
        match self.io.run(async move { store.head(&path).await })? {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(store_error("look up file", &self.file_display(name), e)),
        }
    }

    /// What it holds, sorted by name; nothing if it doesn't exist.
    pub(crate) fn list(&self) -> Result<Listing> {
        let (store, prefix) = (Arc::clone(&self.store), self.prefix.clone());
        let result = match self
            .io
            .run(async move { store.list_with_delimiter(Some(&prefix)).await })?
        {
            Ok(result) => result,
            Err(object_store::Error::NotFound { .. }) => return Ok(Listing::default()),
            Err(e) => return Err(store_error("list folder", &self.display(), e)),
        };
        let mut listing = Listing::default();
        for path in &result.common_prefixes {
            listing.folders.extend(path.filename().map(str::to_string));
        }
        for object in &result.objects {
            listing
                .files
                .extend(object.location.filename().map(|n| (n.to_string(), object.size)));
        }
        listing.folders.sort();
        listing.files.sort();
        Ok(listing)
    }

    /// Files that were never finished: what the object store writes before it renames, and hides from listings. Only a process
    /// that was killed leaves any. Nothing for a store without folders.
    pub(crate) fn list_unfinished(&self) -> Vec<String> {
        let unfinished = |name: &String| {
            name.rsplit_once('#')
                .is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        };
        let entries = self.local.as_ref().and_then(|path| std::fs::read_dir(path).ok());
        entries
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(unfinished)
            .collect()
    }

    /// Deletes a file of [`Folder::list_unfinished`]. That it is gone already is fine.
    pub(crate) fn delete_unfinished(&self, name: &str) -> Result<()> {
        let Some(path) = self.local.as_ref().map(|folder| folder.join(name)) else {
            return Ok(());
        };
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("delete file", e).with("path", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Deletes one file. That it is gone already is fine.
    pub(crate) fn delete_file(&self, name: &str) -> Result<()> {
        let (store, path) = (Arc::clone(&self.store), self.store_path(name));
        match self.io.run(async move { store.delete(&path).await })? {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(store_error("delete file", &self.file_display(name), e)),
        }
    }

    /// Deletes the folder if it is empty; a store without folders has nothing to do.
    pub(crate) fn remove_if_empty(&self) {
        if let Some(path) = &self.local {
            // Not empty, or gone: both are fine.
            let _ = std::fs::remove_dir(path);
        }
    }

    /// Deletes the folder with everything in it, leftovers of interrupted writes included.
    pub(crate) fn remove_all(&self) -> Result<()> {
        if let Some(path) = &self.local {
            return match std::fs::remove_dir_all(path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    Err(Error::io("delete folder", e).with("path", path.display()))
                }
                _ => Ok(()),
            };
        }
        let listing = self.list()?;
        listing
            .folders
            .iter()
            .try_for_each(|f| self.child(f).remove_all())?;
        listing.files.iter().try_for_each(|(f, _)| self.delete_file(f))
    }
}

/// Turns a store's error into ours, with the operating system's reason where there is one.
pub(crate) fn store_error(operation: &'static str, path: &str, error: object_store::Error) -> Error {
    let reason = io_kind(&error);
    let ours = match (&error, reason) {
        (object_store::Error::NotFound { .. }, _) => {
            Error::new(ErrorKind::NotFound, operation, "no such file").source(error)
        }
        (object_store::Error::AlreadyExists { .. }, _) => {
            Error::illegal_state(operation, "the file exists already and is never overwritten").source(error)
        }
        (object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. }, _) => {
            Error::new(ErrorKind::Unsupported, operation, "the storage cannot do this").source(error)
        }
        (_, Some(kind)) => {
            // `Error::io` words the message by the kind; the store's own error stays as the source.
            let hint = match kind {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                    "free space or point the option at another disk"
                }
                std::io::ErrorKind::NotADirectory => "a part of the path is a file; choose another folder",
                _ => "check that the folder exists and that this process may write it",
            };
            Error::io(operation, std::io::Error::new(kind, error)).hint(hint)
        }
        (_, None) => Error::new(ErrorKind::Io, operation, "the storage failed")
            .source(error)
            .hint("check the storage and try again"),
    };
    ours.with("path", path)
}

/// The operating system's reason behind an error.
pub(super) fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<std::io::ErrorKind> {
    let mut cause = Some(error);
    while let Some(c) = cause {
        if let Some(io) = c.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        cause = c.source();
    }
    None
}
