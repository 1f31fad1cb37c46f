//! `checkpoints verify`, `orphans` and `gc`, and `savepoint -d`: looks after files, without a job.

use crate::args::{FolderArgs, FoldersCommand, GcArgs, StoreArgs};
use crate::output::{complain, print, print_json, table};
use crate::units;
use comfy_table::{Cell, CellAlignment, Color};
use millpond_checkpoint::inspect::{self, CheckpointStatus, JobReport, Orphans};
use millpond_checkpoint::savepoint::dispose_savepoint;
use millpond_checkpoint::storage::StorageOptions;
use millpond_core::{Configuration, Error, Result};

pub(crate) fn carry_out(command: &FoldersCommand) -> Result<()> {
    match command {
        FoldersCommand::Verify(args) => verify(args),
        FoldersCommand::Orphans(args) => orphans(args),
        FoldersCommand::Gc(args) => gc(args),
    }
}

pub(crate) fn dispose(path: &str, store: &StoreArgs) -> Result<()> {
    dispose_savepoint(path, &options(store)?)?;
    complain(&format!("{path} is deleted"));
    Ok(())
}

fn verify(args: &FolderArgs) -> Result<()> {
    let reports = inspect::verify(&args.directory, &options(&args.store)?)?;
    if args.json {
        print_json(&reports)?;
    } else {
        reports.iter().try_for_each(show_report)?;
    }
    let damaged = reports.iter().filter(|r| r.is_damaged()).count();
    if damaged > 0 {
        return Err(Error::corrupt("verify checkpoints", "some are damaged")
            .with("path", &args.directory)
            .hint("a job skips damaged checkpoints; restore the files from a backup if it has no other"));
    }
    Ok(())
}

fn show_report(report: &JobReport) -> Result<()> {
    heading(&report.path, report.owner.as_deref());
    let mut rows = table(&["CHECKPOINT", "STATUS", "FILES", "SIZE", "PATH"]);
    for c in &report.checkpoints {
        let (status, colour) = match c.status {
            CheckpointStatus::Intact => ("INTACT", Color::Green),
            CheckpointStatus::Unverified => ("UNVERIFIED", Color::Yellow),
            CheckpointStatus::Damaged => ("DAMAGED", Color::Red),
            CheckpointStatus::Incomplete => ("INCOMPLETE", Color::Yellow),
            CheckpointStatus::Void => ("VOID", Color::Yellow),
        };
        rows.add_row([
            right(c.checkpoint.map_or("-".to_string(), |id| id.to_string())),
            Cell::new(status).fg(colour),
            right(c.files.to_string()),
            right(units::bytes(c.bytes)),
            Cell::new(&c.path),
        ]);
    }
    print(rows.trim_fmt())?;
    for problem in report.checkpoints.iter().flat_map(|c| &c.problems) {
        complain(&format!("{}: {}", problem.path, problem.problem));
    }
    Ok(())
}

fn orphans(args: &FolderArgs) -> Result<()> {
    let found = inspect::orphans(&args.directory, &options(&args.store)?)?;
    if args.json {
        return print_json(&found);
    }
    found
        .iter()
        .try_for_each(|f| show_orphans(f, "no checkpoint names"))
}

fn gc(args: &GcArgs) -> Result<()> {
    let folder = &args.folder;
    let done = inspect::gc(
        &folder.directory,
        &options(&folder.store)?,
        args.dry_run,
        args.force,
    )?;
    if folder.json {
        return print_json(&done);
    }
    let what = if args.dry_run {
        "would be removed"
    } else {
        "removed"
    };
    done.iter().try_for_each(|c| show_orphans(&c.found, what))
}

fn show_orphans(found: &Orphans, what: &str) -> Result<()> {
    heading(&found.path, found.owner.as_deref());
    if let Some(checkpoint) = &found.unreadable {
        complain(&format!(
            "files in shared/ are left out: {checkpoint} may name them, and its metadata can't be read"
        ));
    }
    if !found.orphans.is_empty() {
        let mut rows = table(&["SIZE", "PATH"]);
        for orphan in &found.orphans {
            rows.add_row([right(units::bytes(orphan.bytes)), Cell::new(&orphan.path)]);
        }
        print(rows.trim_fmt())?;
    }
    let bytes = units::bytes(found.orphans.iter().map(|o| o.bytes).sum());
    complain(&format!("{what}: {} files, {bytes}", found.orphans.len()));
    Ok(())
}

fn heading(path: &str, owner: Option<&str>) {
    match owner {
        Some(owner) => complain(&format!("{path} (owned by {owner})")),
        None => complain(path),
    }
}

fn right(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn options(store: &StoreArgs) -> Result<StorageOptions> {
    let mut configuration = Configuration::new();
    for definition in &store.define {
        if let Some((key, value)) = definition.split_once('=') {
            configuration.set(key.trim(), value.trim());
        }
    }
    StorageOptions::from_configuration(&configuration)
}
