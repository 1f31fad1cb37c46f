//! What goes in: paths, formats, compression.

use super::{folder, gzip, write, zstd};
use crate::file::{Compression, CsvFormat, FileSource};
use crate::testing::{logged, read_all};
use millpond_api::Source;
use millpond_core::ErrorKind;
use proptest::prelude::*;

#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
struct Pair {
    b: Option<f64>,
    a: String,
}

fn pair(a: &str, b: Option<f64>) -> Pair {
    Pair { a: a.to_string(), b }
}

#[test]
fn a_folder_stands_for_its_visible_files_by_name() {
    let dir = folder();
    for name in ["b.txt", "a.txt", ".hidden", "_SUCCESS", "c.txt.gz"] {
        write(dir.path(), name, format!("{name}\n"));
    }
    std::fs::create_dir(dir.path().join("inner")).unwrap();
    write(&dir.path().join("inner"), "d.txt", "d\n");
    let first = write(&dir.path().join("inner"), "first", "first\n");
    let source = FileSource::text_lines(first).and_path(dir.path());
    assert_eq!(
        read_all(&source, 1).unwrap(),
        ["first", "a.txt", "b.txt", "c.txt.gz"]
    );
}

#[test]
fn an_empty_folder_is_warned_about_and_yields_nothing() {
    let dir = folder();
    let (lines, log) = logged(|| read_all(&FileSource::text_lines(dir.path()), 2).unwrap());
    assert!(lines.is_empty());
    assert!(
        log.contains("holds no files") && log.contains(dir.path().to_str().unwrap()),
        "{log}"
    );
}

#[test]
fn a_missing_file_is_named_with_names_that_look_like_it() {
    let dir = folder();
    write(dir.path(), "flights.csv.zst", "");
    write(dir.path(), "weather.csv", "");
    let missing = dir.path().join("flight.csv.zst");
    let e = FileSource::text_lines(&missing).create_splits(1).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NotFound);
    assert_eq!(e.context("path"), missing.to_str());
    let text = e.to_string();
    assert!(
        text.contains("flights.csv.zst") && !text.contains("weather"),
        "{text}"
    );
    let e = FileSource::text_lines(dir.path().join("nowhere/x"))
        .create_splits(1)
        .unwrap_err();
    assert!(e.to_string().contains("doesn't exist either"), "{e}");
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let dir = folder();
    let path = write(dir.path(), "a", "a\n");
    for source in [
        FileSource::text_lines(&path).split_bytes_max(0),
        FileSource::text_lines(&path).record_bytes_max(0),
    ] {
        assert_eq!(source.create_splits(1).unwrap_err().kind(), ErrorKind::Config);
    }
}

#[test]
fn csv_is_read_by_header_by_position_and_raw() {
    let dir = folder();
    let path = write(
        dir.path(),
        "a.csv",
        "\u{feff}a,b\r\nx,1.5\r\n\r\n\"y, \"\"z\"\"\",\r\n",
    );
    let rows = read_all(&FileSource::csv::<Pair>(&path), 1).unwrap();
    assert_eq!(rows, [pair("x", Some(1.5)), pair("y, \"z\"", None)]);
    let raw = read_all(&FileSource::csv_records(&path), 1).unwrap();
    assert_eq!(raw[1].iter().collect::<Vec<_>>(), ["y, \"z\"", ""]);

    let path = write(dir.path(), "b.csv", "x;1\n'y;';2\n");
    let format = CsvFormat::<(String, i32)>::new()
        .delimiter(b';')
        .quote(b'\'')
        .without_header();
    let rows = read_all(&FileSource::for_record_format(format, &path), 1).unwrap();
    assert_eq!(rows, [("x".to_string(), 1), ("y;".to_string(), 2)]);
}

#[test]
fn an_empty_file_and_a_lone_header_yield_nothing() {
    let dir = folder();
    for content in ["", "a,b", "a,b\n", "\n\n"] {
        let path = write(dir.path(), "a.csv", content);
        assert!(read_all(&FileSource::csv::<Pair>(&path), 1).unwrap().is_empty());
    }
}

