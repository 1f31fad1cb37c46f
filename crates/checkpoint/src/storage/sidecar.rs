//! `_checksums`: length and CRC32C of every file that a checkpoint names, `_metadata` included.
//!
//! Flink's `_metadata` has no place for checksums, so they stand beside it. All numbers are big-endian:
//!
//! ```text
//! "MPCK"  u32 version = 1
//! u32 files      { utf path, u64 length, u32 crc32c }
//! u32 operators  { 16 bytes operator id, utf name, utf uid }       what `_metadata` version 4 has no place for
//! u32 crc32c of everything above
//! ```
//!
//! `utf` is Java's `writeUTF`. A path is spelled as in the handle that names the file. The meaning is told to people in
//! `docs/checkpoint-format.md`; change both together.

use super::layout;
use crate::metadata::CheckpointMetadata;
use millpond_core::hash::HashMap;
use millpond_core::{Error, OperatorId, Result};
use millpond_state::handle::StatePath;
use millpond_types::{DataInput, DataOutput};
use std::collections::BTreeMap;

const MAGIC: u32 = u32::from_be_bytes(*b"MPCK");
const VERSION: u32 = 1;
/// A path's length field, a length, a checksum.
const FILE_BYTES_MIN: usize = 2 + 8 + 4;
/// An id and two length fields.
const OPERATOR_BYTES_MIN: usize = 16 + 2 + 2;

/// What the sidecar says of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileSum {
    pub(crate) length: u64,
    pub(crate) crc32c: u32,
}

/// See the module.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sidecar {
    pub(crate) files: BTreeMap<String, FileSum>,
    pub(crate) operators: HashMap<OperatorId, (String, String)>,
}

/// The spelling of a path in the sidecar.
pub(crate) fn path_text(path: &StatePath) -> &str {
    match path {
        StatePath::Relative(text) | StatePath::Absolute(text) => text,
    }
}

impl Sidecar {
    /// The sidecar of `metadata`, whose encoded form is `bytes`. Files whose checksum nobody knows (a checkpoint that
    /// Flink wrote and we claimed) are left out: they stay unverified.
    pub(crate) fn of(metadata: &CheckpointMetadata, bytes: &[u8]) -> Sidecar {
        let mut sidecar = Sidecar::default();
        for stream in metadata.streams() {
            if let Some(file) = stream.file()
                && let Some(crc32c) = file.crc32c
            {
                let sum = FileSum {
                    length: file.size,
                    crc32c,
                };
                sidecar.files.insert(path_text(&file.path).to_string(), sum);
            }
        }
        let own = FileSum {
            length: bytes.len() as u64,
            crc32c: crc32c::crc32c(bytes),
        };
        sidecar.files.insert(layout::METADATA_FILE.to_string(), own);
        for operator in &metadata.operators {
            if operator.name.is_some() || operator.uid.is_some() {
                let text = |t: &Option<String>| t.clone().unwrap_or_default();
                sidecar
                    .operators
                    .insert(operator.operator_id, (text(&operator.name), text(&operator.uid)));
            }
        }
        sidecar
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut out = DataOutput::new();
        out.write_u32(MAGIC);
        out.write_u32(VERSION);
        out.write_u32(u32::try_from(self.files.len()).map_err(|_| too_many(self.files.len()))?);
        for (path, sum) in &self.files {
            out.write_utf(path)?;
            out.write_u64(sum.length);
            out.write_u32(sum.crc32c);
        }
        let operators: BTreeMap<_, _> = self.operators.iter().collect();
        out.write_u32(u32::try_from(operators.len()).map_err(|_| too_many(operators.len()))?);
        for (id, (name, uid)) in operators {
            out.write_bytes(id.as_bytes());
            out.write_utf(name)?;
            out.write_utf(uid)?;
        }
        out.write_u32(crc32c::crc32c(out.as_slice()));
        Ok(out.into_vec())
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Sidecar> {
        let bad = |why: &str| Error::corrupt("read checksums", why);
        let (body, sum) = bytes
            .split_last_chunk::<4>()
            .ok_or_else(|| bad("the file is too short"))?;
        if crc32c::crc32c(body) != u32::from_be_bytes(*sum) {
            return Err(bad("checksum does not match"));
        }
        let mut input = DataInput::new(body);
        if input.read_u32()? != MAGIC {
            return Err(bad("not a checksum file"));
        }
        let version = input.read_u32()?;
        if version != VERSION {
            return Err(bad("unknown version")
                .with("version", version)
                .hint("it was written by a newer release; use that one"));
        }
        let mut sidecar = Sidecar::default();
        for _ in 0..input.read_count(FILE_BYTES_MIN)? {
            let path = input.read_utf()?;
            let sum = FileSum {
                length: input.read_u64()?,
                crc32c: input.read_u32()?,
            };
            sidecar.files.insert(path, sum);
        }
        for _ in 0..input.read_count(OPERATOR_BYTES_MIN)? {
            let mut id = [0; 16];
            id.copy_from_slice(input.read_bytes(16)?);
            sidecar
                .operators
                .insert(OperatorId::from_bytes(id), (input.read_utf()?, input.read_utf()?));
        }
        if !input.is_empty() {
            return Err(bad("bytes left over at the end"));
        }
        Ok(sidecar)
    }
}

fn too_many(count: usize) -> Error {
    Error::incompatible("write checksums", "more entries than the format has room for").with("count", count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use millpond_core::ErrorKind;
    use proptest::prelude::*;

    fn sample() -> Sidecar {
        let mut sidecar = Sidecar::default();
        for (path, length, crc32c) in [("_metadata", 100, 1), ("file:/a/shared/b", 1 << 40, u32::MAX)] {
            sidecar.files.insert(path.to_string(), FileSum { length, crc32c });
        }
        let names = ("Source: legs".to_string(), "legs".to_string());
        sidecar.operators.insert(OperatorId::from_uid("legs"), names);
        sidecar
    }

    #[test]
    fn the_bytes_are_as_the_description_says() {
        // Goal: the format doesn't change by accident: files outlive releases.
        let mut expected = b"MPCK\0\0\0\x01\0\0\0\x02".to_vec();
        expected.extend(b"\0\x09_metadata\0\0\0\0\0\0\0\x64\0\0\0\x01");
        expected.extend(b"\0\x10file:/a/shared/b\0\0\x01\0\0\0\0\0\xff\xff\xff\xff");
        expected.extend(b"\0\0\0\x01");
        expected.extend(OperatorId::from_uid("legs").as_bytes());
        expected.extend(b"\0\x0cSource: legs\0\x04legs");
        expected.extend(crc32c::crc32c(&expected).to_be_bytes());
        assert_eq!(sample().encode().unwrap(), expected);
        assert_eq!(Sidecar::decode(&expected).unwrap(), sample());
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_damage() {
        let bytes = sample().encode().unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                Sidecar::decode(&damaged).unwrap_err().kind(),
                ErrorKind::Corrupt,
                "bit {bit}"
            );
        }
        for length in 0..bytes.len() {
            assert_eq!(
                Sidecar::decode(&bytes[..length]).unwrap_err().kind(),
                ErrorKind::Corrupt,
                "length {length}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Goal: noise under a right checksum neither panics nor allocates without bound.
        #[test]
        fn noise_under_a_right_checksum_is_refused_or_read(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = MAGIC.to_be_bytes().to_vec();
            bytes.extend(VERSION.to_be_bytes());
            bytes.extend(noise);
            bytes.extend(crc32c::crc32c(&bytes).to_be_bytes());
            drop(Sidecar::decode(&bytes));
        }
    }
}
