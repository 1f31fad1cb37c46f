//! Where a person says that checkpoints lie: a plain path, a `file:` URI, or a URI of S3 or HDFS.

use millpond_core::{Error, ErrorKind, Result};
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// A place on some file system, the file system's name apart from the path on it. Flink's `Path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// An absolute path of the local file system.
    Local(PathBuf),
    /// A path on a store that is reached over the network.
    Remote(RemoteLocation),
}

/// A path on a store that is reached over the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoteLocation {
    /// As it was written: `s3`, `s3a`, `hdfs`.
    pub(crate) scheme: String,
    /// The bucket, or host and port of the name node (or the name of a name service; empty: the default of Hadoop's
    /// configuration).
    pub(crate) authority: String,
    /// Names separated by single slashes, without one at either end. Empty: the root.
    pub(crate) path: String,
}

/// What speaks to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    S3,
    Hdfs,
}

impl RemoteLocation {
    pub(crate) fn protocol(&self) -> Protocol {
        match self.scheme.as_str() {
            "hdfs" => Protocol::Hdfs,
            _ => Protocol::S3,
        }
    }
    /// `s3://bucket`: what one connection serves.
    pub(crate) fn root(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }
    fn child(&self, name: &str) -> Self {
        let path = match self.path.as_str() {
            "" => name.to_string(),
            path => format!("{path}/{name}"),
        };
        RemoteLocation { path, ..self.clone() }
    }
}

impl fmt::Display for RemoteLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root())?;
        match self.path.as_str() {
            "" => Ok(()),
            path => write!(f, "/{path}"),
        }
    }
}

impl Location {
    /// Reads what a person or a handle says. Like Flink's `Path`, a URI is taken as text: `%20` is three characters.
    ///
    /// # Errors
    /// Config when it is empty, names no bucket, another host's files, or leads back up; Unsupported for another scheme.
    pub(crate) fn parse(operation: &'static str, text: &str) -> Result<Location> {
        match split_scheme(text) {
            None => local(operation, text, text),
            Some(("file", rest)) => local(operation, text, after_file(operation, text, rest)?),
            Some((scheme, rest)) => {
                let scheme = scheme.to_ascii_lowercase();
                if !matches!(scheme.as_str(), "s3" | "s3a" | "s3n" | "s3p" | "hdfs") {
                    return Err(unknown_scheme(operation, text, &scheme));
                }
                remote(operation, text, scheme, rest).map(Location::Remote)
            }
        }
    }

    /// As [`Location::parse`], for a file: the folder that it lies in, and its name there.
    ///
    /// # Errors
    /// As [`Location::parse`]; Config when no file is named.
    pub(crate) fn parse_file(operation: &'static str, text: &str) -> Result<(Location, String)> {
        let nothing = || Error::config(operation, "the location names no file").with("location", text);
        match Self::parse(operation, text)? {
            Location::Local(path) => {
                if path.components().any(|c| c == Component::ParentDir) {
                    return Err(leads_up(operation, text));
                }
                let name = path.file_name().and_then(|n| n.to_str()).ok_or_else(nothing)?;
                let parent = path.parent().unwrap_or(Path::new("/"));
                Ok((Location::Local(parent.to_path_buf()), name.to_string()))
            }
            Location::Remote(remote) => {
                let (parent, name) = match remote.path.rsplit_once('/') {
                    Some((parent, name)) => (parent.to_string(), name.to_string()),
                    None if !remote.path.is_empty() => (String::new(), remote.path.clone()),
                    None => return Err(nothing()),
                };
                Ok((
                    Location::Remote(RemoteLocation {
                        path: parent,
                        ..remote
                    }),
                    name,
                ))
            }
        }
    }

    /// The place of `name` in this folder.
    pub(crate) fn child(&self, name: &str) -> Location {
        match self {
            Location::Local(path) => Location::Local(path.join(name)),
            Location::Remote(remote) => Location::Remote(remote.child(name)),
        }
    }

    /// The folder around it, and its own name; `None` at the root.
    pub(crate) fn split(&self) -> Option<(Location, String)> {
        match self {
            Location::Local(path) => {
                let name = path.file_name()?.to_str()?.to_string();
                Some((Location::Local(path.parent()?.to_path_buf()), name))
            }
            Location::Remote(remote) if remote.path.is_empty() => None,
            Location::Remote(remote) => {
                let (parent, name) = remote.path.rsplit_once('/').unwrap_or(("", &remote.path));
                let around = RemoteLocation {
                    path: parent.to_string(),
                    ..remote.clone()
                };
                Some((Location::Remote(around), name.to_string()))
            }
        }
    }

    /// As Flink writes it into `_metadata`: `file:/folder/name`, `s3://bucket/name`, characters as they are.
    pub(crate) fn uri(&self) -> String {
        match self {
            Location::Local(path) => format!("file:{}", path.display()),
            Location::Remote(remote) => remote.to_string(),
        }
    }
}

