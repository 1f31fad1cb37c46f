//! The merge operator of list states: what is appended stands behind a delimiter, as with Flink's
//! `StringAppendTESTOperator`, so that `add` writes without reading.

use rust_rocksdb::{MergeOperands, Options};

/// The operator's name in the files' properties; Flink's databases have the same.
const NAME: &str = "StringAppendTESTOperator";
/// Stands between two elements of a list.
pub(super) const DELIMITER: u8 = b',';

/// Makes appending possible in a column family.
pub(super) fn install(options: &mut Options) {
    options.set_merge_operator_associative(NAME, append);
}

/// What becomes of `stored` when `value` is appended.
pub(super) fn appended(stored: Option<&[u8]>, value: &[u8]) -> Vec<u8> {
    join(&|| stored.into_iter().chain([value]))
}

/// The existing bytes and all operands, with delimiters between them.
fn append(_key: &[u8], existing: Option<&[u8]>, operands: &MergeOperands) -> Option<Vec<u8>> {
    Some(join(&|| existing.into_iter().chain(operands.iter())))
}

fn join<'a, I: Iterator<Item = &'a [u8]>>(parts: &dyn Fn() -> I) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts().map(|part| part.len() + 1).sum());
    for (i, part) in parts().enumerate() {
        if i > 0 {
            out.push(DELIMITER);
        }
        out.extend_from_slice(part);
    }
    out
}
