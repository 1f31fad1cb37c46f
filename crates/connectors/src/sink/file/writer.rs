//! The writer of one parallel instance: part files through in-progress, pending and finished.

use super::encoder::Encoder;
use super::folder::{Folder, failed};
use super::names::Owner;
use super::part::{ClosedPart, PartFile};
use super::pending::PendingFile;
use super::recovery::Recovery;
use millpond_api::{SinkContext, SinkWriter, WriterInitContext};
use millpond_core::hash::HashSet;
use millpond_core::{Error, Result};
use millpond_state::descriptor::ListStateDescriptor;
use std::path::Path;
use std::sync::Arc;

/// The runs that the job's finished files come from.
const RUNS_STATE: &str = "file-sink-runs";

/// Writes part files. Made by [`super::FileSink`].
pub struct FileSinkWriter<T, E> {
    encoder: Arc<E>,
    folder: Folder,
    owner: Owner,
    run: u64,
    subtask: u32,
    part_bytes_max: Option<u64>,
    open: Option<PartFile>,
    /// Closed since the last checkpoint, because they were full.
    rolled: Vec<ClosedPart>,
    parts_made: u64,
    /// Why nothing can be written any more: after a failed write or sync nobody knows what is in the file.
    failed: Option<String>,
    record: std::marker::PhantomData<fn(T)>,
}

/// What the sink's builder says about files.
pub(crate) struct PartOptions<'a> {
    pub folder: &'a Path,
    pub prefix: &'a str,
    pub suffix: &'a str,
    pub part_bytes_max: Option<u64>,
}

impl<T, E: Encoder<T>> FileSinkWriter<T, E> {
    pub(crate) fn create(
        encoder: Arc<E>,
        options: &PartOptions<'_>,
        ctx: &mut WriterInitContext<'_>,
    ) -> Result<Self> {
        let folder = Folder::open(options.folder)?;
        let owner = Owner::new(options.prefix, options.suffix, ctx.job_id, ctx.operator_name);
        let runs_state = ctx
            .state
            .union_list_state(&ListStateDescriptor::<i64>::new(RUNS_STATE))?;
        let runs: HashSet<u64> = runs_state.get()?.iter().map(|r| r.unsigned_abs()).collect();
        Recovery {
            folder: &folder,
            owner: &owner,
            subtask: ctx.subtask_index,
            parallelism: ctx.parallelism,
            restored_checkpoint_id: ctx.restored_checkpoint_id,
            runs: &runs,
        }
        .run()?;
        let run = match runs.iter().max() {
            Some(run) if ctx.restored_checkpoint_id.is_some() => *run,
            _ => {
                let used = folder.parts(&owner)?.iter().map(|(_, part)| part.run).max();
                let run = used.map_or(1, |r| r.saturating_add(1));
                runs_state.update(vec![i64::try_from(run).unwrap_or(i64::MAX)])?;
                run
            }
        };
        Ok(FileSinkWriter {
            encoder,
            folder,
            owner,
            run,
            subtask: ctx.subtask_index,
            part_bytes_max: options.part_bytes_max,
            open: None,
            rolled: Vec::new(),
            parts_made: 0,
            failed: None,
            record: std::marker::PhantomData,
        })
    }

    fn append(&mut self, value: &T) -> Result<()> {
        let part = match &mut self.open {
            Some(part) => part,
            None => {
                let name = self.owner.in_progress(self.run, self.subtask, self.parts_made);
                self.parts_made += 1;
                self.open.insert(PartFile::create(&self.folder, name)?)
            }
        };
        part.append(&self.folder, |out| self.encoder.encode(value, out))?;
        if self.part_bytes_max.is_some_and(|max| part.length() >= max) {
            self.close_part()?;
        }
        Ok(())
    }

    fn close_part(&mut self) -> Result<()> {
        if let Some(part) = self.open.take() {
            // An encoder may write nothing for a record; a file without bytes is not published.
            let closed = part.close(&self.folder)?;
            if closed.length == 0 {
                self.folder.remove(&closed.name)?;
            } else {
                self.rolled.push(closed);
            }
        }
        Ok(())
    }

    /// Closes what is open and names it for the checkpoint, still hidden.
    fn seal(&mut self, checkpoint_id: u64) -> Result<Vec<PendingFile>> {
        self.close_part()?;
        let mut pending = Vec::new();
        for (n, part) in (0u64..).zip(std::mem::take(&mut self.rolled)) {
            let finished_name = self.owner.finished(self.run, self.subtask, checkpoint_id, n);
            self.folder
                .rename(&part.name, &Owner::pending(&finished_name))
                .map_err(|e| failed("seal part file", &self.folder.path(&part.name), e))?;
            pending.push(PendingFile {
                finished_name,
                length: i64::try_from(part.length).unwrap_or(i64::MAX),
            });
        }
        if !pending.is_empty() {
            self.folder.sync()?;
        }
        Ok(pending)
    }

    fn check(&self) -> Result<()> {
        match &self.failed {
            None => Ok(()),
            Some(why) => Err(Error::illegal_state(
                "write part file",
                "an earlier write failed, so what the file holds is unknown",
            )
            .with("cause", why)
            .hint("the job restarts from its last checkpoint")),
        }
    }

    fn remember<R>(&mut self, result: Result<R>) -> Result<R> {
        if let Err(e) = &result {
            self.failed = Some(e.to_string());
        }
        result
    }
}

impl<T: 'static, E: Encoder<T>> SinkWriter for FileSinkWriter<T, E> {
    type In = T;
    type Committable = PendingFile;

    fn write(&mut self, value: T, _ctx: &SinkContext) -> Result<()> {
        self.check()?;
        let result = self.append(&value);
        self.remember(result)
    }

    fn prepare_commit(&mut self, checkpoint_id: u64) -> Result<Vec<PendingFile>> {
        self.check()?;
        let result = self.seal(checkpoint_id);
        self.remember(result)
    }
}
