//! The checkpoint storage: where snapshots are written, committed, read back and deleted.
//!
//! Everything goes through `object_store`; the calls are synchronous, for snapshot threads and the job master, over one
//! small private runtime. The layout is Flink's (`AbstractFsCheckpointStorageAccess`); the commit protocol, the
//! checksum sidecar and what is assumed of the medium are in `docs/checkpoint-format.md`.

mod commit;
mod deleter;
mod durability;
mod folder;
mod io;
pub mod layout;
pub mod options;
mod reader;
mod sidecar;
mod stream;
mod upload;
mod uri;

pub use commit::CompletedCheckpoint;
pub use folder::StoreLayer;
pub use options::StorageOptions;

pub(crate) use commit::{Verify, read_checkpoint};
pub(crate) use deleter::Deletion;
pub(crate) use folder::Folder;
pub(crate) use reader::resolve;
pub(crate) use uri::local_path;

use crate::metadata::CheckpointMetadata;
use deleter::Deleter;
use io::Io;
use millpond_core::host::Background;
use millpond_core::{CheckpointId, Error, JobId, Result};
use millpond_state::stream::{CheckpointStreamFactory, StateHandleReader};
use object_store::ObjectStore;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The checkpoint storage of one job. Flink's `FsCheckpointStorageAccess`.
///
/// ```
/// use millpond_checkpoint::storage::{FileSystemCheckpointStorage, StorageOptions};
/// use millpond_checkpoint::completed::RetentionPolicy;
/// use millpond_checkpoint::metadata::CheckpointMetadata;
/// use millpond_core::JobId;
///
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path().display().to_string();
/// let storage = FileSystemCheckpointStorage::open(&dir, JobId::from_name("wordcount"), StorageOptions::default())?;
/// let location = storage.new_checkpoint(1)?;
/// // Tasks write their state through `location.stream_factory()` and hand the handles in; then:
/// let properties = RetentionPolicy::RetainOnCancellation.properties();
/// let metadata = CheckpointMetadata { checkpoint_id: 1, operators: Vec::new(), properties: Some(properties) };
/// location.commit(&metadata)?;
/// assert_eq!(storage.find_latest_intact()?.latest.map(|c| c.checkpoint_id()), Some(1));
/// storage.close();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FileSystemCheckpointStorage {
    job: JobId,
    /// `<dir>/<job id>`.
    job_folder: Folder,
    options: StorageOptions,
    layer: Option<Arc<StoreLayer>>,
    deleter: Deleter,
    survives_process: bool,
}

/// The place of one checkpoint or savepoint, written to or read from. Flink's `CheckpointStorageLocation`.
#[derive(Clone)]
pub struct CheckpointLocation {
    target: Target,
    /// Set for a savepoint that this process is writing: whether it was committed. Until then its folder is ours to delete.
    draft: Option<Arc<AtomicBool>>,
}

/// What streams and readers of one checkpoint need to know.
#[derive(Clone)]
pub(crate) struct Target {
    /// The folder with `_metadata`.
    pub(crate) folder: Folder,
    /// The job's folder for shared files; a savepoint has none.
    pub(crate) shared: Option<Folder>,
    pub(crate) options: StorageOptions,
    pub(crate) layer: Option<Arc<StoreLayer>>,
}

impl FileSystemCheckpointStorage {
    /// Opens the storage of `job` under `directory`, a plain path or a `file:` URI, and creates its folders.
    ///
    /// # Errors
    /// Unsupported for another scheme (use a local path), Io when the folder can't be created (its text says why).
    pub fn open(directory: &str, job: JobId, options: StorageOptions) -> Result<Arc<Self>> {
        Self::open_layered(directory, job, options, None)
    }

