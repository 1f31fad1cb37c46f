//! The beginning of a snapshot's asynchronous part, on a thread of its own: what the task has put in flight lands, and the moment is
//! fixed before the task changes the database again.

use super::database::OwnedSnapshot;
use super::folder::InstanceFolder;
use super::in_flight::Pilot;
use super::incremental::{Links, Seal};
use super::metrics::SnapshotTimes;
use millpond_core::host::{self, Clock, JoinHandle};
use millpond_core::{CheckpointId, Error, Result};
use std::sync::Arc;

/// The database at the moment of a snapshot.
pub(super) struct Reached {
    pub(super) snapshot: OwnedSnapshot,
    /// Its files, where they were asked for.
    pub(super) links: Option<Links>,
}

/// Which files to link, and where.
pub(super) struct LinkOrder {
    pub(super) columns: Vec<String>,
    /// A folder inside the database's.
    pub(super) folder: String,
    pub(super) checkpoint: CheckpointId,
}

/// A moment that a thread is about to reach. Fields are dropped in order, after the thread has ended.
pub(super) struct Reaching {
    thread: Option<JoinHandle<Result<Reached>>>,
    _folder: Option<Arc<InstanceFolder>>,
}

impl Reaching {
    /// Begins to write what is in flight. After an error it waits for the next one who changes the database.
    pub(super) fn begin(
        pilot: Pilot,
        checkpoint: CheckpointId,
        order: Option<LinkOrder>,
        times: Arc<SnapshotTimes>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let folder = pilot.database().folder.clone();
        let thread = host::spawn(format!("land-chk-{checkpoint}"), move || {
            reach(pilot, order, &times, &*clock)
        })?;
        Ok(Reaching {
            thread: Some(thread),
            _folder: folder,
        })
    }

    /// Waits until the moment is reached.
    pub(super) fn finish(&mut self) -> Result<Reached> {
        let thread = self.thread.take().map(JoinHandle::join);
        thread
            .and_then(std::result::Result::ok)
            .unwrap_or_else(|| Err(Error::illegal_state("take snapshot", "its thread was lost")))
    }
}

impl Drop for Reaching {
    fn drop(&mut self) {
        // A snapshot that nobody runs: what its thread makes goes with it.
        let _ = self.finish();
    }
}

fn reach(
    pilot: Pilot,
    order: Option<LinkOrder>,
    times: &SnapshotTimes,
    clock: &dyn Clock,
) -> Result<Reached> {
    let started_nanos = clock.monotonic_nanos();
    pilot.write()?;
    let snapshot = OwnedSnapshot::new(pilot.database());
    let database = pilot.database();
    let seal = order.map(|order| Seal::new(database, order.columns, &order.folder, order.checkpoint));
    // Sealed or not, everything is written.
    pilot.landed();
    times.note_write_back_nanos(clock.monotonic_nanos().saturating_sub(started_nanos));
    let links = seal.transpose()?.map(Seal::link).transpose()?;
    Ok(Reached { snapshot, links })
}
