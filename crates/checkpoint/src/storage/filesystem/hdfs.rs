//! HDFS, spoken to in its own protocol: no JVM, no native library.
//!
//! Name nodes, replication and security come from Hadoop's `core-site.xml` and `hdfs-site.xml`, the user from
//! `HADOOP_USER_NAME` or the operating system, as with Hadoop's own client.

use super::{HdfsOptions, OPEN, Store};
use crate::storage::folder::Place;
use crate::storage::io::Io;
use crate::storage::uri::RemoteLocation;
use hdfs_native::ClientBuilder;
use hdfs_native_object_store::HdfsObjectStore;
use millpond_core::{Error, Result};
use std::sync::Arc;

pub(super) fn connect(location: &RemoteLocation, options: &HdfsOptions, io: &Arc<Io>) -> Result<Store> {
    let mut builder = ClientBuilder::new().with_io_runtime(io.handle()?);
    if !location.authority.is_empty() {
        builder = builder.with_url(location.root());
    }
    if let Some(folder) = &options.conf_dir {
        builder = builder.with_config_dir(folder.as_str());
    }
    let client = builder.build().map_err(|e| {
        Error::config(OPEN, "HDFS cannot be reached with these options")
            .source(e)
            .hint("name the name node (hdfs://host:8020/path), or set HADOOP_CONF_DIR or env.hadoop.conf.dir")
    })?;
    Ok(Store {
        store: Arc::new(HdfsObjectStore::new(client.clone())),
        place: Place::Hdfs(client),
    })
}
