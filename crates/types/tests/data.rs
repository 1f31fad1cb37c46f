//! Modified UTF-8, which Java's `writeUTF` writes: names of classes, states and fields are stored in it.
#![expect(clippy::unwrap_used, reason = "test code")]

use millpond_types::{DataInput, DataOutput, ErrorKind};
use proptest::prelude::*;

/// What Flink's `DataOutputSerializer#writeUTF` gave for [`TEXT`].
const STORED: &str = "001361c080c3a9e4b896eda0bdedb880dfbfe0a080";
/// NUL (two bytes in this encoding), units of one to three bytes, and a surrogate pair (six bytes).
const TEXT: &str = "a\u{0}\u{e9}\u{4e16}\u{1f600}\u{7ff}\u{800}";

fn written(text: &str) -> Vec<u8> {
    let mut out = DataOutput::new();
    out.write_utf(text).unwrap();
    out.into_vec()
}

#[test]
fn names_are_written_as_java_writes_them() {
    // Goal: the encoding's odd cases. Method: against bytes that Flink wrote.
    let bytes = written(TEXT);
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, STORED);
    assert_eq!(DataInput::new(&bytes).read_utf().unwrap(), TEXT);
}

#[test]
fn a_name_longer_than_the_format_allows_is_refused() {
    // Goal: no length that wraps around. Method: the longest name, and one byte more.
    assert_eq!(written(&"x".repeat(65_535)).len(), 65_537);
    let e = DataOutput::new().write_utf(&"x".repeat(65_536)).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Incompatible);
}

#[test]
fn a_count_is_believed_only_when_so_much_can_follow() {
    // Goal: what read_count returns may be allocated. Method: a count that just fits, one more, a negative one.
    let count = |n: i32, follows: usize| {
        let mut out = DataOutput::new();
        out.write_i32(n);
        out.write_bytes(&vec![0; follows]);
        DataInput::new(out.as_slice()).read_count(4).map_err(|e| e.kind())
    };
    assert_eq!(count(3, 12), Ok(3));
    assert_eq!(count(3, 11), Err(ErrorKind::Corrupt));
    assert_eq!(count(-1, 100), Err(ErrorKind::Corrupt));
    assert_eq!(count(i32::MAX, 100), Err(ErrorKind::Corrupt));
}

proptest! {
    /// Goal: every name survives. Method: random text, between other bytes.
    #[test]
    fn names_survive(text in any::<String>()) {
        let mut bytes = written(&text);
        let len = bytes.len();
        bytes.push(1);
        let mut input = DataInput::new(&bytes);
        prop_assert_eq!(input.read_utf().unwrap(), text);
        prop_assert_eq!(input.position(), len);
        prop_assert_eq!(input.remaining(), 1);
    }
}
