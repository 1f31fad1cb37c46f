//! The upload of one large file in parts, some of them under way at once.
//!
//! Nothing shows before [`Upload::finish`]; an upload that is dropped before takes its parts back.

use super::Folder;
use super::error::store_error;
use super::io::Running;
use bytes::Bytes;
use millpond_core::Result;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use std::collections::VecDeque;

/// Parts of one file that may be under way at once; each is one write buffer large.
const PARTS_IN_FLIGHT: usize = 2;

/// See the module.
pub(super) struct Upload {
    folder: Folder,
    name: String,
    /// Taken by the end.
    upload: Option<Box<dyn MultipartUpload>>,
    parts: VecDeque<Running<object_store::Result<()>>>,
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
        })
    }

    /// Sends the next part; waits while as many as may be are under way.
    pub(super) fn put(&mut self, part: Bytes) -> Result<()> {
        while self.parts.len() >= PARTS_IN_FLIGHT {
            self.wait_for_oldest()?;
        }
        if let Some(upload) = &mut self.upload {
            let sent = upload.put_part(PutPayload::from_bytes(part));
            self.parts.push_back(self.folder.io().start_running(sent)?);
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
        match self.parts.pop_front() {
            Some(part) => part.wait()?.map_err(|e| self.error(e)),
            None => Ok(()),
        }
    }

    fn error(&self, e: object_store::Error) -> millpond_core::Error {
        store_error("write state file", &self.folder.file_display(&self.name), e)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // A part that arrives after the upload was taken back would stay in the store for good.
        for part in self.parts.drain(..) {
            let _ = part.wait();
        }
        if let Some(mut upload) = self.upload.take() {
            // Parts that can't be taken back are invisible, and swept with the folder.
            let _ = self.folder.io().run(async move { upload.abort().await });
        }
    }
}
