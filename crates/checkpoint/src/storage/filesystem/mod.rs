//! The file systems that checkpoints lie on, by the scheme of their URI. Flink's `FileSystem` and its plugins.
//!
//! Each is an `object_store`; what differs is how it is reached and whose credentials are used. `docs/storage.md` says it to
//! people. Stores are opened once for each bucket or name node and shared by all folders on them.

#[cfg(feature = "hdfs")]
mod hdfs;
mod options;
#[cfg(feature = "s3")]
mod s3;

pub use options::{FileSystemOptions, HdfsOptions, S3Options};

use super::folder::{Folder, Place, StoreLayer};
use super::io::Io;
use super::uri::{Location, Protocol, RemoteLocation};
#[cfg(not(all(feature = "s3", feature = "hdfs")))]
use millpond_core::ErrorKind;
use millpond_core::hash::HashMap;
use millpond_core::host::Background;
use millpond_core::{Error, Result};
use object_store::ObjectStore;
use std::sync::{Arc, Mutex, PoisonError};

const OPEN: &str = "open file system";

/// Opens folders, whatever file system they are on.
pub(crate) struct FileSystems {
    io: Arc<Io>,
    #[cfg_attr(
        not(any(feature = "s3", feature = "hdfs")),
        expect(dead_code, reason = "nothing is reached over the network in this build")
    )]
    options: Arc<FileSystemOptions>,
    layer: Option<Arc<StoreLayer>>,
    /// By `scheme://authority`.
    stores: Mutex<HashMap<String, Store>>,
}

/// A store that is reached over the network.
#[derive(Clone)]
struct Store {
    store: Arc<dyn ObjectStore>,
    place: Place,
}

impl FileSystems {
    /// Whether a layer is around the stores: then files are to be reached through them alone.
    pub(crate) fn is_layered(&self) -> bool {
        self.layer.is_some()
    }

    /// # Errors
    /// Io when the operating system has no threads to give.
    pub(crate) fn new(options: Arc<FileSystemOptions>, layer: Option<Arc<StoreLayer>>) -> Result<Arc<Self>> {
        Ok(Arc::new(FileSystems {
            io: Io::start()?,
            options,
            layer,
            stores: Mutex::default(),
        }))
    }

    /// Without threads: for a storage on a simulated store, which is what lies under `root`, a scheme with an authority.
    pub(crate) fn inline(
        options: Arc<FileSystemOptions>,
        background: Arc<dyn Background>,
        root: &str,
        store: Arc<dyn ObjectStore>,
    ) -> Arc<Self> {
        let place = Place::Memory;
        let known = [(root.to_string(), Store { store, place })];
        Arc::new(FileSystems {
            io: Io::inline(background),
            options,
            layer: None,
            stores: Mutex::new(known.into_iter().collect()),
        })
    }

    pub(crate) fn io(&self) -> &Arc<Io> {
        &self.io
    }

    /// The folder at `location`. With `create` it is created if it isn't there.
    ///
    /// # Errors
    /// NotFound when it isn't there (a store without folders can't tell, and finds it empty later); Unsupported when this
    /// build doesn't know the file system; Config and Io when it can't be reached.
    pub(crate) fn open(&self, location: &Location, create: bool) -> Result<Folder> {
        match location {
            Location::Local(path) => {
                Folder::open_local(Arc::clone(&self.io), path, create, self.layer.as_deref())
            }
            Location::Remote(remote) => {
                let Store { store, place } = self.store(remote)?;
                let folder = Folder::remote(Arc::clone(&self.io), store, place, remote);
                if create {
                    folder.create()?;
                }
                Ok(folder)
            }
        }
    }

    fn store(&self, location: &RemoteLocation) -> Result<Store> {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = stores.get(&location.root()) {
            return Ok(known.clone());
        }
        let mut store = self.connect(location)?;
        if let Some(layer) = &self.layer {
            store.store = layer(store.store);
        }
        stores.insert(location.root(), store.clone());
        Ok(store)
    }

    fn connect(&self, location: &RemoteLocation) -> Result<Store> {
        let connected = match location.protocol() {
            #[cfg(feature = "s3")]
            Protocol::S3 => s3::connect(&location.authority, &self.options.s3),
            #[cfg(feature = "hdfs")]
            Protocol::Hdfs => hdfs::connect(location, &self.options.hdfs, &self.io),
            #[cfg(not(all(feature = "s3", feature = "hdfs")))]
            other => Err(not_built_in(other)),
        };
        connected.map_err(|e: Error| e.with("location", location))
    }
}

#[cfg(not(all(feature = "s3", feature = "hdfs")))]
fn not_built_in(protocol: Protocol) -> Error {
    let (scheme, feature) = match protocol {
        Protocol::S3 => ("s3", "s3"),
        Protocol::Hdfs => ("hdfs", "hdfs"),
    };
    Error::new(
        ErrorKind::Unsupported,
        OPEN,
        "this file system is not in this build",
    )
    .with("scheme", scheme)
    .hint(format!(
        "build with the cargo feature {feature}, or use a path or file:///path"
    ))
}
