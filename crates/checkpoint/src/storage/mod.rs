//! The checkpoint storage: where snapshots are written, committed, read back and deleted.
//!
//! Everything goes through `object_store`; the calls are synchronous, for snapshot threads and the job master, over one
//! small private runtime. The layout is Flink's (`AbstractFsCheckpointStorageAccess`); the commit protocol, the
//! checksum sidecar and what is assumed of the medium are in `docs/checkpoint-format.md`.

mod commit;
mod deleter;
mod durability;
mod error;
pub mod fence;
mod filesystem;
mod folder;
mod io;
pub mod layout;
mod local;
mod merge;
pub mod options;
mod reader;
mod sidecar;
mod stream;
mod upload;
mod uri;

pub use commit::CompletedCheckpoint;
pub use filesystem::{FileSystemOptions, HdfsOptions, S3Options};
pub use folder::StoreLayer;
pub use local::LocalBackupOptions;
pub use options::StorageOptions;

pub(crate) use commit::{Verify, check_files, read_checkpoint};
pub(crate) use deleter::Deletion;
pub(crate) use filesystem::FileSystems;
pub(crate) use folder::Folder;
pub(crate) use reader::resolve;
pub(crate) use sidecar::path_text;
pub(crate) use uri::Location;

use crate::metadata::CheckpointMetadata;
use deleter::{Deleter, FenceCell};
use fence::{Fence, rules::Epoch};
use local::LocalCopies;
use millpond_core::host::Background;
use millpond_core::{CheckpointId, Error, ErrorKind, JobId, Result};
use millpond_state::stream::{CheckpointStreamFactory, StateHandleReader};
use object_store::ObjectStore;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How many given up checkpoints are remembered: more in a row without one that completes are not to be expected.
const GIVEN_UP_MAX: usize = 10_000;

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
    file_systems: Arc<FileSystems>,
    deleter: Deleter,
    fence: FenceCell,
    local: Option<Arc<LocalCopies>>,
    survives_process: bool,
    /// Checkpoints that this process has given up: never gone back to, though their metadata may have come to exist.
    given_up: Mutex<BTreeSet<CheckpointId>>,
}

/// The place of one checkpoint or savepoint, written to or read from. Flink's `CheckpointStorageLocation`.
#[derive(Clone)]
pub struct CheckpointLocation {
    target: Target,
    /// Set for a savepoint that this process is writing: whether it was committed. Until then its folder is ours to delete.
    draft: Option<Arc<AtomicBool>>,
    /// Set where checkpoints are fenced: the right to write, and the epoch in which this one was begun.
    fence: Option<(Arc<Fence>, Epoch)>,
}

/// What streams and readers of one checkpoint need to know.
#[derive(Clone)]
pub(crate) struct Target {
    /// The folder with `_metadata`.
    pub(crate) folder: Folder,
    /// The job's folder for shared files; a savepoint has none.
    pub(crate) shared: Option<Folder>,
    pub(crate) options: StorageOptions,
    pub(crate) file_systems: Arc<FileSystems>,
    /// Copies on a local disk, of a job's own checkpoints.
    pub(crate) local: Option<Arc<LocalCopies>>,
    /// Whether state stays in its handles, up to the size that the options allow, and becomes a part of `_metadata`.
    pub(crate) in_handles: bool,
}

impl Target {
    /// How large files become that small states share; `None`: each state has its own. So it is in savepoints, which others read.
    fn merged_file_bytes_max(&self) -> Option<usize> {
        let merges = self.shared.is_some() && !self.in_handles;
        self.options.merged_file_bytes_max.filter(|_| merges)
    }
}

