//! Small states of a checkpoint, written together into few files. Flink's file merging (FLIP-306), within a checkpoint.
//!
//! A task hands its small states in with its acknowledgement, as it does with what is to stand in `_metadata`. The commit writes those of
//! all tasks into merged files and puts segments in their place. So nothing waits for a file to fill, and a merged file belongs to
//! one checkpoint: it lies in its folder and goes with it, however many segments it has.

use super::commit::each_stream;
use super::{Folder, Target, layout};
use crate::metadata::CheckpointMetadata;
use bytes::Bytes;
use millpond_core::Result;
use millpond_core::failpoint::{self, Failpoint};
use millpond_core::hash::HashMap;
use millpond_state::handle::{
    ByteStreamStateHandle, FileStateHandle, SegmentFileStateHandle, StatePath, StreamStateHandle,
};

/// Writes the states in `metadata` that are too large to stand in it; `None` when there are none, or the checkpoint doesn't merge.
///
/// # Errors
/// Io when a file can't be written. What was written goes with the checkpoint's folder.
pub(super) fn merge(target: &Target, metadata: &CheckpointMetadata) -> Result<Option<CheckpointMetadata>> {
    let Some(file_bytes_max) = target.merged_file_bytes_max() else {
        return Ok(None);
    };
    let mut files = MergedFiles {
        folder: &target.folder,
        file_bytes_max,
        written: Vec::new(),
        open: Vec::new(),
        places: HashMap::default(),
    };
    for stream in metadata.streams() {
        match stream {
            StreamStateHandle::ByteStream(b) if b.data.len() > target.options.inline_threshold_bytes => {
                files.add(b)?;
            }
            _ => {}
        }
    }
    if files.places.is_empty() {
        return Ok(None);
    }
    files.write()?;
    let mut merged = metadata.clone();
    each_stream(&mut merged, &mut |stream| {
        if let StreamStateHandle::ByteStream(b) = stream
            && let Some(segment) = files.segment(b)
        {
            *stream = StreamStateHandle::Segment(segment);
        }
        Ok(())
    })?;
    Ok(Some(merged))
}

struct MergedFiles<'a> {
    folder: &'a Folder,
    file_bytes_max: usize,
    written: Vec<FileStateHandle>,
    /// What the next file will hold.
    open: Vec<u8>,
    /// By a stream's name, the number of its file and where it begins. Channels of one task share a stream.
    places: HashMap<String, (usize, u64)>,
}

impl MergedFiles<'_> {
    fn add(&mut self, stream: &ByteStreamStateHandle) -> Result<()> {
        if self.places.contains_key(&stream.name) {
            return Ok(());
        }
        if self.open.len().saturating_add(stream.data.len()) > self.file_bytes_max {
            self.write()?;
        }
        let place = (self.written.len(), self.open.len() as u64);
        self.places.insert(stream.name.clone(), place);
        self.open.extend_from_slice(&stream.data);
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let bytes = Bytes::from(std::mem::take(&mut self.open));
        let (name, size, crc32c) = (layout::file_name(), bytes.len() as u64, crc32c::crc32c(&bytes));
        failpoint::reach(Failpoint::UploadBegins);
        self.folder.put(&name, bytes, false)?;
        failpoint::reach(Failpoint::UploadEnds);
        self.written.push(FileStateHandle {
            path: StatePath::Relative(name),
            size,
            crc32c: Some(crc32c),
        });
        Ok(())
    }

    fn segment(&self, stream: &ByteStreamStateHandle) -> Option<SegmentFileStateHandle> {
        let (number, start) = self.places.get(&stream.name)?;
        Some(SegmentFileStateHandle {
            file: self.written.get(*number)?.clone(),
            start: *start,
            size: stream.data.len() as u64,
            name: stream.name.clone(),
        })
    }
}
