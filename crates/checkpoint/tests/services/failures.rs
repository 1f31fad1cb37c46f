//! Stores that aren't there, or not for us: the message names the place and the next step, and a job takes none for an empty one.

use crate::kit::{files_under, job};
use crate::{Server, s3_options, variable};
use millpond_checkpoint::savepoint::load_savepoint_with;
use millpond_checkpoint::storage::{FileSystemCheckpointStorage, StorageOptions};
use millpond_core::{Error, ErrorKind};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as StorePath;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use std::path::Path;
use std::sync::Arc;

fn refused(location: &str, options: &StorageOptions, says: &[&str]) {
    let open = FileSystemCheckpointStorage::open(location, job(), options.clone()).unwrap_err();
    let load = load_savepoint_with(&format!("{location}/savepoint-1"), options).unwrap_err();
    let check = |error: Error, says: &[&str]| {
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Io, "{}", error.report());
        assert!(
            error.context("path").is_some_and(|p| p.contains(location)),
            "{text}"
        );
        for words in says {
            assert!(
                text.contains(words),
                "{words:?} is missing in: {}",
                error.report()
            );
        }
    };
    check(open, says);
    assert_ne!(load.kind(), ErrorKind::NotFound, "{}", load.report());
}

#[test]
fn a_bucket_that_is_missing_is_not_an_empty_one() {
    refused(
        "s3://there-is-no-such-bucket/x",
        &s3_options(&[]),
        &["no such bucket", "create it"],
    );
}

#[test]
fn wrong_credentials_are_said_to_be_wrong() {
    let base = format!("s3://{}/x", variable("MILLPOND_S3_BUCKET"));
    for (key, secret) in [
        ("nobody", "nothing"),
        (variable("AWS_ACCESS_KEY_ID").as_str(), "wrong"),
    ] {
        let options = s3_options(&[("s3.access-key", key), ("s3.secret-key", secret)]);
        refused(&base, &options, &["credentials", "s3.secret-key"]);
    }
}

#[test]
fn stores_that_are_away_are_said_to_be_away() {
    // Method: ports on which nobody listens.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let options = s3_options(&[
        ("s3.endpoint", &format!("http://{free}")),
        ("s3.attempts.maximum", "2"),
    ]);
    refused(
        "s3://bucket/x",
        &options,
        &["connection refused", "nothing is lost"],
    );
    // Hadoop's default is to go on trying for minutes.
    let conf = tempfile::tempdir().unwrap();
    let once = "<configuration><property><name>dfs.client.failover.max.attempts</name><value>1</value></property></configuration>";
    std::fs::write(conf.path().join("hdfs-site.xml"), once).unwrap();
    let options = s3_options(&[("env.hadoop.conf.dir", &conf.path().display().to_string())]);
    let name_node = format!("hdfs://{free}/x");
    refused(&name_node, &options, &["connection refused", "nothing is lost"]);
}

/// The store beside the storage under test, for what only an administrator does.
pub struct RawStore {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    runtime: tokio::runtime::Runtime,
}

impl RawStore {
    pub fn of(server: &Server) -> RawStore {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let _entered = runtime.enter();
        let (scheme, rest) = server.base.split_once("://").unwrap();
        let (authority, prefix) = rest.split_once('/').unwrap();
        let store: Arc<dyn ObjectStore> = match scheme {
            "s3" => Arc::new(
                AmazonS3Builder::from_env()
                    .with_bucket_name(authority)
                    .with_endpoint(variable("MILLPOND_S3_ENDPOINT"))
                    .with_allow_http(true)
                    .build()
                    .unwrap(),
            ),
            _ => Arc::new(
                hdfs_native_object_store::HdfsObjectStoreBuilder::new()
                    .with_url(format!("hdfs://{authority}"))
                    .build()
                    .unwrap(),
            ),
        };
        let prefix = prefix.to_string();
        drop(_entered);
        RawStore {
            store,
            prefix,
            runtime,
        }
    }

    /// Copies a local folder into the test's.
    pub fn upload(&self, folder: &Path) {
        for name in files_under(folder) {
            let bytes = std::fs::read(folder.join(&name)).unwrap();
            let to = StorePath::from(format!("{}/{name}", self.prefix));
            let put = self.store.put(&to, PutPayload::from(bytes));
            self.runtime.block_on(put).unwrap();
        }
    }
}
