//! What a store's errors mean to the person who reads them.

use millpond_core::{Error, ErrorKind};
use std::io;

/// Turns a store's error into ours, with the operating system's or the store's reason where there is one.
pub(crate) fn store_error(operation: &'static str, path: &str, error: object_store::Error) -> Error {
    use object_store::Error as Store;
    let reason = io_kind(&error);
    let ours = if let Some((message, hint)) = said_by_store(&error) {
        Error::new(ErrorKind::Io, operation, message)
            .source(error)
            .hint(hint)
    } else {
        match (&error, reason) {
            (Store::NotFound { .. }, _) => {
                Error::new(ErrorKind::NotFound, operation, "no such file").source(error)
            }
            (Store::AlreadyExists { .. }, _) => {
                Error::illegal_state(operation, "the file exists already and is never overwritten")
                    .source(error)
            }
            (Store::NotImplemented { .. } | Store::NotSupported { .. }, _) => {
                Error::new(ErrorKind::Unsupported, operation, "the storage cannot do this").source(error)
            }
            (_, Some(kind)) => {
                // `Error::io` words the message by the kind; the store's own error stays as the source.
                Error::io(operation, io::Error::new(kind, error)).hint(next_step(kind))
            }
            (_, None) => Error::new(ErrorKind::Io, operation, "the storage failed")
                .source(error)
                .hint("check the storage and try again"),
        }
    };
    ours.with("path", path)
}

fn next_step(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free space or point the option at another disk"
        }
        io::ErrorKind::NotADirectory => "a part of the path is a file; choose another folder",
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::NotConnected
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::TimedOut => {
            "nothing is lost: check that the store runs and that its address is right, then try again"
        }
        _ => "check that the folder exists and that this process may write it",
    }
}

/// What stores say in words only, made plain: the message, and what to do.
fn said_by_store(error: &object_store::Error) -> Option<(&'static str, &'static str)> {
    use object_store::Error as Store;
    if matches!(error, Store::AlreadyExists { .. } | Store::Precondition { .. }) {
        return None;
    }
    if is_no_such_bucket(error) {
        return Some(("no such bucket", "create it, or check the name and the endpoint"));
    }
    let text = chain(error);
    let says = |words: &[&str]| words.iter().any(|w| text.contains(w));
    if says(&["SafeModeException"]) {
        return Some((
            "the name node is in safe mode",
            "nothing is lost: wait until it has left it, or hdfs dfsadmin -safemode leave",
        ));
    }
    if says(&["DSQuotaExceededException", "NSQuotaExceededException"]) {
        return Some(("the folder's quota is used up", "free space or raise the quota"));
    }
    if says(&["AccessControlException"]) {
        return Some((
            "permission denied",
            "check the folder's owner and mode, and the user (HADOOP_USER_NAME)",
        ));
    }
    if says(&["InvalidAccessKeyId", "SignatureDoesNotMatch"])
        || matches!(error, Store::Unauthenticated { .. })
    {
        return Some((
            "the store does not know these credentials",
            "check s3.access-key and s3.secret-key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ));
    }
    if matches!(error, Store::PermissionDenied { .. }) && !says(&["os error"]) {
        return Some((
            "permission denied",
            "check the credentials, and that they may list, read, write and delete there",
        ));
    }
    if says(&["could only be written to 0 of the"]) {
        return Some((
            "HDFS has no data node with room",
            "check that data nodes run and have free space, then try again",
        ));
    }
    None
}

/// Whether a store has no such bucket: of one that is missing, a listing must not say that it is empty.
pub(super) fn is_no_such_bucket(error: &object_store::Error) -> bool {
    chain(error).contains("NoSuchBucket")
}

/// The error with all its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(c) = cause {
        text.push_str(": ");
        text.push_str(&c.to_string());
        cause = c.source();
    }
    text
}

/// The operating system's reason behind an error.
pub(super) fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<io::ErrorKind> {
    let mut cause = Some(error);
    while let Some(c) = cause {
        if let Some(io) = c.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        cause = c.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic {
            store: "S3",
            source: text.into(),
        }
    }

    #[test]
    fn what_stores_say_is_made_plain_with_a_next_step() {
        for (said, message) in [
            ("404 <Error><Code>NoSuchBucket</Code></Error>", "no such bucket"),
            (
                "403 <Code>SignatureDoesNotMatch</Code>",
                "does not know these credentials",
            ),
            (
                "org.apache.hadoop.hdfs.server.namenode.SafeModeException",
                "safe mode",
            ),
            (
                "org.apache.hadoop.hdfs.protocol.DSQuotaExceededException",
                "quota",
            ),
            (
                "org.apache.hadoop.security.AccessControlException",
                "permission denied",
            ),
        ] {
            let error = store_error("write file", "s3://b/x", generic(said));
            assert_eq!(error.kind(), ErrorKind::Io, "{error}");
            let text = error.to_string();
            assert!(
                text.contains(message) && text.contains("path=s3://b/x") && text.contains('('),
                "{text}"
            );
        }
    }

    #[test]
    fn a_store_that_is_away_is_told_from_a_folder_that_is_wrong() {
        let away = object_store::Error::Generic {
            store: "S3",
            source: Box::new(io::Error::from(io::ErrorKind::ConnectionRefused)),
        };
        let text = store_error("read file", "s3://b/x", away).to_string();
        assert!(
            text.contains("connection refused") && text.contains("nothing is lost"),
            "{text}"
        );
    }
}
