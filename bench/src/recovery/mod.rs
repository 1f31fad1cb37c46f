//! From SIGKILL to the first record of the next process, with a gigabyte of state: suites `recovery` and `recovery_rocksdb`.
//!
//! A process of its own fills the state, checkpoints it and is killed; the same one is started again and has to find the
//! checkpoint by itself. Before the kill the system is made to forget the files, so that they come from the disk, as after a
//! restart of the machine. The time to read the same files from the same disk, forgotten again, stands beside it.

mod disk;
mod job;

pub(crate) use job::{COMMAND, run as run_job};

use millpond_core::host::{Clock, SystemClock};
use millpond_core::{Error, Result};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

/// State in the HashMap backend.
pub fn hashmap() -> Result<()> {
    run("recovery", "hashmap")
}

/// State in RocksDB.
#[cfg(feature = "rocksdb")]
pub fn rocksdb() -> Result<()> {
    run("recovery_rocksdb", "rocksdb")
}

fn run(suite: &str, backend: &str) -> Result<()> {
    for (suffix, local) in [("", false), ("_local_copies", true)] {
        let folder = std::env::temp_dir().join(format!("millpond-recovery-{}", std::process::id()));
        let recovered = recover(&folder, backend, local);
        // In the folder for temporary files; what stays behind is no harm.
        let _ = std::fs::remove_dir_all(&folder);
        let recovered = recovered?;
        let ms = |nanos: u64| nanos as f64 / 1e6;
        println!(
            "{suite} first_record{suffix}_ms {:.0}",
            ms(recovered.first_record_nanos)
        );
        println!("{suite} read_files{suffix}_ms {:.0}", ms(recovered.read_nanos));
        println!("# {suite}: {:.0} MB of files", recovered.read_bytes as f64 / 1e6);
    }
    Ok(())
}

struct Recovered {
    first_record_nanos: u64,
    read_nanos: u64,
    read_bytes: u64,
}

fn recover(folder: &Path, backend: &str, local: bool) -> Result<Recovered> {
    let clock = SystemClock::shared();
    let (checkpoints, copies) = (folder.join("checkpoints"), folder.join("copies"));
    let options = [
        format!("state.backend.type={backend}"),
        "taskmanager.memory.managed.size=1gb".into(),
        "execution.checkpointing.incremental=true".into(),
        format!("execution.checkpointing.dir={}", checkpoints.display()),
        format!("execution.checkpointing.local-backup.enabled={local}"),
        format!("execution.state-recovery.from-local={local}"),
        format!("execution.checkpointing.local-backup.dirs={}", copies.display()),
    ];
    let mut first = Process::start(&options, &clock)?;
    first.wait_for(job::CHECKPOINTED)?;
    disk::forget(folder)?;
    let killed_nanos = first.kill()?;
    let mut second = Process::start(&options, &clock)?;
    second.wait_for(job::FIRST_RECORD)?;
    let first_record_nanos = clock.monotonic_nanos().saturating_sub(killed_nanos);
    second.kill()?;
    // The copies are read in place of the checkpoint's own files.
    let read = if local { &copies } else { &checkpoints };
    disk::forget(read)?;
    let (read_bytes, read_nanos) = disk::read(read, &*clock)?;
    Ok(Recovered {
        first_record_nanos,
        read_nanos,
        read_bytes,
    })
}

/// A process that runs the job; it dies with this.
struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
    clock: Arc<dyn Clock>,
}

impl Process {
    fn start(options: &[String], clock: &Arc<dyn Clock>) -> Result<Self> {
        let failed = |e| Error::io("start recovery job", e);
        let mut child = Command::new(std::env::current_exe().map_err(failed)?)
            .arg(COMMAND)
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let stdout = child.stdout.take().ok_or_else(|| ended("start"))?;
        Ok(Process {
            child,
            lines: BufReader::new(stdout),
            clock: Arc::clone(clock),
        })
    }

    /// Reads on until the process says `word`.
    fn wait_for(&mut self, word: &str) -> Result<()> {
        let mut line = String::new();
        while !line.starts_with(word) {
            line.clear();
            let read = self.lines.read_line(&mut line);
            if read.map_err(|e| Error::io("read from recovery job", e))? == 0 {
                return Err(ended(word));
            }
        }
        Ok(())
    }

    /// Kills it, and says when.
    fn kill(&mut self) -> Result<u64> {
        let failed = |e| Error::io("kill recovery job", e);
        let now = self.clock.monotonic_nanos();
        self.child.kill().map_err(failed)?;
        self.child.wait().map_err(failed)?;
        Ok(now)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Most often it is dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ended(before: &str) -> Error {
    Error::illegal_state(
        "measure recovery",
        "the job's process ended before it should; it says why on its standard error",
    )
    .with("waited_for", before)
}
