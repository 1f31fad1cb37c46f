//! Reading files from the disk and not from the system's memory of it.

use millpond_core::host::Clock;
use millpond_core::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How much is read at once.
const READ_BYTES: usize = 1 << 20;

/// Makes the system write the files under `folder` to the disk, and forget what it holds of them in memory; where there is no such call
/// it keeps that.
pub(super) fn forget(folder: &Path) -> Result<()> {
    for path in files(folder)? {
        let file = File::open(&path).map_err(|e| failed(&path, e))?;
        // Local copies are not synced, and the disk would be busy with them while they are read.
        file.sync_all().map_err(|e| failed(&path, e))?;
        #[cfg(target_os = "linux")]
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)
            .map_err(|e| failed(&path, e.into()))?;
    }
    Ok(())
}

/// Reads all files under `folder` one after the other: how many bytes, and how long it took in nanoseconds.
pub(super) fn read(folder: &Path, clock: &dyn Clock) -> Result<(u64, u64)> {
    let (files, mut buffer, mut bytes) = (files(folder)?, vec![0; READ_BYTES], 0);
    let begun = clock.monotonic_nanos();
    for path in files {
        let mut file = File::open(&path).map_err(|e| failed(&path, e))?;
        loop {
            match file.read(&mut buffer).map_err(|e| failed(&path, e))? {
                0 => break,
                n => bytes += n as u64,
            }
        }
    }
    Ok((bytes, clock.monotonic_nanos().saturating_sub(begun)))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| failed(folder, e))? {
        let path = entry.map_err(|e| failed(folder, e))?.path();
        if path.is_dir() {
            found.append(&mut files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::io("read files of a checkpoint", error).with("path", path.display())
}
