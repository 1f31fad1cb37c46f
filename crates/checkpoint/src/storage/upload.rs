//! The upload of one large file in parts, some of them under way at once.
//!
//! Nothing shows before [`Upload::finish`]; an upload that is dropped before takes its parts back.

use super::Folder;
use super::error::store_error;
use super::io::Running;
use bytes::{Bytes, BytesMut};
use millpond_core::Result;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use std::collections::VecDeque;

/// Parts of one file that may be under way at once.
const PARTS_IN_FLIGHT: usize = 2;

/// A part that is under way. Its bytes are kept, since their memory serves for a later one.
struct Part {
    bytes: Bytes,
    sent: Running<object_store::Result<()>>,
}

/// See the module.
pub(super) struct Upload {
    folder: Folder,
    name: String,
    /// Taken by the end.
    upload: Option<Box<dyn MultipartUpload>>,
    parts: VecDeque<Part>,
    /// Memory of parts that have arrived.
    spare: Vec<BytesMut>,
}

impl Upload {
    pub(super) fn start(folder: &Folder, name: &str) -> Result<Self> {
        let (store, path) = (folder.store().clone(), folder.store_path(name));
        let upload = folder
            .io()
            .run(async move { store.put_multipart(&path).await })?
            .map_err(|e| store_error("write state file", &folder.file_display(name), e))?;
        Ok(Upload {
            folder: folder.clone(),
            name: name.to_owned(),
            upload: Some(upload),
            parts: VecDeque::new(),
            spare: Vec::new(),
        })
    }

    /// An empty buffer for a part: new memory only while none of the parts sent before has arrived, for the pages of new memory cost
    /// more than what is written to them.
    pub(super) fn buffer(&mut self, bytes: usize) -> BytesMut {
        self.spare.pop().unwrap_or_else(|| BytesMut::with_capacity(bytes))
    }

    /// Sends the next part; waits while as many as may be are under way.
    pub(super) fn put(&mut self, bytes: Bytes) -> Result<()> {
        while self.parts.len() >= PARTS_IN_FLIGHT {
            self.wait_for_oldest()?;
        }
        if let Some(upload) = &mut self.upload {
            let sent = upload.put_part(PutPayload::from_bytes(bytes.clone()));
            let sent = self.folder.io().start_running(sent)?;
            self.parts.push_back(Part { bytes, sent });
        }
        Ok(())
    }

    /// Makes the file exist.
    pub(super) fn finish(mut self) -> Result<()> {
        while !self.parts.is_empty() {
            self.wait_for_oldest()?;
        }
        let Some(mut upload) = self.upload.take() else {
            return Ok(());
        };
        let (upload, done) = self.folder.io().run(async move {
            let done = upload.complete().await.map(drop);
            (upload, done)
        })?;
        done.map_err(|e| {
            self.upload = Some(upload);
            self.error(e)
        })
    }

    fn wait_for_oldest(&mut self) -> Result<()> {
        let Some(part) = self.parts.pop_front() else {
            return Ok(());
        };
        part.sent.wait()?.map_err(|e| self.error(e))?;
        // A client that still holds the bytes keeps them.
        if let Ok(mut buffer) = part.bytes.try_into_mut() {
            buffer.clear();
            self.spare.push(buffer);
        }
        Ok(())
    }

    fn error(&self, e: object_store::Error) -> millpond_core::Error {
        store_error("write state file", &self.folder.file_display(&self.name), e)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // A part that arrives after the upload was taken back would stay in the store for good.
        for part in self.parts.drain(..) {
            let _ = part.sent.wait();
        }
        if let Some(mut upload) = self.upload.take() {
            // Parts that can't be taken back are invisible, and swept with the folder.
            let _ = self.folder.io().run(async move { upload.abort().await });
        }
    }
}
