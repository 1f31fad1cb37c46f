//! One folder of the checkpoint storage: an object store, a prefix in it, and the name people know it by.
//!
//! Everything durable goes through here. On a local folder the store runs with `fsync`: it syncs a file before the rename
//! that publishes it and the folder after, which is what a remote object store promises by itself. What object stores don't
//! know (that folders exist without files, and go away) is done on the local path, or with HDFS's own client, directly.

use super::durability;
use super::error::{is_no_such_bucket, store_error};
use super::io::Io;
use super::uri::{Location, RemoteLocation};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
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
    place: Place,
    uri: String,
}

/// What a folder is, beside a prefix in an object store.
#[derive(Clone)]
pub(crate) enum Place {
    /// A folder of the local file system.
    Local(PathBuf),
    /// Nothing: folders are what names of objects begin with.
    #[cfg_attr(
        not(feature = "s3"),
        expect(dead_code, reason = "the feature s3 opens such stores")
    )]
    Objects,
    /// Nothing, and gone with the process.
    Memory,
    /// A folder that the name node knows.
    #[cfg(feature = "hdfs")]
    Hdfs(hdfs_native::Client),
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
            place: Place::Local(path.to_path_buf()),
            uri: Location::Local(path.to_path_buf()).uri(),
        })
    }

    /// A folder of a store that is reached over the network.
    pub(crate) fn remote(
        io: Arc<Io>,
        store: Arc<dyn ObjectStore>,
        place: Place,
        location: &RemoteLocation,
    ) -> Folder {
        Folder {
            io,
            store,
            prefix: StorePath::from(location.path.as_str()),
            place,
            uri: location.to_string(),
        }
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
            place: Place::Memory,
            uri: uri.to_string(),
        }
    }

    pub(crate) fn child(&self, name: &str) -> Folder {
        Folder {
            io: Arc::clone(&self.io),
            store: Arc::clone(&self.store),
            prefix: self.prefix.clone().join(name),
            place: match &self.place {
                Place::Local(path) => Place::Local(path.join(name)),
                other => other.clone(),
            },
            uri: format!("{}/{name}", self.uri),
        }
    }

    /// The folder as Flink writes it: `file:/checkpoints/…`.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }
    /// The folder as a person reads it: a local path without a scheme.
    pub(crate) fn display(&self) -> String {
        self.local()
            .map_or_else(|| self.uri.clone(), |p| p.display().to_string())
    }
    pub(crate) fn file_display(&self, name: &str) -> String {
        format!("{}/{name}", self.display())
    }
    pub(crate) fn local(&self) -> Option<&Path> {
        match &self.place {
            Place::Local(path) => Some(path),
            _ => None,
        }
    }
    /// Whether folders are nothing by themselves here.
    pub(crate) fn is_virtual(&self) -> bool {
        matches!(self.place, Place::Objects | Place::Memory)
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

    /// Creates the folder with all its parents. Where folders are nothing by themselves, the store is asked whether it is there
    /// at all, so that a wrong name or password is found before any work is done.
    pub(crate) fn create(&self) -> Result<()> {
        match &self.place {
            Place::Local(path) => durability::create_folder(path).map_err(|e| {
                Error::io("create folder", e).with("path", path.display()).hint(
                    "check that the parent is a folder on a disk with free space and that this process may write it",
                )
            }),
            Place::Memory => Ok(()),
            Place::Objects => {
                let (store, prefix) = (Arc::clone(&self.store), self.prefix.clone());
                self.io
                    .run(async move { store.list(Some(&prefix)).next().await.transpose() })?
                    .map(|_| ())
                    .map_err(|e| store_error("open folder", &self.display(), e))
            }
            #[cfg(feature = "hdfs")]
            Place::Hdfs(client) => {
                let (client, path) = (client.clone(), self.hdfs_path());
                self.io
                    .run(async move { client.mkdirs(&path, 0o755, true).await })?
                    .map_err(|e| self.hdfs_error("create folder", e))
            }
        }
    }

    #[cfg(feature = "hdfs")]
    fn hdfs_path(&self) -> String {
        format!("/{}", self.prefix)
    }

    #[cfg(feature = "hdfs")]
    fn hdfs_error(&self, operation: &'static str, error: hdfs_native::HdfsError) -> Error {
        let error = object_store::Error::Generic {
            store: "HDFS",
            source: Box::new(error),
        };
        store_error(operation, &self.display(), error)
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
            Err(e @ object_store::Error::NotFound { .. }) if !is_no_such_bucket(&e) => {
                return Ok(Listing::default());
            }
            Err(e) => return Err(store_error("list folder", &self.display(), e)),
        };
        let mut listing = Listing::default();
        for path in &result.common_prefixes {
            listing.folders.extend(path.filename().map(str::to_string));
        }
        for object in &result.objects {
            let name = object.location.filename().filter(|n| !self.is_unfinished(n));
            listing.files.extend(name.map(|n| (n.to_string(), object.size)));
        }
        listing.folders.sort();
        listing.files.sort();
        Ok(listing)
    }

    /// Whether `name` is what a store calls a file until it is whole: `name#1` on a local disk, `.name.tmp.1` on HDFS.
    fn is_unfinished(&self, name: &str) -> bool {
        let number = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
        match &self.place {
            Place::Local(_) => name.rsplit_once('#').is_some_and(|(_, n)| number(n)),
            #[cfg(feature = "hdfs")]
            Place::Hdfs(_) => {
                name.starts_with('.') && name.rsplit_once(".tmp.").is_some_and(|(_, n)| number(n))
            }
            Place::Objects | Place::Memory => false,
        }
    }

    /// Files that were never finished, hidden from [`Folder::list`]. Only a process that was killed leaves any. An object
    /// store keeps the parts of such a file where no listing shows them.
    pub(crate) fn list_unfinished(&self) -> Vec<String> {
        let names: Vec<String> = match &self.place {
            // The object store hides them by itself.
            Place::Local(path) => std::fs::read_dir(path)
                .into_iter()
                .flatten()
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .collect(),
            #[cfg(feature = "hdfs")]
            Place::Hdfs(_) => {
                let (store, prefix) = (Arc::clone(&self.store), self.prefix.clone());
                let listed = self
                    .io
                    .run(async move { store.list_with_delimiter(Some(&prefix)).await });
                let objects = listed.ok().and_then(std::result::Result::ok).map(|l| l.objects);
                objects
                    .unwrap_or_default()
                    .iter()
                    .filter_map(|o| o.location.filename().map(str::to_string))
                    .collect()
            }
            Place::Objects | Place::Memory => Vec::new(),
        };
        names.into_iter().filter(|n| self.is_unfinished(n)).collect()
    }

    /// Deletes a file of [`Folder::list_unfinished`]. That it is gone already is fine.
    pub(crate) fn delete_unfinished(&self, name: &str) -> Result<()> {
        let Place::Local(folder) = &self.place else {
            return self.delete_file(name);
        };
        // The object store refuses such names.
        let path = folder.join(name);
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
        match &self.place {
            // Not empty, or gone: both are fine.
            Place::Local(path) => drop(std::fs::remove_dir(path)),
            #[cfg(feature = "hdfs")]
            Place::Hdfs(client) => {
                let (client, path) = (client.clone(), self.hdfs_path());
                drop(self.io.run(async move { client.delete(&path, false).await }));
            }
            Place::Objects | Place::Memory => {}
        }
    }

    /// Deletes everything in it but the file `kept`; without that file, the folder as well.
    pub(crate) fn remove_all_but(&self, kept: &str) -> Result<()> {
        if self.size(kept)?.is_none() {
            return self.remove_all();
        }
        let listing = self.list()?;
        for name in listing.folders {
            self.child(&name).remove_all()?;
        }
        for (name, _) in listing.files.iter().filter(|(n, _)| n != kept) {
            self.delete_file(name)?;
        }
        self.list_unfinished()
            .iter()
            .try_for_each(|name| self.delete_unfinished(name))
    }

    /// Deletes the folder with everything in it, leftovers of interrupted writes included.
    pub(crate) fn remove_all(&self) -> Result<()> {
        match &self.place {
            Place::Local(path) => match std::fs::remove_dir_all(path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    Err(Error::io("delete folder", e).with("path", path.display()))
                }
                _ => Ok(()),
            },
            #[cfg(feature = "hdfs")]
            Place::Hdfs(client) => {
                let (client, path) = (client.clone(), self.hdfs_path());
                self.io
                    .run(async move { client.delete(&path, true).await })?
                    .map(|_| ())
                    .map_err(|e| self.hdfs_error("delete folder", e))
            }
            Place::Objects | Place::Memory => {
                let (store, prefix) = (Arc::clone(&self.store), self.prefix.clone());
                self.io
                    .run(async move {
                        // Deleted by the thousand where the store can.
                        let names = store.list(Some(&prefix)).map_ok(|o| o.location).boxed();
                        store
                            .delete_stream(names)
                            .try_for_each(|_| async { Ok(()) })
                            .await
                    })?
                    .or_else(|e| match e {
                        object_store::Error::NotFound { .. } => Ok(()),
                        e => Err(store_error("delete folder", &self.display(), e)),
                    })
            }
        }
    }
}
