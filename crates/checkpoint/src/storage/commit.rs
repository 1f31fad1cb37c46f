//! How a checkpoint comes to exist, and how one is believed.
//!
//! Commit: the tasks' files are durable already (each was synced when its stream was closed); then merged files, the sidecar, and
//! `_metadata`, which is never overwritten. Whatever happens before that last step, there is no checkpoint; after it, there
//! is one and everything that it names is durable. Reading goes the other way: sidecar, `_metadata` against it, then every
//! named file in full, before the first byte of state is handed to anybody.

use super::merge::merge;
use super::sidecar::{Sidecar, path_text};
use super::{CheckpointLocation, Target, layout, reader};
use crate::metadata::CheckpointMetadata;
use bytes::Bytes;
use millpond_core::failpoint::{self, Failpoint};
use millpond_core::hash::HashSet;
use millpond_core::host::parallel;
use millpond_core::{CheckpointId, Error, ErrorKind, Result};
use millpond_state::handle::{
    FileStateHandle, KeyedStateHandle, OperatorSubtaskState, StatePath, StreamStateHandle,
};
use std::path::Path;
use std::sync::Arc;

/// How many files are read at once when all are verified: one file alone keeps neither the disk nor the network busy while its
/// checksum is computed.
const VERIFY_THREADS: usize = 4;

/// A checkpoint or savepoint that exists. Flink's `CompletedCheckpoint`.
#[derive(Clone, Debug)]
pub struct CompletedCheckpoint {
    location: CheckpointLocation,
    metadata: Arc<CheckpointMetadata>,
    metadata_bytes: u64,
    verified: bool,
}

impl CompletedCheckpoint {
    /// Its number.
    pub fn checkpoint_id(&self) -> CheckpointId {
        self.metadata.checkpoint_id
    }
    /// What it holds. Paths of shared files are where the files lie now, even if the folder was moved.
    pub fn metadata(&self) -> &Arc<CheckpointMetadata> {
        &self.metadata
    }
    /// Where it lies.
    pub fn location(&self) -> &CheckpointLocation {
        &self.location
    }
    /// The length of `_metadata` in bytes.
    pub fn metadata_bytes(&self) -> u64 {
        self.metadata_bytes
    }
    /// Whether checksums vouch for it: `false` for one that Flink wrote, which has none.
    pub fn is_verified(&self) -> bool {
        self.verified
    }
}

/// How much of a checkpoint is checked before it is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verify {
    /// `_metadata` and every file that it names.
    Everything,
    /// `_metadata` alone: enough to know what files belong to it.
    Metadata,
}

pub(super) fn commit(
    location: &CheckpointLocation,
    metadata: &CheckpointMetadata,
) -> Result<CompletedCheckpoint> {
    let folder = location.folder();
    let named = |e: Error| e.with("checkpoint", metadata.checkpoint_id);
    let merged = merge(location.target(), metadata).map_err(named)?;
    let metadata = merged.as_ref().unwrap_or(metadata);
    let bytes = metadata.encode().map_err(named)?;
    let sidecar = Sidecar::of(metadata, &bytes).encode().map_err(named)?;
    let metadata_bytes = bytes.len() as u64;
    if folder.size(layout::METADATA_FILE).map_err(named)?.is_some() {
        return Err(named(Error::illegal_state(
            "commit checkpoint",
            "it exists already and is never overwritten",
        ))
        .with("path", folder.file_display(layout::METADATA_FILE)));
    }
    check_owner(location).map_err(named)?;
    failpoint::reach(Failpoint::CommitBegins);
    folder
        .put(layout::CHECKSUMS_FILE, Bytes::from(sidecar), false)
        .map_err(named)?;
    failpoint::reach(Failpoint::SidecarWritten);
    publish(location, Bytes::from(bytes)).map_err(named)?;
    failpoint::reach(Failpoint::MetadataWritten);
    confirm(location, metadata.checkpoint_id).map_err(named)?;
    Ok(CompletedCheckpoint {
        location: location.clone(),
        metadata: Arc::new(metadata.clone()),
        metadata_bytes,
        verified: true,
    })
}

fn check_owner(location: &CheckpointLocation) -> Result<()> {
    match location.fence() {
        Some((fence, epoch)) => fence.check_since(epoch),
        None => Ok(()),
    }
}

/// Writes `_metadata`. An error leaves open whether the store has carried the write out, or will.
fn publish(location: &CheckpointLocation, bytes: Bytes) -> Result<()> {
    let folder = location.folder();
    let Err(e) = folder.put(layout::METADATA_FILE, bytes.clone(), true) else {
        return Ok(());
    };
    // A store that was asked twice, since its first answer was lost, says that the file is there: it is ours.
    if e.kind() == ErrorKind::IllegalState
        && folder
            .get(layout::METADATA_FILE)
            .is_ok_and(|there| there == bytes)
    {
        return Ok(());
    }
    unsure(location);
    Err(e)
}

