//! The file source as a job sees it: what it reads, where it goes on after a restore, what it says about bad input.

mod input;
mod malformed;
mod positions;

use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder for one test.
fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Writes a file, packed as its name says.
fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    let content = content.as_ref();
    let bytes = match super::Compression::of_path(&path) {
        super::Compression::None => content.to_vec(),
        super::Compression::Gzip => gzip(content),
        super::Compression::Zstd => zstd(content),
    };
    std::fs::write(&path, bytes).unwrap();
    path
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    e.write_all(content).unwrap();
    e.finish().unwrap()
}

fn zstd(content: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest)
}