impl FileSystemCheckpointStorage {
    /// Opens the storage of `job` under `directory`, a plain path or a URI (`file:`, `s3:`, `hdfs:`), and creates its folders.
    /// With [`StorageOptions::state_in_metadata`] it is Flink's `JobManagerCheckpointStorage` with a folder.
    ///
    /// # Errors
    /// Unsupported when this build doesn't know the scheme, Config when the location or the options are wrong, Io when the
    /// folder can't be created or the store can't be reached (its text says why and what to do).
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
        let location = Location::parse("open checkpoint storage", directory)?;
        let file_systems = FileSystems::new(Arc::clone(&options.file_systems), layer)?;
        // The base folder, not the job's: when that is moved away, the store still stands on something.
        let base = file_systems.open(&location, true)?;
        let job_folder = base.child(&job.to_string());
        if !job_folder.is_virtual() {
            for folder in [layout::SHARED_FOLDER, layout::TASK_OWNED_FOLDER] {
                job_folder.child(folder).create()?;
            }
        }
        let fence = FenceCell::default();
        let deleter = Deleter::start(Arc::clone(&fence))?;
        Ok(Arc::new(FileSystemCheckpointStorage {
            // What stands in `_metadata` is no file to copy.
            local: LocalCopies::of(job, &options.local_backup).filter(|_| !options.state_in_metadata),
            job,
            job_folder,
            options,
            file_systems,
            deleter,
            fence,
            survives_process: true,
            given_up: Mutex::default(),
        }))
    }

    /// A storage that lives in memory: checkpoints survive a failing task, not the end of the process, and a stream of state may
    /// be no longer than [`StorageOptions::memory_state_bytes_max`]. Flink's `JobManagerCheckpointStorage` without a folder.
    /// Savepoints still go to folders.
    ///
    /// # Errors
    /// Io when the operating system has no thread to give.
    pub fn in_memory(job: JobId, options: StorageOptions) -> Result<Arc<Self>> {
        let file_systems = FileSystems::new(Arc::clone(&options.file_systems), None)?;
        let base = Folder::in_memory(Arc::clone(file_systems.io()));
        let fence = FenceCell::default();
        let deleter = Deleter::start(Arc::clone(&fence))?;
        Ok(Arc::new(FileSystemCheckpointStorage {
            job,
            job_folder: base.child(&job.to_string()),
            options,
            file_systems,
            deleter,
            fence,
            local: None,
            survives_process: false,
            given_up: Mutex::default(),
        }))
    }

    /// A storage on a store of the caller's, without threads of its own: its futures must be ready at once, and what is
    /// deleted later is deleted in `background`. For simulations, where one scheduler decides what happens next. The store is what
    /// `root` names, such as `s3://bucket`: savepoints under it lie there, too.
    pub fn on_store(
        store: Arc<dyn ObjectStore>,
        root: &str,
        job: JobId,
        options: StorageOptions,
        background: Arc<dyn Background>,
    ) -> Arc<Self> {
        let file_systems = FileSystems::inline(
            Arc::clone(&options.file_systems),
            Arc::clone(&background),
            root,
            Arc::clone(&store),
        );
        let base = Folder::of_store(Arc::clone(file_systems.io()), store, root);
        let fence = FenceCell::default();
        Arc::new(FileSystemCheckpointStorage {
            job,
            job_folder: base.child(&job.to_string()),
            options,
            file_systems,
            deleter: Deleter::on(background, Arc::clone(&fence)),
            fence,
            local: None,
            survives_process: true,
            given_up: Mutex::default(),
        })
    }

    /// Takes over the job: from now on no other process can write its checkpoints, and [`CheckpointLocation::commit`] fails with
    /// [`ErrorKind::Fenced`] once somebody else has taken over. To be called before anything of the job is read. A storage that
    /// was not acquired checks nothing, for tools that only read.
    ///
    /// # Errors
    /// Io when the folder can't be written; Fenced when others take over at the same time again and again.
    pub fn acquire(&self) -> Result<()> {
        if self.survives_process && self.fence.get().is_none() {
            // Set once: the job master alone calls this.
            let _ = self.fence.set(Arc::new(Fence::acquire(&self.job_folder)?));
        }
        Ok(())
    }

    /// Whether this process still owns the job. `Ok` where nobody has acquired it.
    ///
    /// # Errors
    /// Fenced when another process has taken over; Io when that can't be known now.
    pub fn check_owner(&self) -> Result<()> {
        self.fence.get().map_or(Ok(()), |f| f.check())
    }

    /// Gives the job back, at the end of a process that has written its last.
    pub(crate) fn release(&self) {
        if let Some(fence) = self.fence.get() {
            fence.release();
        }
    }

    pub(crate) fn local_copies(&self) -> Option<&Arc<LocalCopies>> {
        self.local.as_ref()
    }

    pub(crate) fn fence(&self) -> Option<&Arc<Fence>> {
        self.fence.get()
    }

    /// Reads what handles name that no checkpoint of this job holds.
    pub fn reader(&self) -> Arc<dyn StateHandleReader> {
        self.checkpoint(0).reader()
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
    pub(crate) fn file_systems(&self) -> &Arc<FileSystems> {
        &self.file_systems
    }
    pub(crate) fn options(&self) -> &StorageOptions {
        &self.options
    }
    pub(crate) fn job_folder(&self) -> &Folder {
        &self.job_folder
    }

    /// The place of checkpoint `id`, to be written to. Its number is taken from now on.
    ///
    /// # Errors
    /// IllegalState when the checkpoint exists already: numbers are used once. Fenced when another process has taken over.
    pub fn new_checkpoint(&self, id: CheckpointId) -> Result<CheckpointLocation> {
        let location = self.checkpoint(id);
        if let Some((fence, _)) = &location.fence {
            self.claim(fence, &location.target.folder)?;
        }
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

    /// Leaves the mark of this process's epoch in the folder of a new checkpoint. Numbers are claimed in the store itself, so that
    /// two processes can never have one number, whatever each of them believes.
    fn claim(&self, fence: &Fence, folder: &Folder) -> Result<()> {
        let claim = fence.claim()?;
        match folder.put(layout::CLAIM_FILE, claim.clone(), true) {
            // A store that was asked twice, since its first answer was lost, has done it.
            Err(e) if e.kind() == ErrorKind::IllegalState && folder.get(layout::CLAIM_FILE)? != claim => {
                fence.check()?;
                return Err(e);
            }
            Err(e) if e.kind() != ErrorKind::IllegalState => return Err(e),
            _ => {}
        }
        fence.check()
    }

    /// A fresh place for a savepoint under `target`, a plain path or a URI. The folder is created at once.
    ///
    /// # Errors
    /// As [`FileSystemCheckpointStorage::open`].
    pub fn new_savepoint(&self, target: &str) -> Result<CheckpointLocation> {
        let target = Location::parse("start savepoint", target)?;
        let base = self.file_systems.open(&target, true)?;
        let folder = base.child(&layout::savepoint_folder(self.job));
        if !folder.is_virtual() {
            folder.create()?;
        }
        let mut location = self.location(folder, None);
        location.target.in_handles = false;
        location.target.local = None;
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
                options: self.options.clone(),
                file_systems: Arc::clone(&self.file_systems),
                local: self.local.clone(),
                in_handles: !self.survives_process || self.options.state_in_metadata,
            },
            draft: None,
            fence: self.fence.get().map(|f| (Arc::clone(f), f.epoch())),
        }
    }

    /// Notes that checkpoint `id` is given up. Its files go later, and its metadata may be there until then: an answer of the store
    /// was lost. A restart within this process must not go back to it, since its files are on their way out.
    pub(crate) fn give_up(&self, id: CheckpointId) {
        let mut given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        given_up.insert(id);
        while given_up.len() > GIVEN_UP_MAX {
            given_up.pop_first();
        }
    }

    pub(crate) fn is_given_up(&self, id: CheckpointId) -> bool {
        self.given_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&id)
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
pub(crate) fn foreign_location(
    file_systems: &Arc<FileSystems>,
    location: &Location,
    options: &StorageOptions,
) -> Result<CheckpointLocation> {
    // The folder itself is a local store's root: its name may hold characters that object stores escape.
    let folder = file_systems.open(location, false)?;
    let around = location
        .split()
        .filter(|(_, name)| layout::checkpoint_id(name).is_some());
    let shared = around.map(|(job, _)| file_systems.open(&job.child(layout::SHARED_FOLDER), false));
    let shared = match shared.transpose() {
        Err(e) if e.kind() == ErrorKind::NotFound => None,
        other => other?,
    };
    Ok(CheckpointLocation {
        target: Target {
            folder,
            shared,
            options: options.clone(),
            file_systems: Arc::clone(file_systems),
            local: None,
            in_handles: false,
        },
        draft: None,
        fence: None,
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
    /// Io when it could not be stored: give the checkpoint up, delete it, and go on. IllegalState when it exists already. Fenced
    /// when another process has taken over the job: nobody may be told that it is complete, nothing may be deleted, and the job
    /// has to end here.
    pub fn commit(&self, metadata: &CheckpointMetadata) -> Result<CompletedCheckpoint> {
        let checkpoint = commit::commit(self, metadata)?;
        if let Some(committed) = &self.draft {
            committed.store(true, Ordering::SeqCst);
        }
        Ok(checkpoint)
    }
    pub(crate) fn is_savepoint(&self) -> bool {
        self.draft.is_some()
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
    pub(crate) fn fence(&self) -> Option<(&Fence, Epoch)> {
        self.fence.as_ref().map(|(fence, epoch)| (&**fence, *epoch))
    }
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }
    pub(crate) fn folder(&self) -> &Folder {
        &self.target.folder
    }
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