/// Only a checkpoint that came to exist while this process owned the job is complete: whoever takes over later, finds it.
fn confirm(location: &CheckpointLocation, id: CheckpointId) -> Result<()> {
    let Some((fence, epoch)) = location.fence() else {
        return Ok(());
    };
    let confirmed = match location.is_savepoint() {
        true => fence.check(),
        false => fence.confirm(id, epoch),
    };
    confirmed.inspect_err(|_| unsure(location))
}

fn unsure(location: &CheckpointLocation) {
    // Nobody finds a savepoint by himself, so none is in the way of another process.
    if let (Some((fence, _)), false) = (location.fence(), location.is_savepoint()) {
        fence.unsure();
    }
}

/// Reads the checkpoint at `location`. Errors name the checkpoint's folder and the file.
pub(crate) fn read_checkpoint(location: &CheckpointLocation, verify: Verify) -> Result<CompletedCheckpoint> {
    let target = location.target();
    read(location, verify).map_err(|e| e.with("checkpoint", target.folder.display()))
}

fn read(location: &CheckpointLocation, verify: Verify) -> Result<CompletedCheckpoint> {
    let target = location.target();
    let bytes = target.folder.get(layout::METADATA_FILE)?;
    let sidecar = read_sidecar(target)?;
    let in_metadata = |e: Error| e.with("path", target.folder.file_display(layout::METADATA_FILE));
    if let Some(sidecar) = &sidecar {
        check_metadata(sidecar, &bytes).map_err(in_metadata)?;
    }
    let mut metadata = CheckpointMetadata::decode(&bytes).map_err(in_metadata)?;
    if let Some(sidecar) = &sidecar {
        add_names(&mut metadata, sidecar);
    }
    let mut all_known = sidecar.is_some();
    each_stream(&mut metadata, &mut |stream| {
        all_known &= add_checksum(stream, sidecar.as_ref()).map_err(in_metadata)?;
        match stream {
            StreamStateHandle::File(file) => follow_move(target, file),
            _ => Ok(()),
        }
    })?;
    if verify == Verify::Everything {
        let mut seen = HashSet::default();
        let mut files: Vec<_> = metadata.streams().filter_map(StreamStateHandle::file).collect();
        files.retain(|file| seen.insert(&file.path));
        // Where a seeded scheduler decides what happens next, nothing may happen beside it.
        let threads = if target.folder.io().is_inline() {
            1
        } else {
            VERIFY_THREADS
        };
        parallel(threads, files, |file| reader::verify(target, file))?;
        if !all_known {
            tracing::info!(
                checkpoint = %target.folder.display(),
                "the checkpoint has no checksums for some of its files, as when Flink wrote it: only their lengths were checked"
            );
        }
    }
    Ok(CompletedCheckpoint {
        location: location.clone(),
        metadata: Arc::new(metadata),
        metadata_bytes: bytes.len() as u64,
        verified: all_known,
    })
}

/// What became of the files that a checkpoint names.
#[derive(Debug, Default)]
pub(crate) struct CheckedFiles {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// What is wrong, once for each file.
    pub(crate) damaged: Vec<Error>,
}

/// Reads every file that the checkpoint names to its end. Damage is noted, and the next one is looked at.
pub(crate) fn check_files(checkpoint: &CompletedCheckpoint) -> Result<CheckedFiles> {
    let mut checked = CheckedFiles::default();
    let mut seen = HashSet::default();
    for file in checkpoint.metadata.streams().filter_map(StreamStateHandle::file) {
        if !seen.insert(&file.path) {
            continue;
        }
        checked.files += 1;
        checked.bytes += file.size;
        match reader::verify(checkpoint.location.target(), file) {
            Err(e) if matches!(e.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) => checked.damaged.push(e),
            other => other?,
        }
    }
    Ok(checked)
}

