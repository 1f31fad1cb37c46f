//! The storage on real servers: S3 and HDFS, started by `make test-services`, which says where they are. Not built otherwise.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: a failure is a panic"
)]

mod failures;
#[path = "../storage/kit.rs"]
#[expect(dead_code, reason = "the suite on local folders uses the rest")]
mod kit;
mod suite;

use millpond_checkpoint::storage::StorageOptions;
use millpond_core::{Configuration, host};

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run this by `make test-services`"))
}

/// A folder of its own for each test, and how its store is reached.
struct Server {
    base: String,
    options: StorageOptions,
}

impl Server {
    fn s3() -> Server {
        let base = format!("s3://{}/{}", variable("MILLPOND_S3_BUCKET"), fresh());
        Server {
            base,
            options: s3_options(&[]),
        }
    }
    fn hdfs() -> Server {
        let base = format!(
            "{}/{}",
            variable("MILLPOND_HDFS_URI").trim_end_matches('/'),
            fresh()
        );
        Server {
            base,
            options: StorageOptions::default(),
        }
    }
}

fn fresh() -> String {
    format!("tests/{:016x}", host::entropy())
}

/// As a job's configuration gives them, credentials from the environment.
fn s3_options(more: &[(&str, &str)]) -> StorageOptions {
    let mut c = Configuration::new();
    c.set("s3.endpoint", variable("MILLPOND_S3_ENDPOINT"));
    c.set("s3.path.style.access", "true");
    c.set("execution.checkpointing.write-buffer-size", "5mb");
    for (key, value) in more {
        c.set(*key, *value);
    }
    StorageOptions::from_configuration(&c).unwrap()
}

/// Each test of the suite on each server.
macro_rules! on_each_server {
    ($($test:ident),* $(,)?) => {
        mod s3 {
            $(#[test] fn $test() { crate::suite::$test(&crate::Server::s3()); })*
        }
        mod hdfs {
            $(#[test] fn $test() { crate::suite::$test(&crate::Server::hdfs()); })*
        }
    };
}

on_each_server!(
    checkpoints_are_committed_found_read_and_subsumed,
    large_files_go_up_in_parts_and_a_dropped_stream_leaves_nothing,
    metadata_are_never_overwritten,
    an_owner_is_fenced_off_by_the_next,
    damage_orphans_and_their_removal,
    savepoints_go_to_and_come_from_another_file_system,
    a_moved_job_folder_still_opens,
    names_with_odd_characters_work,
);
