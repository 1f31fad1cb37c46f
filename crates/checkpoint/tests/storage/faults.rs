//! A medium that fails: errors name the path and the next step, nothing half-done counts, nothing is left behind.

use crate::kit::{Kit, LARGE, content, files_under, full, job, metadata, text};
use bytes::Bytes;
use futures::stream::BoxStream;
use millpond_checkpoint::completed::CompletedCheckpointStore;
use millpond_checkpoint::storage::{FileSystemCheckpointStorage, StorageOptions, StoreLayer};
use millpond_core::ErrorKind;
use millpond_state::stream::CheckpointedStateScope::Exclusive;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};
use std::fmt;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A store on which the n-th write and all after it find the disk full.
#[derive(Debug)]
struct FullDisk {
    inner: Arc<dyn ObjectStore>,
    writes_left: Arc<AtomicI64>,
}

type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

fn take(writes_left: &AtomicI64) -> Result<()> {
    if writes_left.fetch_sub(1, Ordering::SeqCst) > 0 {
        return Ok(());
    }
    let source = Box::new(io::Error::from(io::ErrorKind::StorageFull));
    Err(object_store::Error::Generic {
        store: "FullDisk",
        source,
    })
}

impl fmt::Display for FullDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FullDisk")
    }
}

#[derive(Debug)]
struct FullUpload {
    inner: Box<dyn MultipartUpload>,
    writes_left: Arc<AtomicI64>,
}

impl MultipartUpload for FullUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match take(&self.writes_left) {
            Ok(()) => self.inner.put_part(data),
            Err(e) => Box::pin(async move { Err(e) }),
        }
    }
    fn complete<'a, 'b>(&'a mut self) -> Later<'b, Result<PutResult>>
    where
        'a: 'b,
        Self: 'b,
    {
        self.inner.complete()
    }
    fn abort<'a, 'b>(&'a mut self) -> Later<'b, Result<()>>
    where
        'a: 'b,
        Self: 'b,
    {
        self.inner.abort()
    }
}

impl ObjectStore for FullDisk {
    fn put_opts<'a, 'b, 'c>(
        &'a self,
        to: &'b Path,
        data: PutPayload,
        options: PutOptions,
    ) -> Later<'c, Result<PutResult>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            take(&self.writes_left)?;
            self.inner.put_opts(to, data, options).await
        })
    }
    fn put_multipart_opts<'a, 'b, 'c>(
        &'a self,
        to: &'b Path,
        options: PutMultipartOptions,
    ) -> Later<'c, Result<Box<dyn MultipartUpload>>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            let inner = self.inner.put_multipart_opts(to, options).await?;
            let upload = FullUpload {
                inner,
                writes_left: Arc::clone(&self.writes_left),
            };
            Ok(Box::new(upload) as Box<dyn MultipartUpload>)
        })
    }
    fn get_opts<'a, 'b, 'c>(&'a self, from: &'b Path, options: GetOptions) -> Later<'c, Result<GetResult>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        self.inner.get_opts(from, options)
    }
    fn get_ranges<'a, 'b, 'c, 'd>(
        &'a self,
        from: &'b Path,
        ranges: &'c [Range<u64>],
    ) -> Later<'d, Result<Vec<Bytes>>>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
        Self: 'd,
    {
        self.inner.get_ranges(from, ranges)
    }
    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }
    fn list_with_delimiter<'a, 'b, 'c>(&'a self, prefix: Option<&'b Path>) -> Later<'c, Result<ListResult>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        self.inner.list_with_delimiter(prefix)
    }
    fn copy_opts<'a, 'b, 'c, 'd>(
        &'a self,
        from: &'b Path,
        to: &'c Path,
        options: CopyOptions,
    ) -> Later<'d, Result<()>>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
        Self: 'd,
    {
        self.inner.copy_opts(from, to, options)
    }
    fn rename_opts<'a, 'b, 'c, 'd>(
        &'a self,
        from: &'b Path,
        to: &'c Path,
        options: RenameOptions,
    ) -> Later<'d, Result<()>>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
        Self: 'd,
    {
        self.inner.rename_opts(from, to, options)
    }
}

/// A storage whose disk is full after `writes` writes.
fn full_after(dir: &std::path::Path, writes: i64) -> Arc<FileSystemCheckpointStorage> {
    let writes_left = Arc::new(AtomicI64::new(writes));
    let layer: Arc<StoreLayer> = Arc::new(move |inner| {
        Arc::new(FullDisk {
            inner,
            writes_left: Arc::clone(&writes_left),
        })
    });
    FileSystemCheckpointStorage::open_layered(&text(dir), job(), StorageOptions::default(), Some(layer))
        .unwrap()
}

