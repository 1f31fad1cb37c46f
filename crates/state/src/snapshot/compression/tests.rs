//! Compressed runs: Flink's bytes, what goes in comes out, and damage is named by its place.

use super::*;
use millpond_core::ErrorKind;
use proptest::prelude::*;

/// What snappy-java's `SnappyFramedOutputStream` (block size 65536, ratio 0.85, as in `SnappyStreamCompressionDecorator`) writes for
/// `millpond` eight times, a flush, and `short`.
const OF_JAVA: &str =
    "ff060000734e6150705900110000ec1b8d06401c6d696c6c706f6e64de0800010900005eac794f73686f7274";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|d| d[0] << 4 | d[1]).collect()
}

/// Goal: the bytes are Java's, both ways, and chunks are told where they lie.
#[test]
fn chunks_are_as_java_writes_them() {
    let mut written = Vec::new();
    Compressor::begin(&mut written).unwrap();
    let mut compressor = Compressor::new();
    compressor
        .chunks("millpond".repeat(8).as_bytes(), &mut written)
        .unwrap();
    compressor.chunks(b"short", &mut written).unwrap();
    assert_eq!(written, bytes(OF_JAVA));

    let mut chunks = Vec::new();
    let read = decompress(&written, |at, content| chunks.push((at, content))).unwrap();
    assert_eq!(read, ["millpond".repeat(8), "short".into()].concat().into_bytes());
    assert_eq!(chunks, [(10, 0), (31, 64)]);
}

/// Goal: 200,000 bytes are the run that Java makes of them, down to where it cuts. Method: length and checksum of Java's.
#[test]
fn long_runs_are_cut_as_java_cuts_them() {
    let content: Vec<u8> = (0..200_000).map(|i| (i / 7 % 251) as u8).collect();
    let mut written = Vec::new();
    write_run(Some(&mut Compressor::new()), &mut written, |out| {
        content
            .chunks(999)
            .try_for_each(|part| out.write_all(part))
            .map_err(io_error)
    })
    .unwrap();
    assert_eq!(written.len(), 13_135);
    assert_eq!(crc32c::crc32c(&written), 0x8833_777c);
    assert_eq!(decompress(&written, |_, _| ()).unwrap(), content);
}

/// Goal: what nobody wrote takes no bytes, and chunks of other kinds are skipped where they may be.
#[test]
fn nothing_written_is_no_run_and_padding_is_skipped() {
    let mut written = Vec::new();
    write_run(Some(&mut Compressor::new()), &mut written, |_| Ok(())).unwrap();
    assert_eq!(written, []);
    assert_eq!(decompress(&[], |_, _| ()).unwrap(), []);
    let padded = [
        bytes(OF_JAVA),
        b"\xfe\x02\x00\x00??".to_vec(),
        IDENTIFIER.to_vec(),
    ]
    .concat();
    assert_eq!(decompress(&padded, |_, _| ()).unwrap().len(), 69);
}

/// Goal: each kind of damage is refused, and says where its chunk begins.
#[test]
fn damage_is_refused_by_its_place() {
    let good = bytes(OF_JAVA);
    let refused = |bytes: &[u8], at: &str, why: &str| {
        let error = decompress(bytes, |_, _| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert_eq!(error.context("chunk_at"), Some(at), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    };
    let changed = |place: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[place] = byte;
        bytes
    };
    refused(&good[10..], "0", "does not begin");
    refused(&changed(4, b'S'), "0", "does not begin");
    refused(&changed(10, 0x02), "10", "unknown kind");
    refused(&changed(20, 0x41), "10", "chunk");
    refused(&changed(14, 0), "10", "checksum");
    refused(&changed(40, b'S'), "31", "checksum");
    refused(&good[..38], "31", "");
    // A compressed chunk that says it holds 4 GB.
    let huge = b"\x00\x09\x00\x00....\xff\xff\xff\xff\x0f";
    refused(&[&IDENTIFIER[..], huge].concat(), "10", "more content");
    let long = [&IDENTIFIER[..], b"\x01\x05\x00\x01", &[0; 65_541]].concat();
    refused(&long, "10", "more content");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Goal: what goes in comes out, however it is written and flushed.
    #[test]
    fn runs_come_back(parts in proptest::collection::vec((proptest::collection::vec(0u8..4, 0..3000), any::<bool>()), 0..8)) {
        let mut written = Vec::new();
        write_run(Some(&mut Compressor::new()), &mut written, |out| {
            for (part, flush) in &parts {
                out.write_all(part).map_err(io_error)?;
                if *flush { out.flush().map_err(io_error)?; }
            }
            Ok(())
        }).unwrap();
        let content: Vec<u8> = parts.into_iter().flat_map(|(part, _)| part).collect();
        prop_assert_eq!(decompress(&written, |_, _| ()).unwrap(), content);
    }

    /// Goal: any bytes behind an identifier are a run or are refused.
    #[test]
    fn noise_is_refused(noise in proptest::collection::vec(any::<u8>(), 0..100), kind in 0u8..3) {
        let length = [noise.len() as u8, 0, 0];
        let bytes = [&IDENTIFIER[..], &[kind], &length, &noise].concat();
        if let Err(error) = decompress(&bytes, |_, _| ()) {
            prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
    }
}
