//! Bad rows: skipped, counted and named, or the end of the job; nothing good is lost beside them.

use super::{folder, write};
use crate::file::{FileSource, MalformedRows};
use crate::testing::{drain, logged, poll, read_all, readers};
use millpond_api::{Source, SourceReader};
use millpond_core::{Error, ErrorKind};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
struct Row {
    id: i64,
    note: String,
}

fn ids(rows: &[Row]) -> Vec<i64> {
    rows.iter().map(|r| r.id).collect()
}

fn failure<S: Source>(source: &S) -> Error {
    read_all(source, 1).err().unwrap()
}

#[test]
fn malformed_rows_are_skipped_counted_and_named() {
    let dir = folder();
    let mut text = "id,note\n".to_string();
    for i in 0..20 {
        text += &if i % 2 == 0 {
            format!("{i},ok\n")
        } else {
            format!("x{i},bad\n")
        };
    }
    let path = write(dir.path(), "rows.csv", text);
    let source = FileSource::csv::<Row>(&path);
    let mut reader = readers(&source, source.create_splits(1).unwrap(), 1)
        .unwrap()
        .remove(0);
    let mut rows = Vec::new();
    let (result, log) = logged(|| drain(&mut reader, &mut rows));
    result.unwrap();
    assert_eq!(ids(&rows), (0..20).step_by(2).collect::<Vec<_>>());
    let counters: BTreeMap<_, _> = reader.counters().into_iter().collect();
    assert_eq!(
        (
            counters["records"],
            counters["malformed_rows"],
            counters["splits_finished"]
        ),
        (10, 10, 1)
    );
    // Row 1 stands on line 3, behind the header. Five are named, then comes one sum.
    assert_eq!(log.lines().count(), 6, "{log}");
    let first = log.lines().next().unwrap();
    for part in [path.to_str().unwrap(), "line=3", "column id", "x1", "WARN"] {
        assert!(first.contains(part), "{part} is missing in {first}");
    }
    assert!(log.lines().last().unwrap().contains("malformed_rows=10"), "{log}");
}

#[test]
fn fail_ends_the_job_with_file_line_and_reason() {
    let dir = folder();
    let path = write(dir.path(), "rows.csv", "id,note\n1,a\n\n2,b\n3,c,d\n");
    let e = failure(&FileSource::csv::<Row>(&path).malformed_rows(MalformedRows::Fail));
    assert_eq!(e.kind(), ErrorKind::BadRecord);
    assert_eq!(e.context("path"), path.to_str());
    assert_eq!(e.context("line"), Some("5"));
    assert!(e.message().contains("3 fields where the header has 2"), "{e}");

    let path = write(
        dir.path(),
        "rows.jsonl.zst",
        "{\"id\":1,\"note\":\"a\"}\n \n{\"id\":2}\n",
    );
    let e = failure(&FileSource::json_lines::<Row>(&path).malformed_rows(MalformedRows::Fail));
    assert_eq!(e.context("line"), Some("3"));
    assert!(e.message().contains("missing field `note`"), "{e}");
    assert!(!e.message().contains("line 1"), "{e}");
}

/// Goal: the line in the message is right after a restore too. Method: restore in the middle, bad row at the end.
#[test]
fn lines_are_still_right_after_a_restore() {
    let dir = folder();
    for name in ["rows.csv", "rows.csv.gz"] {
        let text: String = std::iter::once("id,note\n".to_string())
            .chain((0..1000).map(|i| format!("{i},\"two\nlines\"\n")))
            .chain(["oops\n".to_string()])
            .collect();
        let path = write(dir.path(), name, text);
        let source = FileSource::csv::<Row>(&path).malformed_rows(MalformedRows::Fail);
        let mut reader = readers(&source, source.create_splits(1).unwrap(), 1)
            .unwrap()
            .remove(0);
        poll(&mut reader, &mut Vec::new()).unwrap();
        let snapshot = reader.snapshot_state(1).unwrap();
        let mut restored = readers(&source, snapshot, 1).unwrap().remove(0);
        let e = drain(&mut restored, &mut Vec::new()).unwrap_err();
        assert_eq!(e.context("line"), Some("2002"), "{e}");
    }
}

