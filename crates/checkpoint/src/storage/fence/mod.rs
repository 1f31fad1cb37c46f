//! One job, one writer: the epochs of a job's folder.
//!
//! Whoever starts a job takes a new epoch; whoever finds a later one than its own stops. The protocol, and why no pause at any
//! moment breaks it, are in `docs/storage.md`; the decisions are the pure functions in [`rules`].

mod owner;
pub mod rules;

pub(crate) use owner::{Liveness, Owner};
use rules::{Epoch, EpochFile, Takeover, Takeovers};

use super::folder::Folder;
use super::layout;
use bytes::Bytes;
use millpond_core::{CheckpointId, Error, ErrorKind, Result};
use serde::Serialize;
use std::sync::Mutex;

const TAKE: &str = "take over job";
/// How often a number that another process was quicker to take is passed over.
const ATTEMPTS_MAX: usize = 16;

/// The right to write to one job's folder.
pub(crate) struct Fence {
    folder: Folder,
    owner: Owner,
    state: Mutex<State>,
}

struct State {
    epoch: Epoch,
    /// The last epoch of which this process has written, or tried to, what it found.
    recorded: Epoch,
    /// The takeovers on record that this process goes by, its own among them.
    takeovers: Takeovers,
    /// Whether what was found at the takeover is on record.
    begun: bool,
    /// The newest checkpoint that exists for certain.
    confirmed: CheckpointId,
    /// Whether a checkpoint may or may not have come to exist.
    unsure: bool,
    /// Whether the job's result is on record.
    concluded: bool,
    /// Whether a later epoch was seen.
    lost: bool,
}

/// The job's epochs and takeovers as they lie in its folder.
pub(crate) struct Epochs {
    folder: Folder,
    files: Vec<EpochFile>,
}

impl Epochs {
    pub(crate) fn read(job_folder: &Folder) -> Result<Epochs> {
        let folder = job_folder.child(layout::EPOCHS_FOLDER);
        let listing = folder.list()?;
        let files = listing
            .files
            .iter()
            .filter_map(|(name, _)| EpochFile::parse(name));
        Ok(Epochs {
            files: files.collect(),
            folder,
        })
    }

    pub(crate) fn takeovers(&self) -> Result<Takeovers> {
        let Some(start) = rules::latest_start(&self.files) else {
            return Ok(Takeovers::default());
        };
        let bytes = match self.folder.get(&start.name()) {
            // A newer owner has put a newer one in its place in the meantime, and this process will learn of it.
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Takeovers::default()),
            other => other?,
        };
        serde_json::from_slice(&bytes).map_err(|e| {
            Error::corrupt("read takeovers", "the file is damaged")
                .with("path", self.folder.file_display(&start.name()))
                .source(e)
                .hint("if no other process runs this job, delete the folder epochs and start again")
        })
    }

    /// The epoch of the last takeover that was carried through.
    pub(crate) fn last_start(&self) -> Option<Epoch> {
        rules::latest_start(&self.files).map(EpochFile::epoch)
    }

    /// The folder and the names in it that a finished job doesn't need.
    pub(crate) fn all_but_last_start(self) -> (Folder, Vec<String>) {
        let last = rules::latest_start(&self.files);
        let others = self.files.iter().filter(|f| Some(**f) != last);
        let names = others.map(|f| f.name()).collect();
        (self.folder, names)
    }

    /// Whether a process has taken the job over after `epoch`, though it may not have begun.
    pub(crate) fn is_taken_after(&self, epoch: Epoch) -> bool {
        self.files.iter().any(|f| f.epoch() > epoch)
    }

    /// The process that may be running: `None` if the last owner gave the job back.
    pub(crate) fn holder(&self) -> Result<Option<Owner>> {
        let Some(epoch) = rules::held(&self.files) else {
            return Ok(None);
        };
        let bytes = match self.folder.get(&EpochFile::Owner(epoch).name()) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            Error::corrupt("read owner of job", "the file is damaged")
                .with("path", self.folder.file_display(&EpochFile::Owner(epoch).name()))
                .source(e)
        })
    }
}

impl Fence {
    /// Takes the next epoch: from now on every other process is fenced off.
    pub(crate) fn acquire(job_folder: &Folder) -> Result<Fence> {
        // A simulated process is none of the machine's, and has no clock but its own.
        let owner = match job_folder.io().is_inline() {
            true => Owner::simulated(),
            false => Owner::this_process(),
        };
        let epoch = take_epoch(job_folder, &owner)?;
        Ok(Fence {
            folder: job_folder.child(layout::EPOCHS_FOLDER),
            owner,
            state: Mutex::new(State {
                epoch,
                recorded: 0,
                takeovers: Takeovers::default(),
                begun: false,
                confirmed: 0,
                unsure: false,
                concluded: false,
                lost: false,
            }),
        })
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.state().epoch
    }