    /// As [`FileSystemCheckpointStorage::open`], with a layer around every object store that it opens.
    ///
    /// # Errors
    /// As [`FileSystemCheckpointStorage::open`].
    pub fn open_layered(
        directory: &str,
        job: JobId,
        options: StorageOptions,
        layer: Option<Arc<StoreLayer>>,
    ) -> Result<Arc<Self>> {
        let path = uri::local_path("open checkpoint storage", directory)?;
        // The base folder, not the job's: when that is moved away, the store still stands on something.
        let base = Folder::open_local(Io::start()?, &path, true, layer.as_deref())?;
        let job_folder = base.child(&job.to_string());
        let storage = Self::new(job_folder, job, options, layer, Deleter::start()?, true);
        if let Some(local) = storage.job_folder.local() {
            for folder in [layout::SHARED_FOLDER, layout::TASK_OWNED_FOLDER] {
                create_folder(&local.join(folder))?;
            }
        }
        Ok(Arc::new(storage))
    }

    /// A storage that lives in memory: checkpoints survive a failing task, not the end of the process.
    /// Flink's `JobManagerCheckpointStorage`. Savepoints still go to folders.
    ///
    /// # Errors
    /// Io when the operating system has no thread to give.
    pub fn in_memory(job: JobId, options: StorageOptions) -> Result<Arc<Self>> {
        let base = Folder::in_memory(Io::start()?);
        let job_folder = base.child(&job.to_string());
        let storage = Self::new(job_folder, job, options, None, Deleter::start()?, false);
        Ok(Arc::new(storage))
    }

    /// A storage on a store of the caller's, without threads of its own: its futures must be ready at once, and what is
    /// deleted later is deleted in `background`. For simulations, where one scheduler decides what happens next.
    pub fn on_store(
        store: Arc<dyn ObjectStore>,
        uri: &str,
        job: JobId,
        options: StorageOptions,
        background: Arc<dyn Background>,
    ) -> Arc<Self> {
        let base = Folder::of_store(Io::inline(), store, uri);
        let job_folder = base.child(&job.to_string());
        let deleter = Deleter::on(background);
        Arc::new(Self::new(job_folder, job, options, None, deleter, true))
    }

    fn new(
        job_folder: Folder,
        job: JobId,
        options: StorageOptions,
        layer: Option<Arc<StoreLayer>>,
        deleter: Deleter,
        survives_process: bool,
    ) -> Self {
        FileSystemCheckpointStorage {
            job,
            job_folder,
            options,
            layer,
            deleter,
            survives_process,
        }
    }

    /// The job.
    pub fn job(&self) -> JobId {
        self.job
    }
    /// The job's folder, for people and logs.
    pub fn job_directory(&self) -> String {
        self.job_folder.display()
    }
    /// Whether checkpoints are still there after the process has ended.
    pub fn survives_process(&self) -> bool {
        self.survives_process
    }
    pub(crate) fn job_folder(&self) -> &Folder {
        &self.job_folder
    }

    /// The place of checkpoint `id`, to be written to.
    ///
    /// # Errors
    /// IllegalState when the checkpoint exists already: numbers are used once.
    pub fn new_checkpoint(&self, id: CheckpointId) -> Result<CheckpointLocation> {
        let location = self.checkpoint(id);
        if location.target.folder.size(layout::METADATA_FILE)?.is_some() {
            return Err(Error::illegal_state(
                "start checkpoint",
                "a checkpoint with this number exists already",
            )
            .with("checkpoint", id)
            .with("path", location.target.folder.display()));
        }
        Ok(location)
    }

    /// A fresh place for a savepoint under `target`, a plain path or a `file:` URI. The folder is created at once.
    ///
    /// # Errors
    /// Unsupported for another scheme, Io when the folder can't be created.
    pub fn new_savepoint(&self, target: &str) -> Result<CheckpointLocation> {
        let path = uri::local_path("start savepoint", target)?;
        let io = Arc::clone(self.job_folder.io());
        let base = Folder::open_local(io, &path, true, self.layer.as_deref())?;
        let folder = base.child(&layout::savepoint_folder(self.job));
        if let Some(local) = folder.local() {
            create_folder(local)?;
        }
        let mut location = self.location(folder, None);
        location.draft = Some(Arc::default());
        Ok(location)
    }