#[test]
fn in_a_range_the_message_says_the_byte() {
    let dir = folder();
    let text = "id,note\n1,a\n2,b\nbad,c\n";
    let path = write(dir.path(), "rows.csv", text);
    let e = failure(
        &FileSource::csv::<Row>(&path)
            .split_bytes_max(12)
            .malformed_rows(MalformedRows::Fail),
    );
    assert_eq!(e.context("byte_offset"), Some("16"), "{e}");
}

/// Goal: one stray quote costs its own line, not all that follow to the next quote or the end.
#[test]
fn a_stray_quote_costs_one_line() {
    let dir = folder();
    let text = "id,note\n1,a\n2,\"open\n3,c\n4,d\n";
    let path = write(dir.path(), "rows.csv", text);
    assert_eq!(
        ids(&read_all(&FileSource::csv::<Row>(&path), 1).unwrap()),
        [1, 3, 4]
    );
    let e = failure(&FileSource::csv::<Row>(&path).malformed_rows(MalformedRows::Fail));
    assert_eq!(e.context("line"), Some("3"));
    assert!(e.message().contains("quoted field is still open"), "{e}");
}

/// Goal: quoted line ends are data in whole files, and malformed with a hint in ranges, where their rows can't be found.
#[test]
fn quoted_line_ends_need_whole_files() {
    let dir = folder();
    let text = "id,note\n1,\"a\r\nb\"\n2,\"c\"\n".to_string() + &"3,plain row\n".repeat(10);
    let path = write(dir.path(), "rows.csv", text);
    let whole = read_all(
        &FileSource::csv::<Row>(&path).split_bytes_max(40).whole_files(),
        1,
    )
    .unwrap();
    assert_eq!(
        whole[0],
        Row {
            id: 1,
            note: "a\r\nb".to_string()
        }
    );
    assert_eq!(
        whole[1],
        Row {
            id: 2,
            note: "c".to_string()
        }
    );
    assert_eq!(whole.len(), 12);
    let ranged = FileSource::csv::<Row>(&path).split_bytes_max(40);
    assert_eq!(
        ids(&read_all(&ranged, 1).unwrap()),
        [vec![2], vec![3; 10]].concat()
    );
    let e = failure(&ranged.malformed_rows(MalformedRows::Fail));
    assert!(e.message().contains("whole_files()"), "{e}");
}

#[test]
fn a_record_that_is_too_long_is_malformed_and_the_next_one_is_read() {
    let dir = folder();
    let long = "y".repeat(300_000);
    for (name, quote) in [("plain.csv", ""), ("quoted.csv", "\"")] {
        let path = write(
            dir.path(),
            name,
            format!("id,note\n1,a\n2,{quote}{long}{quote}\n3,c\n"),
        );
        let source = FileSource::csv::<Row>(&path).record_bytes_max(1000);
        assert_eq!(ids(&read_all(&source, 1).unwrap()), [1, 3]);
        let e = failure(&source.malformed_rows(MalformedRows::Fail));
        assert!(e.message().contains("longer than the 1000 bytes"), "{e}");
    }
}

#[test]
fn text_that_is_not_utf8_is_malformed() {
    let dir = folder();
    let path = write(dir.path(), "rows.csv", b"id,note\n1,a\n2,\xff\n3,\"\xff\"\n4,d\n");
    assert_eq!(ids(&read_all(&FileSource::csv::<Row>(&path), 1).unwrap()), [1, 4]);
    assert_eq!(read_all(&FileSource::text_lines(&path), 1).unwrap().len(), 3);
}

#[test]
fn a_file_of_another_format_is_said_to_be_one() {
    let dir = folder();
    let path = write(dir.path(), "rows.csv", "{\"id\":1}\n{\"id\":2}\n");
    let (rows, log) = logged(|| read_all(&FileSource::csv::<Row>(&path), 1).unwrap());
    assert!(rows.is_empty());
    assert!(log.contains("not one row could be read"), "{log}");
}
