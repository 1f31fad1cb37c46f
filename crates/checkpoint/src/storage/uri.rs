//! Where a person says that checkpoints lie: a plain path or a `file:` URI now, other schemes refused by name.

use millpond_core::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

/// Reads a location into an absolute path of the local file system.
///
/// Like Flink's `Path`, a `file:` URI is taken as text: `%20` is three characters, not a space.
pub(crate) fn local_path(operation: &'static str, text: &str) -> Result<PathBuf> {
    let path = match split_scheme(text) {
        None => text,
        Some(("file", rest)) => match rest.strip_prefix("//") {
            None => rest,
            Some(after) if after.starts_with('/') => after,
            Some(after) => after
                .strip_prefix("localhost")
                .filter(|p| p.starts_with('/'))
                .ok_or_else(|| {
                    Error::config(operation, "a file: location names another host")
                        .with("location", text)
                        .hint("write file:///absolute/path or a plain path")
                })?,
        },
        Some((scheme, _)) => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                operation,
                "this file system is not available in this build",
            )
            .with("scheme", scheme)
            .with("location", text)
            .hint("use a plain path or file:///path; a mounted network folder works as well"));
        }
    };
    if path.is_empty() {
        return Err(Error::config(operation, "the location is empty")
            .with("location", format!("{text:?}"))
            .hint("give the path of a folder"));
    }
    std::path::absolute(path).map_err(|e| Error::io(operation, e).with("location", text))
}

/// A path as Flink writes it into `_metadata`: `file:/folder/name`, characters as they are.
pub(crate) fn to_uri(path: &Path) -> String {
    format!("file:{}", path.display())
}

/// Splits `scheme:rest` if the text opens with a URI scheme. One letter is a Windows drive.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let mut chars = scheme.chars();
    let is_scheme = scheme.len() > 1
        && chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_scheme.then_some((scheme, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_and_file_uris_name_the_same_folder() {
        for text in ["/a/b", "file:/a/b", "file:///a/b", "file://localhost/a/b"] {
            assert_eq!(local_path("open", text).unwrap(), PathBuf::from("/a/b"), "{text}");
        }
        assert!(local_path("open", "a:b/c").unwrap().ends_with("a:b/c"));
        assert_eq!(
            local_path("open", &to_uri(Path::new("/x y/%20"))).unwrap(),
            PathBuf::from("/x y/%20")
        );
    }

    #[test]
    fn other_schemes_hosts_and_nothing_are_refused_with_a_way_out() {
        let s3 = local_path("open", "s3://bucket/x").unwrap_err();
        assert_eq!(
            (s3.kind(), s3.context("scheme")),
            (ErrorKind::Unsupported, Some("s3"))
        );
        assert_eq!(
            local_path("open", "file://host/x").unwrap_err().kind(),
            ErrorKind::Config
        );
        assert_eq!(local_path("open", "").unwrap_err().kind(), ErrorKind::Config);
    }
}
