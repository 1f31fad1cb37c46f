//! Options and jobs that make no sense: refused before anything runs, with a text that says what to do.

use super::{count_into, environment, numbers};
use millpond_connectors::CollectSink;
use millpond_core::{Error, ErrorKind};

fn refused(key: &str, value: &str) -> Error {
    let env = environment(2);
    env.set_option(key, value);
    count_into(&numbers(&env, Some(10), 1000), &CollectSink::new());
    env.execute("refused").unwrap_err()
}

#[test]
fn parallelism_above_max_parallelism_is_refused_with_both_numbers() {
    let env = environment(5);
    env.set_max_parallelism(4);
    count_into(&numbers(&env, Some(10), 1000), &CollectSink::new());
    let e = env.execute("wide").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Config);
    assert!(e.to_string().contains('5') && e.to_string().contains('4'), "{e}");
    assert!(e.to_string().contains("max"), "{e}");
}

#[test]
fn a_checkpoint_folder_that_cannot_be_used_is_refused_at_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().join("checkpoints").display().to_string();
    let e = refused("execution.checkpointing.dir", &path);
    assert!(e.report().contains(&path), "{}", e.report());
    assert_eq!(
        refused("execution.checkpointing.dir", "ftp://bucket/x").kind(),
        ErrorKind::Unsupported
    );
}

#[test]
fn a_snapshot_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("savepoint-1").display().to_string();
    let e = refused("execution.state-recovery.path", &path);
    assert_eq!(e.kind(), ErrorKind::NotFound);
    assert!(e.report().contains("savepoint-1"), "{}", e.report());
}

#[test]
fn values_out_of_their_bounds_are_refused_by_key() {
    for (key, value) in [
        ("execution.checkpointing.interval", "soon"),
        ("restart-strategy.type", "hope"),
        ("state.backend.type", "disk"),
        ("execution.checkpointing.num-retained", "0"),
    ] {
        let e = refused(key, value);
        assert_eq!(e.kind(), ErrorKind::Config, "{key}: {e}");
        assert!(e.to_string().contains(key), "{e}");
    }
}