/// As a person reads it: a local path without a scheme.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Local(path) => write!(f, "{}", path.display()),
            Location::Remote(remote) => remote.fmt(f),
        }
    }
}

fn after_file<'a>(operation: &'static str, text: &str, rest: &'a str) -> Result<&'a str> {
    match rest.strip_prefix("//") {
        None => Ok(rest),
        Some(after) if after.starts_with('/') => Ok(after),
        Some(after) => after
            .strip_prefix("localhost")
            .filter(|p| p.starts_with('/'))
            .ok_or_else(|| {
                Error::config(operation, "a file: location names another host")
                    .with("location", text)
                    .hint("write file:///absolute/path or a plain path")
            }),
    }
}

fn local(operation: &'static str, text: &str, path: &str) -> Result<Location> {
    if path.is_empty() {
        return Err(Error::config(operation, "the location is empty")
            .with("location", format!("{text:?}"))
            .hint("give the path of a folder"));
    }
    std::path::absolute(path)
        .map(Location::Local)
        .map_err(|e| Error::io(operation, e).with("location", text))
}

fn remote(operation: &'static str, text: &str, scheme: String, rest: &str) -> Result<RemoteLocation> {
    let bad = |why: &str, hint: &str| Error::config(operation, why).with("location", text).hint(hint);
    let form = if scheme == "hdfs" {
        "hdfs://namenode:8020/path"
    } else {
        "s3://bucket/path"
    };
    let rest = rest
        .strip_prefix("//")
        .ok_or_else(|| bad("the location is not complete", &format!("write {form}")))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.is_empty() && scheme != "hdfs" {
        return Err(bad("the location names no bucket", &format!("write {form}")));
    }
    let mut names = Vec::new();
    for name in path.split('/').filter(|n| !n.is_empty()) {
        match name {
            "." => {}
            ".." => return Err(leads_up(operation, text)),
            name => names.push(name),
        }
    }
    Ok(RemoteLocation {
        scheme,
        authority: authority.to_string(),
        path: names.join("/"),
    })
}

fn leads_up(operation: &'static str, text: &str) -> Error {
    Error::config(operation, "the path leads back up").with("location", text)
}

fn unknown_scheme(operation: &'static str, text: &str, scheme: &str) -> Error {
    Error::new(ErrorKind::Unsupported, operation, "no such file system here")
        .with("scheme", scheme)
        .with("location", text)
        .hint("use a plain path, file:///path, s3://bucket/path or hdfs://namenode:port/path")
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

    fn parsed(text: &str) -> Location {
        Location::parse("open", text).unwrap()
    }

    #[test]
    fn plain_paths_and_file_uris_name_the_same_folder() {
        for text in ["/a/b", "file:/a/b", "file:///a/b", "file://localhost/a/b"] {
            assert_eq!(parsed(text), Location::Local(PathBuf::from("/a/b")), "{text}");
        }
        assert!(parsed("a:b/c").to_string().ends_with("a:b/c"));
        let odd = Location::Local(PathBuf::from("/x y/%20"));
        assert_eq!(parsed(&odd.uri()), odd);
    }

    #[test]
    fn remote_uris_are_taken_apart_and_put_together() {
        for (text, root, path) in [
            ("s3://bucket", "s3://bucket", ""),
            ("s3a://bucket/", "s3a://bucket", ""),
            ("S3://bucket/a//b/./c/", "s3://bucket", "a/b/c"),
            ("hdfs://host:8020/x y/%20", "hdfs://host:8020", "x y/%20"),
            ("hdfs:///a", "hdfs://", "a"),
        ] {
            let Location::Remote(remote) = parsed(text) else {
                panic!("{text}")
            };
            assert_eq!(
                (remote.root().as_str(), remote.path.as_str()),
                (root, path),
                "{text}"
            );
            let again = Location::Remote(remote.clone());
            assert_eq!(parsed(&again.uri()), again, "{text}");
            assert_eq!(
                again.child("z").split(),
                Some((again.clone(), "z".to_string())),
                "{text}"
            );
            assert_eq!(
                Location::parse_file("open", &again.child("z").uri()).unwrap(),
                (again, "z".to_string()),
                "{text}"
            );
        }
        assert_eq!(parsed("s3://bucket").split(), None);
    }

    #[test]
    fn other_schemes_hosts_and_nothing_are_refused_with_a_way_out() {
        let error = |text: &str| Location::parse("open", text).unwrap_err();
        let gs = error("gs://bucket/x");
        assert_eq!(
            (gs.kind(), gs.context("scheme")),
            (ErrorKind::Unsupported, Some("gs"))
        );
        assert!(gs.to_string().contains("s3://bucket/path"), "{gs}");
        for text in [
            "file://host/x",
            "",
            "s3:bucket/x",
            "s3:///x",
            "s3://bucket/a/../b",
            "hdfs:/x",
        ] {
            assert_eq!(error(text).kind(), ErrorKind::Config, "{text}");
        }
        assert!(Location::parse_file("open", "s3://bucket").is_err());
    }
}
