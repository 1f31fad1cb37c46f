//! Opens what a person points at with `run -s`: a savepoint, or a retained checkpoint.

use crate::storage::layout::{self, METADATA_FILE};
use crate::storage::{
    CompletedCheckpoint, FileSystemCheckpointStorage, FileSystems, Folder, Location, StorageOptions, Verify,
    foreign_location, read_checkpoint, resolve,
};
use millpond_core::{Error, ErrorKind, Result};
use millpond_state::handle::StatePath;
use std::sync::Arc;

const OPERATION: &str = "load savepoint";
/// Names listed in a hint.
const NAMES_MAX: usize = 3;

/// [`load_savepoint_with`] the default options: stores over the network are reached as the environment says.
///
/// # Errors
/// As [`load_savepoint_with`].
pub fn load_savepoint(path: &str) -> Result<CompletedCheckpoint> {
    load_savepoint_with(path, &StorageOptions::default())
}

/// Reads the savepoint or checkpoint at `path`: its folder or its `_metadata` file, a plain path or a URI. Every file that it
/// names is verified before this returns.
///
/// # Errors
/// NotFound when nothing is there (the text lists the nearest names), Config when it is no savepoint, Corrupt when it is
/// damaged, Unsupported for another scheme or state that only Flink restores, Io when it can't be read now.
pub fn load_savepoint_with(path: &str, options: &StorageOptions) -> Result<CompletedCheckpoint> {
    open_snapshot(path, options, Verify::Everything)
}

impl FileSystemCheckpointStorage {
    /// [`load_savepoint_with`] the options and the connections of this storage.
    ///
    /// # Errors
    /// As [`load_savepoint_with`].
    pub fn load_savepoint(&self, path: &str) -> Result<CompletedCheckpoint> {
        open_snapshot_on(self.file_systems(), path, self.options(), Verify::Everything)
    }
}

/// As [`load_savepoint_with`], with as much checked as `verify` says.
pub(crate) fn open_snapshot(
    path: &str,
    options: &StorageOptions,
    verify: Verify,
) -> Result<CompletedCheckpoint> {
    let file_systems = FileSystems::new(Arc::clone(&options.file_systems), None)?;
    open_snapshot_on(&file_systems, path, options, verify)
}

fn open_snapshot_on(
    file_systems: &Arc<FileSystems>,
    path: &str,
    options: &StorageOptions,
    verify: Verify,
) -> Result<CompletedCheckpoint> {
    let given = Location::parse(OPERATION, path)?;
    let location = find_folder(file_systems, given.clone()).map_err(|e| e.with("path", &given))?;
    read_checkpoint(&foreign_location(file_systems, &location, options)?, verify)
}

/// Deletes the savepoint at `path`: `_metadata` first, then the files that it names and its folder, if nothing else is in it.
/// Flink's `savepoint --dispose`.
///
/// # Errors
/// As [`load_savepoint_with`], but damage other than of `_metadata` is no hindrance. Config when it is a checkpoint: those belong to
/// their job, and share files.
pub fn dispose_savepoint(path: &str, options: &StorageOptions) -> Result<()> {
    let snapshot = open_snapshot(path, options, Verify::Metadata)?;
    let folder = snapshot.location().folder();
    if !snapshot.metadata().is_savepoint() {
        return Err(
            Error::config("dispose savepoint", "that is a checkpoint, not a savepoint")
                .with("path", folder.display())
                .hint("its job deletes it; of a job that is over, remove the job's whole folder"),
        );
    }
    folder.delete_file(METADATA_FILE)?;
    for stream in snapshot.metadata().streams() {
        if let Some(file) = stream.file()
            && let StatePath::Relative(_) = &file.path
        {
            let (folder, name) = resolve(snapshot.location().target(), &file.path)?;
            folder.delete_file(&name)?;
        }
    }
    folder.delete_file(layout::CHECKSUMS_FILE)?;
    folder.remove_if_empty();
    Ok(())
}

