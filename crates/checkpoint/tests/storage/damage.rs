//! Damaged, missing and half-written files: each is noticed and named, and the next older checkpoint is used.

use crate::kit::{Kit, content, copy_folder, files_under, full, read_all, text};
use millpond_checkpoint::recovery::Recovered;
use millpond_core::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Changes one file and returns what to put back.
fn damage(path: &Path, how: &str) -> Vec<u8> {
    let before = std::fs::read(path).unwrap();
    let mut after = before.clone();
    let middle = after.len() / 2;
    match how {
        "flip" => after[middle] ^= 0x10,
        "flip first" => after[0] ^= 1,
        "flip last" => *after.last_mut().unwrap() ^= 0x80,
        "shorten" => drop(after.pop()),
        "lengthen" => after.push(0),
        "empty" => after.clear(),
        _ => {}
    }
    match how {
        "remove" => std::fs::remove_file(path).unwrap(),
        _ => std::fs::write(path, after).unwrap(),
    }
    before
}

#[test]
fn every_damage_to_every_file_is_named_and_the_older_checkpoint_is_used() {
    // Method: checkpoint 1 is whole; each file that checkpoint 2 alone depends on is damaged in turn in each way.
    let kit = Kit::new();
    kit.checkpoint(1);
    kit.incremental(2, &[]);
    let own: Vec<String> = kit
        .files()
        .into_iter()
        .filter(|n| !n.starts_with("chk-1/"))
        .collect();
    assert_eq!(
        own.len(),
        4,
        "metadata, checksums, a private and a shared file: {own:?}"
    );
    for name in own {
        for how in [
            "flip",
            "flip first",
            "flip last",
            "shorten",
            "lengthen",
            "empty",
            "remove",
        ] {
            let removed_means_otherwise = how == "remove" && name.starts_with("chk-2/_");
            if removed_means_otherwise {
                continue;
            }
            let path = kit.job_dir().join(&name);
            let before = damage(&path, how);
            let found = kit.storage.find_latest_intact().unwrap();
            std::fs::write(&path, before).unwrap();
            let case = format!("{how} {name}");
            assert_eq!(found.latest.map(|c| c.checkpoint_id()), Some(1), "{case}");
            assert_eq!(
                found.next_checkpoint_id, 3,
                "{case}: the damaged number is not used again"
            );
            let [skipped] = found.skipped.as_slice() else {
                panic!("{case}: {:?}", found.skipped)
            };
            assert_eq!(skipped.checkpoint_id, 2, "{case}");
            assert_eq!(
                skipped.error.context("path"),
                Some(text(&path).as_str()),
                "{case}: {}",
                skipped.error
            );
            assert!(
                skipped.error.context("checkpoint").unwrap().ends_with("chk-2"),
                "{case}"
            );
        }
    }
    assert_eq!(
        kit.storage
            .find_latest_intact()
            .unwrap()
            .latest
            .unwrap()
            .checkpoint_id(),
        2,
        "all was put back"
    );
}

#[test]
fn each_damaged_checkpoint_is_warned_of_exactly_once() {
    let kit = Kit::new();
    (1..=3).for_each(|id| drop(kit.checkpoint(id)));
    for id in [2, 3] {
        damage(&kit.job_dir().join(format!("chk-{id}/_metadata")), "flip");
    }
    let lines = Lines::default();
    let found =
        tracing::subscriber::with_default(lines.clone(), || kit.storage.find_latest_intact().unwrap());
    assert_eq!(found.latest.unwrap().checkpoint_id(), 1);
    let lines = lines.0.lock().unwrap();
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (line, id) in lines.iter().zip([3, 2]) {
        assert!(
            line.starts_with("WARN") && line.contains(&format!("chk-{id}/_metadata")),
            "{line}"
        );
    }
}

/// Keeps each event as `LEVEL field=value …`.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Lines {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0.push_str(&format!(" {field}={value:?}"));
            }
        }
        if event.metadata().target().starts_with("millpond") {
            let mut text = Text(event.metadata().level().to_string());
            event.record(&mut text);
            self.0.lock().unwrap().push(text.0);
        }
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn if_every_checkpoint_is_damaged_the_job_does_not_start() {
    let kit = Kit::new();
    (1..=2).for_each(|id| drop(kit.checkpoint(id)));
    for id in 1..=2 {
        damage(&kit.job_dir().join(format!("chk-{id}/_metadata")), "flip");
    }
    let error = kit.storage.find_latest_intact().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let said = error.to_string();
    for word in [
        "not started",
        "chk-1/_metadata",
        "chk-2/_metadata",
        "savepoint",
        "backup",
    ] {
        assert!(said.contains(word), "{word} is missing in: {said}");
    }
}

#[test]
fn without_any_checkpoint_the_job_starts_fresh() {
    let kit = Kit::new();
    let Recovered {
        latest,
        older,
        skipped,
        void,
        incomplete,
        next_checkpoint_id,
    } = kit.storage.find_latest_intact().unwrap();
    assert!(
        latest.is_none()
            && older.is_empty()
            && skipped.is_empty()
            && void.is_empty()
            && incomplete.is_empty()
    );
    assert_eq!(next_checkpoint_id, 1);
}