    /// Puts on record what was found going by the takeovers `read`: checkpoints of others above `found` don't count from now on,
    /// whenever they come to exist. What an owner that was fenced off has put on record since `read` decides nothing any more.
    pub(crate) fn begin(&self, found: CheckpointId, read: Takeovers) -> Result<()> {
        let mut state = self.state();
        if !state.begun {
            state.recorded = state.epoch;
            let takeovers = read.and(Takeover {
                epoch: state.epoch,
                checkpoint: found,
            });
            self.record(&mut state, takeovers)?;
        }
        // Whoever took over before that was on record has not read it. And who looks again, for a restart, may have slept since:
        // what he found may be a later owner's.
        self.check_at(&mut state)?;
        state.begun = true;
        state.confirmed = state.confirmed.max(found);
        Ok(())
    }

    /// Puts on record that the job has ended, by its result of the epoch `written`: others who took over before it was there, and
    /// have not begun, can't make it void any more.
    ///
    /// # Errors
    /// As [`Fence::check`].
    pub(crate) fn uphold(&self, written: Epoch) -> Result<()> {
        let mut state = self.state();
        state.recorded = state.epoch;
        let takeovers = Takeovers {
            takeovers: vec![Takeover {
                epoch: state.epoch,
                checkpoint: 0,
            }],
            result: Some(written),
        };
        self.record(&mut state, takeovers)?;
        self.check_at(&mut state)
    }

    /// Whether this process still owns the job.
    ///
    /// # Errors
    /// Fenced if it doesn't: everything that it does from now on is in vain. Io when it can't be known now, also because the
    /// folder is away.
    pub(crate) fn check(&self) -> Result<()> {
        self.check_at(&mut self.state())
    }

    fn check_at(&self, state: &mut State) -> Result<()> {
        let epochs = Epochs {
            files: self.list()?,
            folder: self.folder.clone(),
        };
        if rules::holds(&epochs.files, state.epoch) {
            return Ok(());
        }
        // Whoever took over has left a later epoch. Without one the folder was cleared or is away, and may come back.
        if !epochs.is_taken_after(state.epoch) {
            return Err(Error::new(
                ErrorKind::Io,
                "write checkpoint",
                "the record of which process owns this job is not in its folder",
            )
            .with("path", self.folder.display())
            .hint("see whether the disk is mounted and the folder still there; checkpoints go on when it is back"));
        }
        state.lost = true;
        let holder = epochs.holder().ok().flatten();
        Err(fenced(&self.folder, holder.as_ref()))
    }

    /// The claim that the folder of a checkpoint carries: tells whose it is.
    pub(crate) fn claim(&self) -> Result<Bytes> {
        json(&Claim {
            epoch: self.epoch(),
            token: &self.owner.token,
        })
    }

    /// Whether this process still owns the job, under the epoch that a checkpoint was begun in.
    ///
    /// # Errors
    /// As [`Fence::check`]; Io when the checkpoint was begun before [`Fence::settle`] left behind all that weren't certain.
    pub(crate) fn check_since(&self, epoch: Epoch) -> Result<()> {
        self.check_since_at(&mut self.state(), epoch)
    }

    fn check_since_at(&self, state: &mut State, epoch: Epoch) -> Result<()> {
        if state.epoch != epoch {
            return Err(Error::new(
                ErrorKind::Io,
                "commit checkpoint",
                "it was begun before the write of another checkpoint failed",
            )
            .hint("the next checkpoint is not affected"));
        }
        self.check_at(state)
    }

    /// Checkpoint `id`, begun in `epoch`, exists: makes sure that this process owns the job in that epoch still, and puts it among
    /// those that the next epoch finds. Both at once: an epoch that came between would leave a complete checkpoint behind.
    ///
    /// # Errors
    /// As [`Fence::check_since`].
    pub(crate) fn confirm(&self, id: CheckpointId, epoch: Epoch) -> Result<()> {
        let mut state = self.state();
        self.check_since_at(&mut state, epoch)?;
        state.confirmed = state.confirmed.max(id);
        Ok(())
    }

    /// The write that makes a checkpoint exist has failed, and it isn't known whether the store has carried it out, or will.
    pub(crate) fn unsure(&self) {
        self.state().unsure = true;
    }

    /// To be called before anything is deleted. Makes sure that no checkpoint whose write failed will ever count: another
    /// process could have found it and gone on from it. Takes the next epoch itself if need be.
    ///
    /// # Errors
    /// As [`Fence::check`].
    pub(crate) fn settle(&self) -> Result<()> {
        self.settle_at(&mut self.state())
    }

    fn settle_at(&self, state: &mut State) -> Result<()> {
        if state.lost {
            return Err(fenced(&self.folder, None));
        }
        // Of a job that has come to its end nobody goes on from a checkpoint, and another epoch would make its result void.
        if !state.unsure || state.concluded {
            return Ok(());
        }
        self.check_at(state)?;
        let next = state.epoch + 1;
        let taken = self
            .folder
            .put(&EpochFile::Owner(next).name(), json(&self.owner)?, true);
        if let Err(e) = taken {
            // Taken by somebody else, or by the attempt before this one: then the check below says which.
            if e.kind() != ErrorKind::IllegalState {
                return Err(e);
            }
        }
        let owner = self.folder.get(&EpochFile::Owner(next).name())?;
        // Another one may have had the epoch and be gone again; what he found stays.
        let is_used = state.recorded < next && rules::is_used(&self.list()?, next);
        if owner != json(&self.owner)? || is_used {
            state.lost = true;
            return Err(fenced(&self.folder, None));
        }
        state.epoch = next;
        state.recorded = next;
        let takeovers = state.takeovers.and(Takeover {
            epoch: next,
            checkpoint: state.confirmed,
        });
        self.record(state, takeovers)?;
        self.check_at(state)?;
        state.unsure = false;
        Ok(())
    }

