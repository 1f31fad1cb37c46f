//! Folders that survive a power cut.
//!
//! The object store syncs the files that it writes and the folders that it creates for them. Folders that we create
//! ourselves get the same here: each new one's entry is synced in its parent, or files synced below it could be lost with it.

use std::io;
use std::path::Path;

/// Creates `path` with all its parents and syncs what is new.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    let is_new = |p: &&Path| !p.as_os_str().is_empty() && !p.exists();
    let new: Vec<&Path> = path.ancestors().take_while(is_new).collect();
    std::fs::create_dir_all(path)?;
    for folder in new {
        // Each new folder is an entry of its parent.
        folder.parent().map_or(Ok(()), sync_folder)?;
    }
    Ok(())
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    std::fs::File::open(path)?.sync_all()
}

/// Other systems can't sync a folder; see `docs/checkpoint-format.md` for what that means.
#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_created_once_and_a_file_in_the_way_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        create_folder(&deep).unwrap();
        create_folder(&deep).unwrap();
        assert!(deep.is_dir());
        std::fs::write(dir.path().join("file"), b"").unwrap();
        assert!(create_folder(&dir.path().join("file/x")).is_err());
    }
}