#[test]
fn wherever_the_disk_fills_up_the_checkpoint_fails_whole_and_the_older_one_stays() {
    // Method: a checkpoint is two state files, the sidecar and _metadata; the disk is full at each of these writes in turn.
    let kit = Kit::new();
    kit.checkpoint(1);
    let before = kit.files();
    for writes in 0..=4 {
        let storage = full_after(kit.dir.path(), writes);
        let location = storage.new_checkpoint(2).unwrap();
        let take_checkpoint = || {
            let factory = location.stream_factory();
            for _ in 0..2 {
                let mut stream = factory.create(Exclusive)?;
                stream
                    .write_all(&content(2, LARGE))
                    .map_err(|e| millpond_core::Error::io("write state", e))?;
                stream.close_and_get_handle()?;
            }
            let state = full(
                &*crate::kit::open(kit.dir.path())
                    .new_checkpoint(2)?
                    .stream_factory(),
                2,
            );
            location.commit(&metadata(2, state))
        };
        let mut store = CompletedCheckpointStore::new(storage.clone(), 1).unwrap();
        store.recover(&storage.find_latest_intact().unwrap());
        if writes == 4 {
            take_checkpoint().unwrap();
            break;
        }
        let error = take_checkpoint().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        let said = error.to_string();
        assert!(
            said.contains("the disk is full") && said.contains("free space"),
            "{said}"
        );
        assert!(error.context("path").unwrap().contains("chk-2/"), "{said}");
        assert_eq!(
            storage
                .find_latest_intact()
                .unwrap()
                .latest
                .unwrap()
                .checkpoint_id(),
            1
        );
        store.abort(2, &location);
        storage.wait_for_deletions();
        assert_eq!(kit.files(), before, "after {writes} writes");
    }
    assert_eq!(
        kit.storage
            .find_latest_intact()
            .unwrap()
            .latest
            .unwrap()
            .checkpoint_id(),
        2
    );
}

#[test]
fn a_large_file_whose_second_part_fails_leaves_nothing() {
    let kit = Kit::new();
    let storage = full_after(kit.dir.path(), 1);
    let location = storage.new_checkpoint(2).unwrap();
    let mut stream = location.stream_factory().create(Exclusive).unwrap();
    let written = stream.write_all(&content(1, 40 << 20));
    let closed = stream.close_and_get_handle();
    assert!(written.is_err() || closed.is_err());
    if written.is_err() {
        assert_eq!(
            closed.unwrap_err().kind(),
            ErrorKind::IllegalState,
            "a stream that failed stays failed"
        );
    }
    assert!(files_under(&kit.job_dir()).is_empty(), "{:?}", kit.files());
}

#[test]
fn a_folder_that_cannot_be_created_is_named_with_the_next_step() {
    // Method: the parent is a file, so not even an administrator can create a folder in it.
    let kit = Kit::new();
    let file = kit.dir.path().join("file");
    std::fs::write(&file, b"x").unwrap();
    let under_file = text(&file.join("checkpoints"));
    let open = FileSystemCheckpointStorage::open(&under_file, job(), StorageOptions::default()).unwrap_err();
    let save = kit.storage.new_savepoint(&under_file).unwrap_err();
    for error in [open, save] {
        assert_eq!(
            (error.kind(), error.context("path")),
            (ErrorKind::Io, Some(under_file.as_str())),
            "{error}"
        );
        assert!(error.to_string().contains("check that"), "{error}");
    }
    let s3 =
        FileSystemCheckpointStorage::open("gs://bucket/x", job(), StorageOptions::default()).unwrap_err();
    assert_eq!(s3.kind(), ErrorKind::Unsupported);
    assert!(
        s3.to_string().contains("scheme=gs") && s3.to_string().contains("file:///"),
        "{s3}"
    );
}

#[test]
fn a_job_folder_that_became_a_file_fails_checkpoints_and_heals() {
    // Method: the job's folder is replaced by a file while the job runs, and given back.
    let kit = Kit::new();
    kit.checkpoint(1);
    let aside = kit.dir.path().join("aside");
    std::fs::rename(kit.job_dir(), &aside).unwrap();
    std::fs::write(kit.job_dir(), b"in the way").unwrap();
    let location = kit.storage.new_checkpoint(2);
    let error = match location {
        Err(error) => error,
        Ok(location) => {
            let mut stream = location.stream_factory().create(Exclusive).unwrap();
            stream.write_all(&content(1, LARGE)).unwrap();
            stream.close_and_get_handle().unwrap_err()
        }
    };
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    std::fs::remove_file(kit.job_dir()).unwrap();
    std::fs::rename(&aside, kit.job_dir()).unwrap();
    kit.checkpoint(3);
    assert_eq!(
        kit.storage
            .find_latest_intact()
            .unwrap()
            .latest
            .unwrap()
            .checkpoint_id(),
        3
    );
}
