//! What may be left of a job on the disk: its retained checkpoints, whole, and the files that they name.

use crate::job;
use millpond_checkpoint::savepoint::load_savepoint;
use millpond_state::handle::{FileStateHandle, StatePath, StreamStateHandle};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Every retained checkpoint verifies, and there is no file that none of them names.
pub fn check(place: &Path) {
    let job = only_entry(&job::checkpoints(place));
    let (mut named, mut retained) = (BTreeSet::new(), 0);
    for folder in entries(&job).into_iter().filter(|p| name(p).starts_with("chk-")) {
        // Reads every file that the checkpoint names and compares its checksum.
        let checkpoint = load_savepoint(&folder.display().to_string()).unwrap();
        assert!(checkpoint.is_verified(), "{} has no checksums", folder.display());
        for stream in checkpoint.metadata().streams() {
            if let StreamStateHandle::File(file) = stream {
                named.insert(path_of(&folder, file));
            }
        }
        named.extend(["_metadata", "_checksums", "_epoch"].map(|file| folder.join(file)));
        retained += 1;
    }
    assert!(retained >= 1, "no checkpoint was retained in {}", job.display());
    let epochs = files_under(&job.join("epochs"));
    assert!(
        matches!(epochs.first(), Some(start) if epochs.len() == 1 && name(start).ends_with(".start")),
        "of all epochs only what the last owner found is left: {epochs:?}"
    );
    named.extend(epochs);
    let orphans: Vec<_> = files_under(&job).difference(&named).cloned().collect();
    assert!(orphans.is_empty(), "{} orphans: {orphans:?}", orphans.len());
    assert!(
        named.iter().any(|p| p.starts_with(job.join("shared"))),
        "nothing was shared"
    );
}

fn path_of(folder: &Path, file: &FileStateHandle) -> PathBuf {
    match &file.path {
        StatePath::Relative(name) => folder.join(name),
        StatePath::Absolute(uri) => uri.strip_prefix("file:").unwrap_or(uri).into(),
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|e| e.unwrap().path()).collect()
}

fn only_entry(folder: &Path) -> PathBuf {
    match entries(folder).as_slice() {
        [only] => only.clone(),
        other => panic!("{} holds {other:?}", folder.display()),
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Every file below `folder`, hidden ones included.
fn files_under(folder: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    for path in entries(folder) {
        if path.is_dir() {
            files.extend(files_under(&path));
        } else {
            files.insert(path);
        }
    }
    files
}
