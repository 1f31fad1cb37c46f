//! The registry: entries of jobs that run, died, or never were.

use crate::Running;
use millpond_core::ErrorKind;
use millpond_rest::client::{find, list};
use millpond_rest::registry::{Entry, Registry};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

fn forge(registry: &Registry, name: &str, entry: &Entry) -> PathBuf {
    let path = registry.folder().join(name);
    fs::write(&path, serde_json::to_vec(entry).unwrap()).unwrap();
    path
}

/// From the entry to the job: written with the server, telling the truth, gone with the server, private to the user.
#[test]
fn a_job_is_found_while_its_server_runs() {
    let mut job = Running::start("findable");
    let registry = job.registry();
    let mode = fs::metadata(registry.folder()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let found = find(&registry, "findable").unwrap();
    assert_eq!(found.client.job_id(), job.handle.job_id());
    assert_eq!(found.entry.pid, std::process::id());
    assert_eq!(found.entry.start_ms, job.handle.details().start_ms);
    assert_eq!(found.summary.unwrap().state, "RUNNING");
    let id = job.handle.job_id().to_string();
    assert_eq!(find(&registry, &id[..7]).unwrap().client.address(), job.address());
    assert_eq!(
        fs::read_dir(registry.folder()).unwrap().count(),
        1,
        "no drafts stay behind"
    );

    drop(job.server.take());
    assert!(list(&registry).unwrap().is_empty());
    assert_eq!(fs::read_dir(registry.folder()).unwrap().count(), 0);
    assert_eq!(
        find(&registry, "findable").unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

/// A process that was killed leaves its entry: nobody answers there, or somebody else does.
#[test]
fn entries_of_dead_jobs_are_cleared_away_and_live_ones_stay() {
    let job = Running::start("alive");
    let registry = job.registry();
    let truth = registry.entries().unwrap().remove(0).1;
    let refusing = {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap();
        closed.local_addr().unwrap().to_string()
    };
    // Accepts and never answers, as a program that got the port would.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mute_address = mute.local_addr().unwrap().to_string();
    let entry = |id: &str, address: &str, pid: u32| Entry {
        job_id: id.repeat(32),
        name: "dead".to_string(),
        pid,
        address: address.to_string(),
        start_ms: 0,
    };
    let dead = [
        forge(&registry, "refused.json", &entry("a", &refusing, truth.pid)),
        forge(
            &registry,
            "another-job.json",
            &entry("b", &truth.address, truth.pid),
        ),
        forge(
            &registry,
            "mute-and-dead.json",
            &entry("c", &mute_address, i32::MAX as u32),
        ),
        forge(
            &registry,
            "elsewhere.json",
            &entry("d", "192.0.2.1:80", truth.pid),
        ),
        forge(&registry, "no-address.json", &entry("e", "nowhere", truth.pid)),
        forge(&registry, "no-id.json", &entry("x", &truth.address, truth.pid)),
    ];
    let hung = forge(
        &registry,
        "mute-but-alive.json",
        &entry("f", &mute_address, truth.pid),
    );

    let found = list(&registry).unwrap();
    let names: Vec<(&str, bool)> = found
        .iter()
        .map(|j| (j.entry.name.as_str(), j.summary.is_some()))
        .collect();
    assert_eq!(
        names,
        [("alive", true), ("dead", false)],
        "the hung one is listed as not answering"
    );
    for path in &dead {
        assert!(!path.exists(), "{}", path.display());
    }
    assert!(hung.exists());
}

/// Files that are no entries are passed over, whatever is in them; they are not ours to delete.
#[test]
fn files_that_are_no_entries_are_left_alone() {
    let job = Running::start("among others");
    let registry = job.registry();
    let others: [(&str, Vec<u8>); 5] = [
        ("empty.json", Vec::new()),
        ("half.json", b"{\"job-id\": \"".to_vec()),
        ("binary.json", vec![0xff; 100]),
        ("long.json", vec![b' '; 200_000]),
        ("draft.part", b"{}".to_vec()),
    ];
    for (name, content) in &others {
        fs::write(registry.folder().join(name), content).unwrap();
    }
    fs::create_dir(registry.folder().join("folder.json")).unwrap();
    assert_eq!(list(&registry).unwrap().len(), 1);
    for (name, _) in &others {
        assert!(registry.folder().join(name).exists(), "{name}");
    }
}

/// In a folder for everybody, somebody else could write entries: such a folder is refused, by writer and reader.
#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("jobs");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let registry = Registry::at(&folder);
    let error = list(&registry).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("MILLPOND_HOME"), "{error}");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(list(&registry).unwrap().is_empty());
    let link = parent.path().join("link");
    std::os::unix::fs::symlink(&folder, &link).unwrap();
    assert_eq!(list(&Registry::at(link)).unwrap_err().kind(), ErrorKind::Config);
    assert!(
        list(&Registry::at(parent.path().join("absent")))
            .unwrap()
            .is_empty()
    );
}
