//! What a job starts from: its own newest intact checkpoint, the snapshot that it was given, or nothing.

use super::settings::Settings;
use millpond_checkpoint::completed::CompletedCheckpointStore;
use millpond_checkpoint::storage::{CompletedCheckpoint, FileSystemCheckpointStorage};
use millpond_core::{CheckpointId, Result};
use std::sync::Arc;

/// What a job starts from, and its checkpoints so far.
pub(super) struct StartingPoint {
    pub(super) store: CompletedCheckpointStore,
    pub(super) snapshot: Option<CompletedCheckpoint>,
    /// Whether the snapshot is the job's own checkpoint: it comes back by itself.
    pub(super) recovered: bool,
    /// The first number that no checkpoint of the job has taken.
    pub(super) next_checkpoint: CheckpointId,
}

/// Looks for it. The job's own checkpoints win over the snapshot it was given: a process that is started again with the same
/// command goes on where it was. So does Flink with high availability.
///
/// # Errors
/// Corrupt when the job has checkpoints and none is intact; what
/// [`FileSystemCheckpointStorage::load_savepoint`] says of the snapshot that was given.
pub(super) fn find(storage: &Arc<FileSystemCheckpointStorage>, settings: &Settings) -> Result<StartingPoint> {
    let mut store = CompletedCheckpointStore::new(Arc::clone(storage), settings.retained)?;
    let found = storage.find_latest_intact()?;
    store.recover(&found);
    let mut next_checkpoint = found.next_checkpoint_id;
    let mut snapshot = found.latest;
    let recovered = snapshot.is_some();
    if let (None, Some(path)) = (&snapshot, &settings.restore_path) {
        let given = storage.load_savepoint(path)?;
        next_checkpoint = next_checkpoint.max(given.checkpoint_id().saturating_add(1));
        store.adopt_restored(given.clone(), settings.claim);
        snapshot = Some(given);
    }
    match &snapshot {
        Some(s) => tracing::info!(
            job = %storage.job(),
            checkpoint = s.checkpoint_id(),
            from = %s.location().display(),
            "the job goes on from a snapshot"
        ),
        None => {
            store.start_without_snapshot();
            tracing::info!(job = %storage.job(), "the job starts without a snapshot");
        }
    }
    Ok(StartingPoint {
        store,
        snapshot,
        recovered,
        next_checkpoint,
    })
}

/// What some tasks of a running job restart from: what the others count on, with whether it is the job's own; or `None` inside
/// for the job's start. `None` when that can't be restored any more and all have to go back further. Nothing is deleted: the others
/// are at work.
///
/// # Errors
/// Corrupt when the job has checkpoints and none is intact.
pub(super) fn find_again(
    storage: &FileSystemCheckpointStorage,
    store: &CompletedCheckpointStore,
) -> Result<Option<(Option<CompletedCheckpoint>, bool)>> {
    let newest = storage.find_latest_intact()?.latest;
    let own = newest.is_some();
    let expected = store.latest();
    let snapshot = newest.or_else(|| expected.filter(|c| !store.is_own(c)).cloned());
    let id = |c: &CompletedCheckpoint| c.checkpoint_id();
    Ok((snapshot.as_ref().map(id) == expected.map(id)).then_some((snapshot, own)))
}
