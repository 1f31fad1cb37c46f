//! Opens what a person points at with `run -s`: a savepoint, or a retained checkpoint.

use crate::storage::layout::{self, METADATA_FILE};
use crate::storage::{CompletedCheckpoint, Verify, foreign_location, local_path, read_checkpoint};
use millpond_core::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

const OPERATION: &str = "load savepoint";
/// Names listed in a hint.
const NAMES_MAX: usize = 3;

/// Reads the savepoint or checkpoint at `path`: its folder or its `_metadata` file, a plain path or a `file:` URI. Every file
/// that it names is verified before this returns.
///
/// # Errors
/// NotFound when nothing is there (the text lists the nearest names), Config when it is no savepoint, Corrupt when it is
/// damaged, Unsupported for another scheme or state that only Flink restores, Io when it can't be read now.
pub fn load_savepoint(path: &str) -> Result<CompletedCheckpoint> {
    let local = local_path(OPERATION, path)?;
    let folder = find_folder(&local).map_err(|e| e.with("path", local.display()))?;
    let location = foreign_location(&folder)?;
    read_checkpoint(&location, Verify::Everything)
}

fn find_folder(path: &Path) -> Result<PathBuf> {
    let kind = match std::fs::metadata(path) {
        Ok(kind) => kind,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::new(ErrorKind::NotFound, OPERATION, "nothing is there").hint(nearest(path)));
        }
        Err(e) => {
            return Err(Error::io(OPERATION, e).hint("check the path and that this process may read it"));
        }
    };
    let not_a_savepoint =
        |why: &str, hint: String| Err(Error::config(OPERATION, format!("not a savepoint: {why}")).hint(hint));
    if kind.is_file() {
        return match path.parent() {
            Some(parent) if path.file_name().is_some_and(|n| n == METADATA_FILE) => Ok(parent.to_path_buf()),
            _ => not_a_savepoint("it is a file", "name the folder that holds _metadata".to_string()),
        };
    }
    if path.join(METADATA_FILE).is_file() {
        return Ok(path.to_path_buf());
    }
    let inside: Vec<String> = names(path)
        .into_iter()
        .filter(|n| is_snapshot(&path.join(n)))
        .collect();
    if inside.is_empty() {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let hint = if layout::checkpoint_id(name).is_some() {
            "the checkpoint was never completed; use another one"
        } else {
            "name a folder savepoint-… or chk-…"
        };
        return not_a_savepoint("the folder has no _metadata", hint.to_string());
    }
    not_a_savepoint(
        "the folder holds several",
        format!("name one of them: {}", list(&inside)),
    )
}

fn is_snapshot(folder: &Path) -> bool {
    folder.join(METADATA_FILE).is_file()
}

/// What the person may have meant.
fn nearest(path: &Path) -> String {
    let Some(parent) = path.ancestors().skip(1).find(|p| p.is_dir()) else {
        return "check the path".to_string();
    };
    let wanted = path
        .strip_prefix(parent)
        .ok()
        .and_then(|rest| rest.components().next())
        .map(|c| c.as_os_str().to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut near: Vec<(usize, String)> = names(parent)
        .into_iter()
        .map(|n| (strsim::levenshtein(&wanted, &n), n))
        .collect();
    near.sort();
    let near: Vec<String> = near.into_iter().take(NAMES_MAX).map(|(_, n)| n).collect();
    if near.is_empty() {
        return format!("{} is empty", parent.display());
    }
    format!("nearest in {}: {}", parent.display(), list(&near))
}

fn list(names: &[String]) -> String {
    let more = if names.len() > NAMES_MAX { ", …" } else { "" };
    let few: Vec<&str> = names.iter().take(NAMES_MAX).map(String::as_str).collect();
    format!("{}{more}", few.join(", "))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| {
            entries
                .flatten()
                .map(|e| e.file_name().to_string_lossy().into_owned())
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}
