//! Identities that appear in paths, metadata and REST answers.

use crate::error::{Error, Result};
use crate::hash::murmur3_x64_128;
use std::fmt;
use std::str::FromStr;

/// The number of a checkpoint or savepoint: counts up from 1 within a job.
pub type CheckpointId = u64;

macro_rules! id128 {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// From its 16 bytes, in the order Flink writes them.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                $name(bytes)
            }
            /// Its 16 bytes, in the order Flink writes them.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
            fn hash_of(text: &str) -> Self {
                let (h1, h2) = murmur3_x64_128(text.as_bytes());
                let both = u128::from(h1) | (u128::from(h2) << 64);
                $name(both.to_le_bytes())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = Error;
            /// Reads 32 hexadecimal digits.
            fn from_str(text: &str) -> Result<Self> {
                let value = (text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()))
                    .then(|| u128::from_str_radix(text, 16).ok())
                    .flatten()
                    .ok_or_else(|| {
                        Error::config(concat!("read ", $what), "expected 32 hexadecimal digits").with("text", text)
                    })?;
                Ok($name(value.to_be_bytes()))
            }
        }
    };
}

id128!(
    /// A job's identity: names its checkpoint folder and its REST paths. Flink's `JobID`.
    JobId, "job id");
id128!(
    /// An operator's identity inside a job: what state is found again by. Flink's `OperatorID`.
    OperatorId, "operator id");

impl JobId {
    /// The id that a job has when nobody gives it one: a function of its name, so that the same job started
    /// again after a crash finds its own checkpoints. (A Flink client draws a random id instead and keeps it in
    /// the cluster's high-availability store; a single process has no such store.)
    pub fn from_name(name: &str) -> Self {
        Self::hash_of(name)
    }

    /// The id of a run of job `name` that starts from the savepoint at `savepoint`: the same command line finds its own
    /// checkpoints again after a crash, another savepoint starts another job.
    pub fn from_savepoint(name: &str, savepoint: &str) -> Self {
        Self::hash_of(&format!("{name}\n{savepoint}"))
    }
}

impl OperatorId {
    /// The id of the operator with this uid, equal to Flink's (`StreamGraphHasherV2`: murmur3 128 of the UTF-8 bytes).
    pub fn from_uid(uid: &str) -> Self {
        Self::hash_of(uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_through_text_and_refuse_other_text() {
        let id = OperatorId::from_uid("chains");
        assert_eq!(id.to_string().parse::<OperatorId>().unwrap(), id);
        for bad in [
            "",
            "zz",
            "0123456789abcdef0123456789abcde",
            "+123456789abcdef0123456789abcdef0",
        ] {
            let e = bad.parse::<JobId>().unwrap_err();
            assert_eq!(e.context("text"), Some(bad));
        }
    }

    #[test]
    fn uid_hash_is_guavas_byte_order() {
        // Guava writes h1 then h2, each little-endian: hello = cbd8a7b341bd9b02 5b1e906a48ae1d19.
        assert_eq!(
            OperatorId::from_uid("hello").to_string(),
            "029bbd41b3a7d8cb191dae486a901e5b"
        );
    }
}
