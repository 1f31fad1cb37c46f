//! The checkpoint storage of the simulated world: an object store on which every request takes its time and can fail.
//!
//! What is stored outlives the processes. A request is interrupted before and after it takes effect, so a process that is killed
//! leaves requests behind that had their effect without anybody knowing, and others that had none.

use super::coroutine::pause;
use super::faults::{Faults, Mutant};
use super::log::say;
use super::scheduler::{Process, Wait, steady_ms};
use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use millpond_core::host::ManualClock;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use std::fmt;
use std::io;
use std::sync::Arc;

/// What names the storage.
pub(super) const ROOT: &str = "s3://simulated";
/// Where savepoints go.
pub(super) const SAVEPOINTS: &str = "s3://simulated/savepoints";
/// Stands for what is carried out too late in the trace.
const LATE: u64 = 5 << 40;

/// One process's way to the storage.
#[derive(Clone)]
pub(super) struct Medium {
    pub(super) objects: Arc<InMemory>,
    pub(super) process: Arc<Process>,
    /// The number of the process among those of the run.
    pub(super) number: usize,
    /// What is on its way to the storage; outlives every process that sent something.
    pub(super) network: Arc<Process>,
    pub(super) faults: Arc<Faults>,
    pub(super) clock: Arc<ManualClock>,
}

impl Medium {
    /// Before a request takes effect: waits, and fails it by chance or because its process is gone.
    fn before(&self) -> Result<()> {
        self.wait();
        if self.process.is_dead() {
            return Err(failure("the process was killed"));
        }
        match self.faults.request_fails() {
            true => Err(failure("the storage is out of order")),
            false => Ok(()),
        }
    }

    /// After it took effect: its answer may get lost.
    fn after<T>(&self, answer: Result<T>) -> Result<T> {
        self.wait();
        if self.process.is_dead() {
            return Err(failure("the process was killed"));
        }
        match answer.is_ok() && self.faults.answer_is_lost() {
            true => Err(failure("the storage does not answer")),
            false => answer,
        }
    }

    /// The request is carried out after its sender has given up on it, maybe after its sender's end.
    fn late(&self, late_ms: i64, request: impl FnOnce(&InMemory) + Send + 'static) -> object_store::Error {
        let (objects, clock) = (Arc::clone(&self.objects), Arc::clone(&self.clock));
        let work = move || {
            pause(Wait::Until(steady_ms(&clock) + late_ms));
            say(|| "a late request is carried out".to_string());
            request(&objects);
        };
        self.network.spawn(LATE, Box::new(work));
        failure("the storage does not answer in time")
    }

    /// The first bug: answers, and stores after a while, if the process still lives then.
    fn store_later(&self, to: &Path, data: PutPayload) -> PutResult {
        let (medium, to) = (self.clone(), to.clone());
        let work = move || {
            pause(Wait::Until(steady_ms(&medium.clock) + 20));
            if !medium.process.is_dead() {
                medium.objects.put(&to, data).now_or_never();
            }
        };
        self.process.spawn(LATE, Box::new(work));
        PutResult {
            e_tag: None,
            version: None,
            extensions: Default::default(),
        }
    }

    /// The second one.
    async fn delete_a_shared_file(&self) {
        let mut objects = self.objects.list(None);
        while let Some(Ok(object)) = objects.next().await {
            if object.location.as_ref().contains("/shared/") {
                let _ = self.objects.delete(&object.location).await;
                return;
            }
        }
    }

    fn wait(&self) {
        if self.process.is_dead() {
            return;
        }
        let takes_ms = self.faults.request_takes_ms();
        pause(match takes_ms {
            0 => Wait::Turn,
            ms => Wait::Until(steady_ms(&self.clock).saturating_add(ms)),
        });
    }
}

/// Whether a file holds state: not what a checkpoint exists by, nor whose the job is.
fn is_state(path: &Path) -> bool {
    let path = path.as_ref();
    path.contains("/shared/") || path.contains("/chk-") && !path.ends_with("_metadata")
}

fn failure(what: &'static str) -> object_store::Error {
    object_store::Error::Generic {
        store: "simulated",
        source: Box::new(io::Error::new(io::ErrorKind::ConnectionReset, what)),
    }
}

impl fmt::Debug for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Medium")
    }
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated")
    }
}

#[async_trait]
impl ObjectStore for Medium {
    async fn put_opts(&self, to: &Path, data: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.before()?;
        if self.faults.mutant == Mutant::AcknowledgesEarly && is_state(to) {
            return Ok(self.store_later(to, data));
        }
        if let Some(late_ms) = self.faults.request_is_late_ms() {
            let to = to.clone();
            return Err(self.late(late_ms, move |objects| {
                objects.put_opts(&to, data, options).now_or_never();
            }));
        }
        let answer = self.objects.put_opts(to, data, options).await;
        say(|| format!("process {} stores {to}, {:?}", self.number, answer.as_ref().err()));
        self.after(answer)
    }
    async fn put_multipart_opts(
        &self,
        to: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.before()?;
        let inner = self.objects.put_multipart_opts(to, options).await?;
        let upload = Parts {
            inner,
            medium: self.clone(),
        };
        Ok(Box::new(upload))
    }
    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.before()?;
        self.objects.get_opts(from, options).await
    }
    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let medium = self.clone();
        paths
            .then(move |path| {
                let medium = medium.clone();
                async move {
                    let path = path?;
                    medium.before()?;
                    if medium.faults.mutant == Mutant::DeletesSharedFile
                        && path.as_ref().ends_with("_metadata")
                    {
                        medium.delete_a_shared_file().await;
                    }
                    if let Some(late_ms) = medium.faults.request_is_late_ms() {
                        return Err(medium.late(late_ms, move |objects| {
                            objects.delete(&path).now_or_never();
                        }));
                    }
                    say(|| format!("process {} deletes {path}", medium.number));
                    let gone = medium
                        .objects
                        .delete_stream(stream::once(async move { Ok(path) }).boxed())
                        .next()
                        .await;
                    medium.after(gone.unwrap_or_else(|| Err(failure("nothing was deleted"))))
                }
            })
            .boxed()
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.before() {
            Ok(()) => self.objects.list(prefix),
            Err(e) => stream::once(async move { Err(e) }).boxed(),
        }
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.before()?;
        self.objects.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.before()?;
        let answer = self.objects.copy_opts(from, to, options).await;
        self.after(answer)
    }
}

/// A file that is uploaded in parts.
#[derive(Debug)]
struct Parts {
    inner: Box<dyn MultipartUpload>,
    medium: Medium,
}

#[async_trait]
impl MultipartUpload for Parts {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match self.medium.before() {
            Ok(()) => self.inner.put_part(data),
            Err(e) => Box::pin(async move { Err(e) }),
        }
    }
    async fn complete(&mut self) -> Result<PutResult> {
        self.medium.before()?;
        let answer = self.inner.complete().await;
        self.medium.after(answer)
    }
    async fn abort(&mut self) -> Result<()> {
        self.medium.before()?;
        self.inner.abort().await
    }
}
