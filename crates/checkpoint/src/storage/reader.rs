//! Reads what handles name, and checks length and checksum on the way.

use super::Target;
use super::folder::Folder;
use super::local::LocalFile;
use super::uri::Location;
use bytes::Bytes;
use millpond_core::{Error, ErrorKind, Result};
use millpond_state::handle::{FileStateHandle, SegmentFileStateHandle, StatePath, StreamStateHandle};
use millpond_state::stream::StateHandleReader;
use std::fs;
use std::io::{self, Cursor, Read};
use std::ops::Range;
use std::path::Path;

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
            StreamStateHandle::File(file) => {
                Ok(Box::new(FileStream::of(Source::of(&self.target, file)?, file)))
            }
            StreamStateHandle::Segment(segment) => {
                let source = Source::of(&self.target, &segment.file)?;
                let range = segment_range(segment, &(0..segment.size), &source)?;
                Ok(Box::new(FileStream::part(source, range)))
            }
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
                let mut source = Source::of(&self.target, file)?;
                if range.start > range.end || range.end > file.size {
                    return Err(too_short(source.display()));
                }
                source.get_range(range)
            }
            StreamStateHandle::Segment(segment) => {
                let mut source = Source::of(&self.target, &segment.file)?;
                let range = segment_range(segment, &range, &source)?;
                source.get_range(range)
            }
        }
    }

    fn link(&self, handle: &StreamStateHandle, path: &Path) -> bool {
        let StreamStateHandle::File(file) = handle else {
            return false;
        };
        // It is what was verified, so the checkpoint's own file is not to be believed unread.
        if let Some(copy) = self.target.local.as_ref().and_then(|l| l.find(file)) {
            return copy.link(path);
        }
        let Ok((folder, name)) = find(&self.target, file) else {
            return false;
        };
        let local = folder.local().filter(|_| !self.target.file_systems.is_layered());
        local.is_some_and(|local| fs::hard_link(local.join(name), path).is_ok())
    }
}

/// Where in its file a part of a segment lies.
fn segment_range(segment: &SegmentFileStateHandle, part: &Range<u64>, source: &Source) -> Result<Range<u64>> {
    let end = segment.start.checked_add(part.end);
    let range = end
        .filter(|end| part.start <= part.end && part.end <= segment.size && *end <= segment.file.size)
        .map(|end| segment.start + part.start..end);
    range.ok_or_else(|| {
        Error::corrupt(
            "read state",
            "the segment or its file is shorter than what is asked for",
        )
        .with("path", source.display())
        .with("segment_start", segment.start)
        .with("segment_size", segment.size)
        .with("start", part.start)
        .with("end", part.end)
        .with("length", segment.file.size)
    })
}

/// The name and place of a file that has the length it was written with.
fn find(target: &Target, file: &FileStateHandle) -> Result<(Folder, String)> {
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
    Ok((folder, name))
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
            let (location, name) =
                Location::parse_file("resolve state file", text).map_err(|e| match e.kind() {
                    ErrorKind::Config => bad(e.message(), text),
                    _ => e,
                })?;
            let folder = target
                .file_systems
                .open(&location, false)
                .map_err(|e| match e.kind() {
                    ErrorKind::NotFound => missing(&location.child(&name).to_string()),
                    _ => e,
                })?;
            Ok((folder, name))
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

/// Reads `file` to its end and checks it: its local copy if there is a good one. Errors name the file.
pub(crate) fn verify(target: &Target, file: &FileStateHandle) -> Result<()> {
    if let Some(copy) = target.local.as_ref().and_then(|l| l.find(file)) {
        let mut stream = FileStream::of(Source::Copy(copy), file);
        match stream.read_through() {
            Ok(()) => return Ok(()),
            Err(_) => stream.source.discard(),
        }
    }
    FileStream::of(Source::in_checkpoint(target, file)?, file).read_through()
}

/// Where a file's bytes come from.
enum Source {
    /// The checkpoint storage.
    Stored(Folder, String),
    /// A copy on a local disk.
    Copy(LocalFile),
}

impl Source {
    fn of(target: &Target, file: &FileStateHandle) -> Result<Source> {
        match target.local.as_ref().and_then(|l| l.find(file)) {
            Some(copy) => Ok(Source::Copy(copy)),
            None => Self::in_checkpoint(target, file),
        }
    }

    fn in_checkpoint(target: &Target, file: &FileStateHandle) -> Result<Source> {
        let (folder, name) = find(target, file)?;
        Ok(Source::Stored(folder, name))
    }

    fn get_range(&mut self, range: Range<u64>) -> Result<Bytes> {
        match self {
            Source::Stored(folder, name) => folder.get_range(name, range),
            Source::Copy(copy) => copy.get_range(range),
        }
    }

    fn display(&self) -> String {
        match self {
            Source::Stored(folder, name) => folder.file_display(name),
            Source::Copy(copy) => copy.display(),
        }
    }

    fn discard(&self) {
        if let Source::Copy(copy) = self {
            copy.discard();
        }
    }
}

struct FileStream {
    source: Source,
    /// Where it ends.
    size: u64,
    fetched: u64,
    crc32c: u32,
    expected_crc32c: Option<u32>,
    chunk: Bytes,
}

impl FileStream {
    fn of(source: Source, file: &FileStateHandle) -> Self {
        FileStream {
            source,
            size: file.size,
            fetched: 0,
            crc32c: 0,
            expected_crc32c: file.crc32c,
            chunk: Bytes::new(),
        }
    }

    /// A part of a file, which was verified as a whole.
    fn part(source: Source, range: Range<u64>) -> Self {
        FileStream {
            source,
            size: range.end,
            fetched: range.start,
            crc32c: 0,
            expected_crc32c: None,
            chunk: Bytes::new(),
        }
    }

    fn read_through(&mut self) -> Result<()> {
        while self.next_chunk()? {
            self.chunk.clear();
        }
        Ok(())
    }

    /// Fetches the next chunk, `false` at the end; the last chunk is handed out only if the checksum of all is right.
    fn next_chunk(&mut self) -> Result<bool> {
        if self.fetched == self.size {
            return Ok(false);
        }
        let end = self.size.min(self.fetched + CHUNK_BYTES);
        let chunk = self.source.get_range(self.fetched..end)?;
        self.crc32c = crc32c::crc32c_append(self.crc32c, &chunk);
        self.fetched = end;
        if end == self.size && self.expected_crc32c.is_some_and(|e| e != self.crc32c) {
            return Err(Error::corrupt("read state file", "checksum does not match")
                .with("path", self.source.display())
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
