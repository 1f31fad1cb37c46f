//! Ranges and positions: every record comes once, however files are cut and wherever a job goes on.

use super::{folder, write};
use crate::file::FileSource;
use crate::testing::{drain, poll, read_all, read_with_restore, readers};
use millpond_api::{Source, SourceReader};
use millpond_core::ErrorKind;
use proptest::prelude::*;

/// Numbered lines of differing lengths, some of them empty.
fn numbered(count: usize, line_end: &str) -> (String, Vec<String>) {
    let mut text = String::new();
    let mut lines = Vec::new();
    for i in 0..count {
        let line = if i % 7 == 3 {
            String::new()
        } else {
            format!("{i}{}", "x".repeat(i % 13))
        };
        text += &line;
        text += line_end;
        lines.push(line);
    }
    (text, lines)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Goal: ranges cover a file exactly once, in order, for any range size, line end and parallelism.
    /// Method: read in one piece by hand, compare with what the source reads range by range.
    #[test]
    fn ranges_cover_a_file_exactly_once(
        count in 0usize..60,
        range in 1u64..80,
        crlf in any::<bool>(),
        last_line_ends in any::<bool>(),
        parallelism in 1u32..4,
    ) {
        let dir = folder();
        let (mut text, mut lines) = numbered(count, if crlf { "\r\n" } else { "\n" });
        if !last_line_ends {
            text += "last";
            lines.push("last".to_string());
        }
        let path = write(dir.path(), "lines.txt", &text);
        let source = FileSource::text_lines(&path).split_bytes_max(range);
        let splits = source.create_splits(parallelism).unwrap();
        let mut in_order = Vec::new();
        for split in splits {
            let mut one = readers(&source, vec![split], 1).unwrap();
            drain(&mut one[0], &mut in_order).unwrap();
        }
        prop_assert_eq!(&in_order, &lines);
        let mut all = read_all(&source, parallelism).unwrap();
        all.sort();
        lines.sort();
        prop_assert_eq!(all, lines);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Goal: a snapshot at any moment, restored at any parallelism, yields exactly the records not yet emitted.
    /// Method: two lives of a job over plain, gzip and zstd files, compared with the lines written.
    #[test]
    fn restored_readers_yield_exactly_the_rest(
        count in 0usize..4000,
        polls in prop::collection::vec(0usize..6, 1..4),
        before in 1u32..4,
        after in 1u32..4,
        range in 500u64..20_000,
        extension in prop::sample::select(vec!["txt", "txt.gz", "txt.zst"]),
    ) {
        let dir = folder();
        let (text, lines) = numbered(count, "\n");
        write(dir.path(), &format!("a.{extension}"), &text);
        write(dir.path(), &format!("b.{extension}"), &text);
        let source = FileSource::text_lines(dir.path()).split_bytes_max(range);
        let mut read = read_with_restore(&source, before, &polls, after).unwrap();
        let mut expected = [lines.clone(), lines].concat();
        read.sort();
        expected.sort();
        prop_assert_eq!(read, expected);
    }

    /// As above for CSV, whose header must be known to every range and after every restore.
    #[test]
    fn restored_readers_of_csv_know_the_header(
        count in 0usize..3000,
        polls in prop::collection::vec(0usize..4, 1..3),
        after in 1u32..4,
        range in 10u64..20_000,
        extension in prop::sample::select(vec!["csv", "csv.gz"]),
    ) {
        let dir = folder();
        let text: String = std::iter::once("id,name\r\n".to_string())
            .chain((0..count).map(|i| format!("{i},\"n,{i}\"\r\n")))
            .collect();
        let path = write(dir.path(), &format!("a.{extension}"), text);
        let source = FileSource::csv::<Named>(path).split_bytes_max(range.max(u64::try_from(count).unwrap()));
        let mut read = read_with_restore(&source, 2, &polls, after).unwrap();
        read.sort();
        let expected: Vec<_> = (0..count).map(|id| Named { name: format!("n,{id}"), id }).collect();
        let mut expected = expected;
        expected.sort();
        prop_assert_eq!(read, expected);
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
struct Named {
    name: String,
    id: usize,
}

/// Goal: one instance reads its splits in the order in which they were enumerated, before and after a restore.
#[test]
fn splits_are_read_in_the_order_of_their_enumeration() {
    let dir = folder();
    for name in ["b", "a", "c"] {
        write(dir.path(), name, format!("{name}1\n{name}2\n"));
    }
    let source = FileSource::text_lines(dir.path());
    let mut splits = source.create_splits(1).unwrap();
    splits.reverse();
    let mut reader = readers(&source, splits, 1).unwrap().remove(0);
    let mut lines = Vec::new();
    drain(&mut reader, &mut lines).unwrap();
    assert_eq!(lines, ["a1", "a2", "b1", "b2", "c1", "c2"]);
    assert!(
        reader.snapshot_state(1).unwrap().is_empty(),
        "finished splits are left out"
    );
}

/// Goal: a position is never used in a file that is another one by now. Method: change the file in each way that
/// can be seen between a snapshot and the restore.
#[test]
fn a_file_that_changed_underneath_is_refused_by_name() {
    let dir = folder();
    let (text, _) = numbered(2000, "\n");
    let path = write(dir.path(), "a.txt", &text);
    let source = FileSource::text_lines(&path);
    let mut reader = readers(&source, source.create_splits(1).unwrap(), 1)
        .unwrap()
        .remove(0);
    poll(&mut reader, &mut Vec::new()).unwrap();
    let snapshot = reader.snapshot_state(1).unwrap();
    assert!(snapshot[0].position > 0 && snapshot[0].line > 500, "{snapshot:?}");

    let other_start = text.replacen("0\n", "9\n", 1);
    let other_end = format!("{}y\n", &text[..text.len() - 2]);
    for changed in [
        format!("{text}more\n"),
        text[..text.len() - 9].to_string(),
        other_start,
        other_end,
    ] {
        write(dir.path(), "a.txt", changed);
        let e = match readers(&source, snapshot.clone(), 1) {
            Ok(mut readers) => drain(&mut readers[0], &mut Vec::new()).unwrap_err(),
            Err(e) => e,
        };
        assert_eq!(e.kind(), ErrorKind::Corrupt, "{e}");
        assert_eq!(e.context("path"), path.to_str());
    }
    std::fs::remove_file(&path).unwrap();
    let e = readers(&source, snapshot, 1).err().unwrap();
    assert_eq!(e.kind(), ErrorKind::NotFound, "{e}");
}