/// The folder of the snapshot that `given` names.
fn find_folder(file_systems: &FileSystems, given: Location) -> Result<Location> {
    let parts = given.split();
    let location = match &parts {
        Some((around, name)) if name == METADATA_FILE => around.clone(),
        _ => given,
    };
    let not_a_savepoint =
        |why: &str, hint: String| Err(Error::config(OPERATION, format!("not a savepoint: {why}")).hint(hint));
    let folder = match file_systems.open(&location, false) {
        Ok(folder) => folder,
        Err(e) if e.kind() == ErrorKind::NotFound => return Err(nothing_there(file_systems, &location)),
        Err(_) if is_file(file_systems, &location) => {
            return not_a_savepoint("it is a file", "name the folder that holds _metadata".to_string());
        }
        Err(e) => return Err(e),
    };
    if is_snapshot(&folder)? {
        return Ok(location);
    }
    let listing = folder.list()?;
    if folder.local().is_none() && listing.folders.is_empty() && listing.files.is_empty() {
        return Err(nothing_there(file_systems, &location));
    }
    let mut inside = Vec::new();
    for name in listing.folders {
        if is_snapshot(&folder.child(&name))? {
            inside.push(name);
        }
    }
    if !inside.is_empty() {
        return not_a_savepoint(
            "the folder holds several",
            format!("name one of them: {}", list(&inside)),
        );
    }
    let name = location.split().map(|(_, name)| name).unwrap_or_default();
    let hint = if layout::checkpoint_id(&name).is_some() {
        "the checkpoint was never completed; use another one"
    } else {
        "name a folder savepoint-… or chk-…"
    };
    not_a_savepoint("the folder has no _metadata", hint.to_string())
}

fn is_snapshot(folder: &Folder) -> Result<bool> {
    Ok(folder.size(METADATA_FILE)?.is_some())
}

fn is_file(file_systems: &FileSystems, location: &Location) -> bool {
    let around = location.split();
    let size = around.and_then(|(folder, name)| file_systems.open(&folder, false).ok()?.size(&name).ok()?);
    size.is_some()
}

fn nothing_there(file_systems: &FileSystems, location: &Location) -> Error {
    let error = Error::new(ErrorKind::NotFound, OPERATION, "nothing is there");
    match nearest(file_systems, location) {
        Some(hint) => error.hint(hint),
        None => error.hint("check the path"),
    }
}

/// What the person may have meant.
fn nearest(file_systems: &FileSystems, location: &Location) -> Option<String> {
    let (mut around, mut wanted) = location.split()?;
    let names = loop {
        if let Some(names) = names(file_systems, &around) {
            break names;
        }
        (around, wanted) = around.split()?;
    };
    let mut near: Vec<(usize, String)> = names
        .into_iter()
        .map(|n| (strsim::levenshtein(&wanted, &n), n))
        .collect();
    near.sort();
    let near: Vec<String> = near.into_iter().take(NAMES_MAX).map(|(_, n)| n).collect();
    Some(if near.is_empty() {
        format!("{around} is empty")
    } else {
        format!("nearest in {around}: {}", list(&near))
    })
}

/// What the folder holds; `None` if it isn't there.
fn names(file_systems: &FileSystems, location: &Location) -> Option<Vec<String>> {
    let folder = file_systems.open(location, false).ok()?;
    let listing = folder.list().ok()?;
    let names: Vec<String> = listing
        .folders
        .into_iter()
        .chain(listing.files.into_iter().map(|(n, _)| n))
        .collect();
    (!names.is_empty() || folder.local().is_some()).then_some(names)
}

fn list(names: &[String]) -> String {
    let more = if names.len() > NAMES_MAX { ", …" } else { "" };
    let few: Vec<&str> = names.iter().take(NAMES_MAX).map(String::as_str).collect();
    format!("{}{more}", few.join(", "))
}
