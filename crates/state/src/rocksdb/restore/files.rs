//! Getting the files of a checkpoint: a hard link where it lies on the same disk, a copy where it doesn't.

use super::Restore;
use crate::handle::{HandleAndLocalPath, IncrementalRemoteKeyedStateHandle};
use crate::rocksdb::folder::TemporaryFolder;
use crate::rocksdb::incremental::{Manifest, database_files};
use crate::snapshot::restored::check_key;
use millpond_core::{Error, Result, host};
use millpond_types::StateKey;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// A checkpoint whose files are here.
pub(super) struct Fetched<'a> {
    pub(super) handle: &'a IncrementalRemoteKeyedStateHandle,
    pub(super) manifest: Manifest,
    pub(super) folder: TemporaryFolder,
}

impl<K: StateKey> Restore<'_, K> {
    /// Gets the files of a checkpoint.
    pub(super) fn fetch<'h>(&self, handle: &'h IncrementalRemoteKeyedStateHandle) -> Result<Fetched<'h>> {
        let fetched = Fetched {
            handle,
            manifest: self.manifest(handle)?,
            folder: TemporaryFolder(self.folder.join(&format!("restore-{}", handle.range.first()))),
        };
        let folder = &fetched.folder.0;
        fs::create_dir_all(folder).map_err(|e| download_failed(folder, e))?;
        host::parallel(self.transfer_threads, database_files(handle).collect(), |file| {
            self.fetch_file(file, folder)
        })?;
        Ok(fetched)
    }

    fn manifest(&self, handle: &IncrementalRemoteKeyedStateHandle) -> Result<Manifest> {
        let bytes = self.reader.read_range(&handle.meta, 0..handle.meta.size())?;
        let manifest = Manifest::read(&bytes)?;
        check_key(&manifest.header, &*self.parameters.key_serializer)?;
        Ok(manifest)
    }

    fn fetch_file(&self, file: &HandleAndLocalPath, folder: &Path) -> Result<()> {
        let name = plain_name(&file.local_path)?;
        let path = folder.join(name);
        // RocksDB never changes a table. The others it does.
        if name.ends_with(".sst") && self.reader.link(&file.stream, &path) {
            return Ok(());
        }
        let mut from = self.reader.open(&file.stream)?;
        let mut to = File::create(&path).map_err(|e| download_failed(&path, e))?;
        io::copy(&mut from, &mut to).map_err(|e| read_failed(&path, e))?;
        Ok(())
    }
}

/// A name that a handle gives for a file, if it stays inside its folder.
fn plain_name(name: &str) -> Result<&str> {
    let plain = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0']);
    if plain {
        return Ok(name);
    }
    Err(Error::corrupt("restore state", "a file's name is not a plain one").with("name", name))
}

pub(super) fn download_failed(path: &Path, source: io::Error) -> Error {
    Error::io("download state", source)
        .with("file", path.display())
        .hint("see that the local disk has space for the state: `state.backend.rocksdb.localdir` says where it goes")
}

/// A reader reports damage as an I/O error.
fn read_failed(path: &Path, source: io::Error) -> Error {
    if source.kind() == io::ErrorKind::InvalidData {
        return Error::corrupt("download state", "a file of the checkpoint is damaged")
            .with("file", path.display())
            .source(source);
    }
    download_failed(path, source)
}