#[test]
fn a_checkpoint_without_metadata_never_was_one() {
    // Method: the process dies before the last step; all files are there, `_metadata` is not, or only its staging file is.
    let kit = Kit::new();
    kit.checkpoint(4);
    kit.incremental(6, &[]);
    let folder = kit.job_dir().join("chk-6");
    std::fs::rename(folder.join("_metadata"), folder.join("_metadata#1")).unwrap();
    let location = kit.storage.new_checkpoint(5).unwrap();
    full(&*location.stream_factory(), 5);
    let found = kit.storage.find_latest_intact().unwrap();
    assert_eq!(found.latest.as_ref().map(|c| c.checkpoint_id()), Some(4));
    assert_eq!(
        (
            found.incomplete.as_slice(),
            found.skipped.len(),
            found.next_checkpoint_id
        ),
        ([6, 5].as_slice(), 0, 7)
    );
    // The remains go away, with shared files that nobody names.
    kit.store(1).recover(&found);
    kit.storage.wait_for_deletions();
    assert!(
        kit.files().iter().all(|n| n.starts_with("chk-4/")),
        "{:?}",
        kit.files()
    );
    assert!(!folder.exists() && !kit.job_dir().join("chk-5").exists());
}

#[test]
fn a_folder_whose_metadata_belongs_to_another_checkpoint_is_damaged() {
    let kit = Kit::new();
    kit.checkpoint(1);
    copy_folder(&kit.job_dir().join("chk-1"), &kit.job_dir().join("chk-9"));
    let found = kit.storage.find_latest_intact().unwrap();
    assert_eq!(
        (
            found.latest.unwrap().checkpoint_id(),
            found.skipped[0].checkpoint_id
        ),
        (1, 9)
    );
}

#[test]
fn a_checkpoint_without_sidecar_is_read_unverified_and_its_lengths_are_checked() {
    // Goal: a checkpoint that Flink wrote can be used.
    let kit = Kit::new();
    kit.checkpoint(1);
    std::fs::remove_file(kit.job_dir().join("chk-1/_checksums")).unwrap();
    let found = kit.storage.find_latest_intact().unwrap().latest.unwrap();
    assert!(!found.is_verified());
    let state = kit.files().into_iter().find(|n| !n.contains("/_")).unwrap();
    damage(&kit.job_dir().join(state), "shorten");
    assert_eq!(
        kit.storage.find_latest_intact().unwrap_err().kind(),
        ErrorKind::Corrupt
    );
}

#[test]
fn a_relative_path_that_leads_out_of_the_checkpoint_is_refused() {
    // Method: a stranger's metadata names a file beside the checkpoint folder; no sidecar, as if Flink had written it.
    let kit = Kit::new();
    let (checkpoint, _) = kit.incremental(1, &[]);
    let folder = kit.job_dir().join("chk-1");
    let own = files_under(&folder)
        .into_iter()
        .find(|n| !n.starts_with('_'))
        .unwrap();
    let mut bytes = std::fs::read(folder.join("_metadata")).unwrap();
    let at = bytes
        .windows(own.len())
        .position(|w| w == own.as_bytes())
        .unwrap();
    bytes[at..at + 3].copy_from_slice(b"../");
    std::fs::write(folder.join("_metadata"), bytes).unwrap();
    std::fs::remove_file(folder.join("_checksums")).unwrap();
    let error = kit.storage.find_latest_intact().unwrap_err();
    assert!(
        error.to_string().contains("inside the checkpoint's folder"),
        "{error}"
    );
    drop(checkpoint);
}

#[test]
fn a_moved_job_folder_keeps_working_with_shared_files() {
    // Method: two incremental checkpoints share a file; the whole folder moves; the old place is gone.
    let mut kit = Kit::new();
    let (_, state) = kit.incremental(1, &[]);
    kit.incremental(2, &crate::kit::shared_of(&state));
    let moved = tempfile::tempdir().unwrap();
    copy_folder(kit.dir.path(), moved.path());
    std::fs::remove_dir_all(kit.job_dir()).unwrap();
    kit.dir = moved;
    kit.reopen();
    let found = kit.storage.find_latest_intact().unwrap();
    let latest = found.latest.as_ref().unwrap();
    assert_eq!((latest.checkpoint_id(), found.older.len()), (2, 1));
    assert_eq!(
        read_all(latest.location(), latest.metadata())[0],
        content(1, crate::kit::LARGE)
    );
    // What was restored may be named by later checkpoints, and is counted at its new place.
    let shared = crate::kit::shared_of(&latest.metadata().operators[0].subtasks[&0]);
    let mut store = kit.store(1);
    store.recover(&found);
    let (third, _) = kit.incremental(3, &shared);
    assert_eq!(store.add(third), [1, 2]);
    kit.storage.wait_for_deletions();
    let third = kit.storage.find_latest_intact().unwrap().latest.unwrap();
    assert_eq!(
        read_all(third.location(), third.metadata())[0],
        content(1, crate::kit::LARGE)
    );
}