fn read_sidecar(target: &Target) -> Result<Option<Sidecar>> {
    match target.folder.get(layout::CHECKSUMS_FILE) {
        Ok(bytes) => Sidecar::decode(&bytes)
            .map(Some)
            .map_err(|e| e.with("path", target.folder.file_display(layout::CHECKSUMS_FILE))),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn check_metadata(sidecar: &Sidecar, bytes: &[u8]) -> Result<()> {
    let sum = sidecar
        .files
        .get(layout::METADATA_FILE)
        .ok_or_else(|| Error::corrupt("read checkpoint", "the checksums don't cover _metadata"))?;
    if sum.length != bytes.len() as u64 {
        return Err(Error::corrupt(
            "read checkpoint",
            "the file doesn't have the length it was written with",
        )
        .with("length", bytes.len())
        .with("expected", sum.length));
    }
    let found = crc32c::crc32c(bytes);
    if sum.crc32c != found {
        return Err(Error::corrupt("read checkpoint", "checksum does not match")
            .with("crc32c", format!("{found:08x}"))
            .with("expected", format!("{:08x}", sum.crc32c)));
    }
    Ok(())
}

/// Gives operators the names that `_metadata` version 4 has no place for.
fn add_names(metadata: &mut CheckpointMetadata, sidecar: &Sidecar) {
    let text = |t: &String| (!t.is_empty()).then(|| t.clone());
    for operator in &mut metadata.operators {
        if let Some((name, uid)) = sidecar.operators.get(&operator.operator_id) {
            operator.name = operator.name.take().or_else(|| text(name));
            operator.uid = operator.uid.take().or_else(|| text(uid));
        }
    }
}

/// Gives the handle its file's checksum; whether all is known of it.
fn add_checksum(stream: &mut StreamStateHandle, sidecar: Option<&Sidecar>) -> Result<bool> {
    let (file, is_segment) = match stream {
        StreamStateHandle::ByteStream(_) => return Ok(true),
        StreamStateHandle::File(file) => (file, false),
        StreamStateHandle::Segment(segment) => (&mut segment.file, true),
    };
    let Some(sum) = sidecar.and_then(|s| s.files.get(path_text(&file.path))) else {
        if is_segment {
            return Err(
                Error::corrupt("read checkpoint", "the checksums don't cover a merged file")
                    .with("file", path_text(&file.path)),
            );
        }
        return Ok(false);
    };
    // Of a merged file, _metadata knows only how far a segment reaches.
    if sum.length != file.size && !(is_segment && file.size <= sum.length) {
        return Err(Error::corrupt(
            "read checkpoint",
            "_metadata and the checksums disagree about a file's length",
        )
        .with("file", path_text(&file.path))
        .with("length", file.size)
        .with("expected", sum.length));
    }
    (file.size, file.crc32c) = (sum.length, Some(sum.crc32c));
    Ok(true)
}

/// Shared files stand in `_metadata` with their full path, as Flink wants them. If the job's folder was moved or copied,
/// the file lies beside the checkpoint now; file names are random, so one of that name there is that file.
fn follow_move(target: &Target, file: &mut FileStateHandle) -> Result<()> {
    let (Some(shared), StatePath::Absolute(text)) = (&target.shared, &file.path) else {
        return Ok(());
    };
    let path = Path::new(text);
    let in_shared = path
        .parent()
        .and_then(Path::file_name)
        .is_some_and(|n| n == layout::SHARED_FOLDER);
    let Some(name) = path.file_name().and_then(|n| n.to_str()).filter(|_| in_shared) else {
        return Ok(());
    };
    let here = format!("{}/{name}", shared.uri());
    if *text != here && shared.size(name)?.is_some() {
        file.path = StatePath::Absolute(here);
    }
    Ok(())
}

/// Visits every stream that the checkpoint names.
pub(super) fn each_stream(
    metadata: &mut CheckpointMetadata,
    visit: &mut dyn FnMut(&mut StreamStateHandle) -> Result<()>,
) -> Result<()> {
    let states = metadata
        .operators
        .iter_mut()
        .flat_map(|o| o.subtasks.values_mut());
    for OperatorSubtaskState {
        managed_operator,
        managed_keyed,
        raw_operator,
        raw_keyed,
        input_channel,
        result_subpartition,
    } in states
    {
        let operator = managed_operator.iter_mut().chain(raw_operator);
        let keyed = managed_keyed.iter_mut().chain(raw_keyed);
        let streams = operator
            .map(|h| &mut h.stream)
            .chain(keyed.flat_map(streams_mut))
            .chain(input_channel.iter_mut().map(|h| &mut h.stream))
            .chain(result_subpartition.iter_mut().map(|h| &mut h.stream));
        for stream in streams {
            visit(stream)?;
        }
    }
    Ok(())
}

fn streams_mut(handle: &mut KeyedStateHandle) -> Box<dyn Iterator<Item = &mut StreamStateHandle> + '_> {
    match handle {
        KeyedStateHandle::KeyGroups(h) => Box::new(std::iter::once(&mut h.stream)),
        KeyedStateHandle::Incremental(h) => Box::new(
            h.shared
                .iter_mut()
                .chain(&mut h.private)
                .map(|f| &mut f.stream)
                .chain(std::iter::once(&mut h.meta)),
        ),
    }
}