    /// The job has come to its end: `write` puts its result on record, under the epoch that is handed to it, the job's last one.
    ///
    /// # Errors
    /// As [`Fence::settle`], and what `write` fails with.
    pub(crate) fn conclude(&self, write: impl FnOnce(Epoch) -> Result<()>) -> Result<()> {
        let mut state = self.state();
        self.settle_at(&mut state)?;
        self.check_at(&mut state)?;
        write(state.epoch)?;
        // Whoever takes over from here on finds the result. Whoever has before may have not: the job is still his.
        self.check_at(&mut state)?;
        state.concluded = true;
        Ok(())
    }

    /// Gives the job back: the process ends in order.
    pub(crate) fn release(&self) {
        let name = EpochFile::Owner(self.epoch()).name();
        if let Err(e) = self.folder.delete_file(&name) {
            tracing::warn!(error = %e.report(), "could not note that the job is nobody's now");
        }
    }

    /// Writes the takeovers that count from this epoch on, and deletes what that makes superfluous.
    fn record(&self, state: &mut State, takeovers: Takeovers) -> Result<()> {
        let epoch = state.epoch;
        let name = EpochFile::Start(epoch).name();
        let files = self.list()?;
        self.folder.put(&name, json(&takeovers)?, false)?;
        state.takeovers = takeovers;
        for old in files.iter().filter(|f| f.epoch() < epoch) {
            // One that stays is deleted at the next takeover.
            let _ = self.folder.delete_file(&old.name());
        }
        Ok(())
    }

    fn list(&self) -> Result<Vec<EpochFile>> {
        let listing = self.folder.list()?;
        Ok(listing
            .files
            .iter()
            .filter_map(|(name, _)| EpochFile::parse(name))
            .collect())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.folder.io().lock(&self.state)
    }
}

/// A start that comes to nothing gives the job back, too. A simulated process doesn't: it was killed.
impl Drop for Fence {
    fn drop(&mut self) {
        if !self.folder.io().is_inline() {
            self.release();
        }
    }
}

/// What the folder of a checkpoint says of who began it.
#[derive(Serialize)]
struct Claim<'a> {
    epoch: Epoch,
    token: &'a str,
}

/// The epoch of a claim; `None` if it isn't one.
pub(crate) fn epoch_of_claim(claim: &[u8]) -> Option<Epoch> {
    #[derive(serde::Deserialize)]
    struct Read {
        epoch: Epoch,
    }
    serde_json::from_slice::<Read>(claim).ok().map(|c| c.epoch)
}

fn take_epoch(job_folder: &Folder, owner: &Owner) -> Result<Epoch> {
    let file = json(owner)?;
    for _ in 0..ATTEMPTS_MAX {
        let epochs = Epochs::read(job_folder)?;
        let epoch = rules::next_epoch(&epochs.files, owner.since_ms);
        let name = EpochFile::Owner(epoch).name();
        match epochs.folder.put(&name, file.clone(), true) {
            Err(e) if e.kind() == ErrorKind::IllegalState => {
                // A store's answer may get lost, and its second one says that the file is there. Another's may be gone again.
                match epochs.folder.get(&name) {
                    Ok(there) if there == file => {}
                    Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
                    _ => continue,
                }
            }
            other => other?,
        }
        let files = Epochs::read(job_folder)?.files;
        if rules::holds(&files, epoch) && !rules::is_used(&files, epoch) {
            return Ok(epoch);
        }
        // Somebody took a later one at the same time, or had this one before.
        epochs.folder.delete_file(&name)?;
    }
    Err(Error::new(
        ErrorKind::Fenced,
        TAKE,
        "other processes keep taking over the job",
    )
    .with("path", job_folder.display())
    .hint("start the job once"))
}

fn fenced(folder: &Folder, holder: Option<&Owner>) -> Error {
    let error = Error::new(
        ErrorKind::Fenced,
        "write checkpoint",
        "another process has taken over this job, so this one may not write its checkpoints any more",
    )
    .with("path", folder.display());
    let error = match holder {
        Some(owner) => error.with("owner", owner),
        None => error,
    };
    error.hint("nothing is lost: the other process goes on from the newest checkpoint; let this one end, and start a job once")
}

fn json(value: &impl Serialize) -> Result<Bytes> {
    let mut text = serde_json::to_vec(value)
        .map_err(|e| Error::new(ErrorKind::IllegalState, TAKE, "not expressible").source(e))?;
    text.push(b'\n');
    Ok(Bytes::from(text))
}