    /// Where checkpoint `id` lies, whether it exists or not.
    pub(crate) fn checkpoint(&self, id: CheckpointId) -> CheckpointLocation {
        let folder = self.job_folder.child(&layout::checkpoint_folder(id));
        self.location(folder, Some(self.job_folder.child(layout::SHARED_FOLDER)))
    }

    pub(crate) fn location(&self, folder: Folder, shared: Option<Folder>) -> CheckpointLocation {
        CheckpointLocation {
            target: Target {
                folder,
                shared,
                options: self.options,
                layer: self.layer.clone(),
            },
            draft: None,
        }
    }

    /// Hands a deletion to the background thread.
    pub(crate) fn delete_later(&self, deletion: Deletion) {
        self.deleter.submit(deletion);
    }

    /// Waits until everything that was to be deleted is deleted.
    pub fn wait_for_deletions(&self) {
        self.deleter.flush();
    }

    /// Waits for the deletions and ends the background thread. Later deletions run on the caller's thread.
    pub fn close(&self) {
        self.deleter.close();
    }
}

/// A location outside any job, for reading what somebody points at.
pub(crate) fn foreign_location(path: &Path) -> Result<CheckpointLocation> {
    let io = Io::start()?;
    // The folder itself is the store's root: its name may hold characters that object stores escape.
    let folder = Folder::open_local(Arc::clone(&io), path, false, None)?;
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let shared = path.parent().map(|job| job.join(layout::SHARED_FOLDER));
    let shared = match shared.filter(|s| layout::checkpoint_id(name).is_some() && s.is_dir()) {
        Some(shared) => Some(Folder::open_local(io, &shared, false, None)?),
        None => None,
    };
    Ok(CheckpointLocation {
        target: Target {
            folder,
            shared,
            options: StorageOptions::default(),
            layer: None,
        },
        draft: None,
    })
}

impl CheckpointLocation {
    /// Streams that write into this checkpoint.
    pub fn stream_factory(&self) -> Arc<dyn CheckpointStreamFactory> {
        Arc::new(stream::StreamFactory {
            target: self.target.clone(),
        })
    }
    /// Reads what this checkpoint's handles name.
    pub fn reader(&self) -> Arc<dyn StateHandleReader> {
        Arc::new(reader::Reader {
            target: self.target.clone(),
        })
    }
    /// Makes the checkpoint exist: sidecar first, `_metadata` last and at once.
    ///
    /// # Errors
    /// Io when it could not be stored: give the checkpoint up, delete it, and go on. IllegalState when it exists already.
    pub fn commit(&self, metadata: &CheckpointMetadata) -> Result<CompletedCheckpoint> {
        let checkpoint = commit::commit(self, metadata)?;
        if let Some(committed) = &self.draft {
            committed.store(true, Ordering::SeqCst);
        }
        Ok(checkpoint)
    }
    /// Whether this is a savepoint that was started here and never committed.
    pub(crate) fn is_draft(&self) -> bool {
        self.draft
            .as_ref()
            .is_some_and(|committed| !committed.load(Ordering::SeqCst))
    }
    /// The folder as Flink names it in REST answers and on the command line (`file:/…`). Flink's external pointer.
    pub fn uri(&self) -> &str {
        self.target.folder.uri()
    }
    /// The folder as a person reads it.
    pub fn display(&self) -> String {
        self.target.folder.display()
    }
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }
    pub(crate) fn folder(&self) -> &Folder {
        &self.target.folder
    }
}

fn create_folder(path: &Path) -> Result<()> {
    durability::create_folder(path).map_err(|e| {
        Error::io("create folder", e).with("path", path.display()).hint(
            "check that the parent is a folder on a disk with free space and that this process may write it",
        )
    })
}

impl fmt::Debug for FileSystemCheckpointStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileSystemCheckpointStorage({})", self.job_folder.display())
    }
}

impl fmt::Debug for CheckpointLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckpointLocation({})", self.target.folder.display())
    }
}
