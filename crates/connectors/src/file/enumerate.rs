//! From the paths that a person gave to splits: lists folders, cuts plain files into ranges.

use super::compression::{self, Compression};
use super::split::{FileSplit, fingerprint};
use millpond_core::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

/// How many names of a folder are compared with one that was not found.
const NAMES_COMPARED_MAX: usize = 10_000;
const NAMES_SHOWN_MAX: usize = 3;

/// What to cut files by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cutting {
    /// No range is longer than this; `None`: files stay whole.
    pub range_bytes_max: Option<u64>,
    /// In place of what the extension says.
    pub compression: Option<Compression>,
}

/// The files that `paths` name, in order: a file stands for itself, a folder for the files in it by name.
pub(crate) fn list_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        let meta = std::fs::metadata(path).map_err(|e| {
            if e.kind() == std::io::ErrorKind::NotFound {
                not_found(path)
            } else {
                Error::io("look at input", e).with("path", path.display())
            }
        })?;
        if meta.is_dir() {
            let inside = list_folder(path)?;
            if inside.is_empty() {
                tracing::warn!(path = %path.display(), "the input folder holds no files");
            }
            files.extend(inside);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

/// The files of a folder, sorted by name, without folders and without what is hidden (`.x`) or set aside (`_x`).
fn list_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| Error::io("list folder", e).with("path", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let hidden = entry.file_name().to_string_lossy().starts_with(['.', '_']);
        // Asked of the path, not of the entry: a link to a file is a file.
        if !hidden && entry.path().is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// The splits of `files`, in their order.
pub(crate) fn cut_files(files: &[PathBuf], cutting: Cutting) -> Result<Vec<FileSplit>> {
    let mut splits = Vec::new();
    for path in files {
        let text = path.to_str().ok_or_else(|| {
            Error::config(
                "enumerate files",
                "the path is not valid UTF-8 and so cannot stand in a checkpoint",
            )
            .with("path", path.display())
            .hint("rename the file")
        })?;
        let mut file = compression::open(text)?;
        let failed = |e| Error::io("read file", e).with("path", text);
        let length = file.metadata().map_err(failed)?.len();
        let file_length = i64::try_from(length)
            .map_err(|_| Error::config("enumerate files", "the file is too long").with("path", text))?;
        let whole = FileSplit {
            ordinal: 0,
            path: text.to_string(),
            range_start: 0,
            range_end: -1,
            file_length,
            fingerprint: fingerprint(&mut file, length).map_err(failed)?,
            position: -1,
            line: 0,
        };
        let plain = cutting.compression.unwrap_or_else(|| Compression::of_path(path)) == Compression::None;
        let ranges = if plain {
            cut(file_length, cutting.range_bytes_max)
        } else {
            vec![(0, -1)]
        };
        for (range_start, range_end) in ranges {
            splits.push(FileSplit {
                ordinal: i64::try_from(splits.len()).unwrap_or(i64::MAX),
                range_start,
                range_end,
                ..whole.clone()
            });
        }
    }
    Ok(splits)
}

/// Ranges of nearly equal length, none longer than `range_bytes_max`.
fn cut(length: i64, range_bytes_max: Option<u64>) -> Vec<(i64, i64)> {
    let max = i64::try_from(range_bytes_max.unwrap_or(u64::MAX))
        .unwrap_or(i64::MAX)
        .max(1);
    let count = (i128::from(length) + i128::from(max) - 1) / i128::from(max);
    let bound = |i: i128| i64::try_from(i128::from(length) * i / count.max(1)).unwrap_or(length);
    (0..count.max(1))
        .map(|i| (bound(i), if i + 1 >= count { length } else { bound(i + 1) }))
        .collect()
}

/// The error for an input that isn't there, with names that look like it.
pub(crate) fn not_found(path: &Path) -> Error {
    let e =
        Error::new(ErrorKind::NotFound, "open input", "no such file or folder").with("path", path.display());
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return e.hint(format!("its folder {} doesn't exist either", folder.display()));
    }
    let similar = similar_names(folder, &path.file_name().unwrap_or_default().to_string_lossy());
    if similar.is_empty() {
        return e;
    }
    e.hint(format!(
        "similar names in {}: {}",
        folder.display(),
        similar.join(", ")
    ))
}

fn similar_names(folder: &Path, wanted: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let limit = (wanted.chars().count() / 3).max(2);
    let mut found: Vec<(usize, String)> = entries
        .take(NAMES_COMPARED_MAX)
        .filter_map(|e| Some(e.ok()?.file_name().to_string_lossy().into_owned()))
        .filter_map(|name| {
            let near = name.starts_with(wanted) || wanted.starts_with(&name);
            let distance = edit_distance(wanted, &name);
            (near || distance <= limit).then_some((distance, name))
        })
        .collect();
    found.sort();
    found
        .into_iter()
        .take(NAMES_SHOWN_MAX)
        .map(|(_, name)| name)
        .collect()
}

/// Levenshtein's distance, upper and lower case being the same.
fn edit_distance(a: &str, b: &str) -> usize {
    strsim::levenshtein(&a.to_lowercase(), &b.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_whole_and_short_enough() {
        for length in [0, 1, 9, 10, 11, 1000] {
            for max in [1, 3, 10, 5000] {
                let ranges = cut(length, Some(max));
                assert_eq!(ranges.first().unwrap().0, 0);
                assert_eq!(ranges.last().unwrap().1, length);
                assert!(ranges.windows(2).all(|w| w[0].1 == w[1].0));
                assert!(ranges.iter().all(|(a, b)| b - a <= i64::try_from(max).unwrap()));
            }
        }
        assert_eq!(cut(1000, None), [(0, 1000)]);
    }

    #[test]
    fn edit_distance_counts_edits() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("abc", ""), 3);
        assert_eq!(edit_distance("Flights.csv", "flights.csv"), 0);
    }
}
