//! Reads what handles name, and checks length and checksum on the way.

use super::Target;
use super::folder::Folder;
use super::uri;
use bytes::Bytes;
use millpond_core::{Error, ErrorKind, Result};
use millpond_state::handle::{FileStateHandle, StatePath, StreamStateHandle};
use millpond_state::stream::StateHandleReader;
use std::io::{self, Cursor, Read};
use std::ops::Range;
use std::path::{Component, Path};
use std::sync::Arc;

/// How much of a file is fetched at once.
const CHUNK_BYTES: u64 = 4 << 20;

/// Reads the files of one checkpoint.
pub(super) struct Reader {
    pub(super) target: Target,
}

impl StateHandleReader for Reader {
    fn open(&self, handle: &StreamStateHandle) -> Result<Box<dyn Read + Send>> {
        match handle {
            StreamStateHandle::ByteStream(b) => Ok(Box::new(Cursor::new(b.data.clone()))),
            StreamStateHandle::File(file) => Ok(Box::new(FileStream::open(&self.target, file)?)),
        }
    }

    fn read_range(&self, handle: &StreamStateHandle, range: Range<u64>) -> Result<Bytes> {
        let too_short = |path: String| {
            Error::corrupt("read state", "the stream is shorter than what is asked for")
                .with("path", path)
                .with("start", range.start)
                .with("end", range.end)
                .with("length", handle.size())
        };
        match handle {
            StreamStateHandle::ByteStream(b) => {
                let part = usize::try_from(range.start)
                    .ok()
                    .zip(usize::try_from(range.end).ok());
                match part {
                    Some((start, end)) if start <= end && end <= b.data.len() => Ok(b.data.slice(start..end)),
                    _ => Err(too_short(b.name.clone())),
                }
            }
            StreamStateHandle::File(file) => {
                let (folder, name) = resolve(&self.target, &file.path)?;
                if range.start > range.end || range.end > file.size {
                    return Err(too_short(folder.file_display(&name)));
                }
                folder.get_range(&name, range)
            }
        }
    }
}

/// The folder and the name of the file that `path` names, seen from the checkpoint at `target`.
///
/// A relative path stays inside the checkpoint's folder: one that leads out of it is damage or malice.
pub(crate) fn resolve(target: &Target, path: &StatePath) -> Result<(Folder, String)> {
    let bad = |why: &str, text: &str| {
        Error::corrupt("resolve state file", why)
            .with("path", text)
            .with("checkpoint", target.folder.display())
    };
    match path {
        StatePath::Relative(text) => {
            let mut folder = target.folder.clone();
            let mut parts = text.split('/').peekable();
            while let Some(part) = parts.next() {
                if part.is_empty() || part == "." || part == ".." || part.contains('\\') {
                    return Err(bad(
                        "a relative path must stay inside the checkpoint's folder",
                        text,
                    ));
                }
                if parts.peek().is_none() {
                    return Ok((folder, part.to_string()));
                }
                folder = folder.child(part);
            }
            Err(bad("the path is empty", text))
        }
        StatePath::Absolute(text) => {
            if let Some(shared) = &target.shared
                && let Some(name) = text.strip_prefix(shared.uri()).and_then(|t| t.strip_prefix('/'))
                && !name.contains('/')
                && !name.is_empty()
            {
                return Ok((shared.clone(), name.to_string()));
            }
            let path = uri::local_path("resolve state file", text)?;
            if path.components().any(|c| c == Component::ParentDir) {
                return Err(bad("the path leads back up", text));
            }
            let name = path
                .file_name()
                .and_then(|n| n.to_str())
                .ok_or_else(|| bad("the path names no file", text))?;
            let parent = path.parent().unwrap_or(Path::new("/"));
            let io = Arc::clone(target.folder.io());
            let folder =
                Folder::open_local(io, parent, false, target.layer.as_deref()).map_err(|e| {
                    match e.kind() {
                        ErrorKind::NotFound => missing(&path.display().to_string()),
                        _ => e,
                    }
                })?;
            Ok((folder, name.to_string()))
        }
    }
}

fn missing(path: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        "read state file",
        "a file of the checkpoint is missing",
    )
    .with("path", path)
}

/// Reads `file` to its end and checks it. Errors name the file.
pub(crate) fn verify(target: &Target, file: &FileStateHandle) -> Result<()> {
    let mut stream = FileStream::open(target, file)?;
    while stream.next_chunk()? {
        stream.chunk.clear();
    }
    Ok(())
}

struct FileStream {
    folder: Folder,
    name: String,
    size: u64,
    fetched: u64,
    crc32c: u32,
    expected_crc32c: Option<u32>,
    chunk: Bytes,
}

impl FileStream {
    fn open(target: &Target, file: &FileStateHandle) -> Result<Self> {
        let (folder, name) = resolve(target, &file.path)?;
        let found = folder
            .size(&name)?
            .ok_or_else(|| missing(&folder.file_display(&name)))?;
        if found != file.size {
            return Err(Error::corrupt(
                "read state file",
                "the file doesn't have the length it was written with",
            )
            .with("path", folder.file_display(&name))
            .with("length", found)
            .with("expected", file.size));
        }
        Ok(FileStream {
            folder,
            name,
            size: file.size,
            fetched: 0,
            crc32c: 0,
            expected_crc32c: file.crc32c,
            chunk: Bytes::new(),
        })
    }

    /// Fetches the next chunk, `false` at the end; the last chunk is handed out only if the checksum of all is right.
    fn next_chunk(&mut self) -> Result<bool> {
        if self.fetched == self.size {
            return Ok(false);
        }
        let end = self.size.min(self.fetched + CHUNK_BYTES);
        let chunk = self.folder.get_range(&self.name, self.fetched..end)?;
        self.crc32c = crc32c::crc32c_append(self.crc32c, &chunk);
        self.fetched = end;
        if end == self.size && self.expected_crc32c.is_some_and(|e| e != self.crc32c) {
            return Err(Error::corrupt("read state file", "checksum does not match")
                .with("path", self.folder.file_display(&self.name))
                .with("crc32c", format!("{:08x}", self.crc32c))
                .with("expected", format!("{:08x}", self.expected_crc32c.unwrap_or(0))));
        }
        self.chunk = chunk;
        Ok(true)
    }
}

impl Read for FileStream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            let more = self.next_chunk().map_err(|e| match e.kind() {
                ErrorKind::Corrupt => io::Error::new(io::ErrorKind::InvalidData, e),
                ErrorKind::NotFound => io::Error::new(io::ErrorKind::NotFound, e),
                _ => io::Error::other(e),
            })?;
            if !more {
                return Ok(0);
            }
        }
        let take = out.len().min(self.chunk.len());
        let part = self.chunk.split_to(take);
        if let Some(space) = out.get_mut(..take) {
            space.copy_from_slice(&part);
        }
        Ok(take)
    }
}