#[test]
fn compression_can_be_named_in_place_of_the_extension() {
    let dir = folder();
    let path = dir.path().join("data.bin");
    std::fs::write(&path, gzip(b"one\ntwo\n")).unwrap();
    let source = FileSource::text_lines(&path)
        .split_bytes_max(3)
        .compression(Compression::Gzip);
    assert_eq!(read_all(&source, 2).unwrap(), ["one", "two"]);
}

#[test]
fn several_frames_and_members_are_read_one_after_another() {
    let dir = folder();
    let skippable = [&0x184d_2a50u32.to_le_bytes()[..], &3u32.to_le_bytes(), b"abc"].concat();
    for (name, bytes) in [
        (
            "a.zst",
            [zstd(b"one\ntw"), skippable, zstd(b""), zstd(b"o\n")].concat(),
        ),
        ("a.gz", [gzip(b"one\ntw"), gzip(b"o\n")].concat()),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(
            read_all(&FileSource::text_lines(&path), 1).unwrap(),
            ["one", "two"],
            "{name}"
        );
    }
}

/// Goal: damaged compressed data ends the job by name; it is never taken for the end of the file or for bad rows.
/// Method: cut the file off at many places, and flip bytes where the formats have checksums.
#[test]
fn damaged_compressed_files_are_refused() {
    let dir = folder();
    let content: String = (0..500).map(|i| format!("line {}\n", i * 7919 % 1000)).collect();
    for (name, bytes) in [
        ("a.zst", zstd(content.as_bytes())),
        ("a.gz", gzip(content.as_bytes())),
    ] {
        let path = dir.path().join(name);
        let refused = |bytes: &[u8], what: &str| {
            std::fs::write(&path, bytes).unwrap();
            let e = read_all(&FileSource::text_lines(&path), 1).expect_err(what);
            assert_eq!(e.kind(), ErrorKind::Corrupt, "{name} {what}: {e:?}");
            assert_eq!(e.context("path"), path.to_str());
        };
        for len in (1..bytes.len()).step_by(bytes.len() / 17 + 1) {
            refused(&bytes[..len], &format!("cut at {len}"));
        }
        let mut flipped = bytes.clone();
        let last = flipped.len() - 2;
        flipped[last] ^= 0x40;
        refused(&flipped, "checksum flipped");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Goal: rows are what the csv crate reads. Method: random fields with quotes, delimiters and line ends, written by the
    /// csv crate, read by both.
    #[test]
    fn csv_agrees_with_the_reference_reader(
        rows in prop::collection::vec(prop::collection::vec("[a-c\"', \r\n\u{e9}]{0,6}", 3), 0..30),
        crlf in any::<bool>(),
    ) {
        let mut writer = csv::WriterBuilder::new()
            .terminator(if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') })
            .from_writer(Vec::new());
        writer.write_record(["x", "y", "z"]).unwrap();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let reference: Vec<csv::StringRecord> = csv::Reader::from_reader(&bytes[..]).records().map(Result::unwrap).collect();
        let dir = folder();
        let path = write(dir.path(), "a.csv", &bytes);
        let read = read_all(&FileSource::csv_records(&path).whole_files(), 1).unwrap();
        prop_assert_eq!(read, reference);
    }

    /// Goal: no input makes the reader panic or run on for ever, and all policies see the same good rows twice the same.
    #[test]
    fn any_bytes_are_read_to_their_end(
        bytes in prop::collection::vec(prop::sample::select(b"a,\"\r\n\xff{}1".to_vec()), 0..200),
        range in 1u64..300,
        max in 1usize..40,
    ) {
        let dir = folder();
        let path = write(dir.path(), "a.csv", &bytes);
        let source = FileSource::csv_records(&path).split_bytes_max(range).record_bytes_max(max);
        if let Ok(rows) = read_all(&source, 1) {
            prop_assert_eq!(rows, read_all(&source, 1).unwrap());
        }
        let json = FileSource::json_lines::<serde_json::Value>(&path).split_bytes_max(range);
        read_all(&json, 1).unwrap();
    }
}
