//! One timer as it is stored: its timestamp, and its key and namespace in serialized form.
//!
//! Serialized, because that gives every key type the same total order: the order of Flink's `TimerSerializer` bytes
//! (timestamp with the sign bit flipped, key, namespace), which does not depend on hashing or on when a timer was
//! registered, and so stays the same over a restore. A snapshot then copies bytes and serializes nothing.

use millpond_core::Result;
use millpond_types::{DataInput, DataOutput};
use std::cmp::Ordering;

/// Key and namespace of most timers (a number, a short string) fit here without an allocation of their own.
const INLINE_BYTES: usize = 22;

/// A timer in the order in which timers fire: by timestamp, then by the bytes of key and namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimerElement {
    timestamp: i64,
    tail: Tail,
}

#[derive(Clone, Debug)]
enum Tail {
    Inline { len: u8, bytes: [u8; INLINE_BYTES] },
    Boxed(Box<[u8]>),
}

impl TimerElement {
    /// A timer at `timestamp` whose key and namespace are `tail`.
    pub(super) fn new(timestamp: i64, tail: &[u8]) -> Self {
        let mut bytes = [0; INLINE_BYTES];
        let tail = match (bytes.get_mut(..tail.len()), u8::try_from(tail.len())) {
            (Some(slot), Ok(len)) => {
                slot.copy_from_slice(tail);
                Tail::Inline { len, bytes }
            }
            _ => Tail::Boxed(tail.into()),
        };
        TimerElement { timestamp, tail }
    }

    /// When it is due.
    pub(super) fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// Key and namespace.
    pub(super) fn tail(&self) -> &[u8] {
        self.tail.as_slice()
    }

    /// Appends the timer as Flink's `TimerSerializer` does.
    pub(super) fn write(&self, out: &mut DataOutput) {
        out.write_i64(flip_sign_bit(self.timestamp));
        out.write_bytes(self.tail());
    }

    /// A whole timer that [`TimerElement::write`] wrote. What key and namespace hold is not looked at.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = DataInput::new(bytes);
        let timestamp = TimerElement::read_timestamp(&mut input)?;
        Ok(TimerElement::new(timestamp, input.rest()))
    }

    /// Reads the timestamp that [`TimerElement::write`] wrote.
    pub(super) fn read_timestamp(input: &mut DataInput<'_>) -> Result<i64> {
        input.read_i64().map(flip_sign_bit)
    }
}

/// Makes unsigned byte order agree with signed number order. Flink's `MathUtils.flipSignBit`.
pub(super) fn flip_sign_bit(timestamp: i64) -> i64 {
    timestamp ^ i64::MIN
}

impl Tail {
    fn as_slice(&self) -> &[u8] {
        match self {
            Tail::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Tail::Boxed(bytes) => bytes,
        }
    }
}

impl PartialEq for Tail {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}
impl Eq for Tail {}

impl PartialOrd for TimerElement {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for TimerElement {
    fn cmp(&self, other: &Self) -> Ordering {
        self.timestamp
            .cmp(&other.timestamp)
            .then_with(|| self.tail().cmp(other.tail()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the order in memory is the order of the serialized bytes. Method: compare both for pairs around zero, at the
    /// extremes, and with tails that are inline, boxed, and prefixes of each other.
    #[test]
    fn order_is_that_of_the_serialized_bytes() {
        let bytes = |e: &TimerElement| {
            let mut out = DataOutput::new();
            e.write(&mut out);
            out.into_vec()
        };
        let mut all = Vec::new();
        for timestamp in [i64::MIN, -1, 0, 1, 1 << 40, i64::MAX] {
            for tail in [&b""[..], b"a", b"ab", &[7; 22], &[7; 23], &[0xff; 40]] {
                all.push(TimerElement::new(timestamp, tail));
            }
        }
        for a in &all {
            for b in &all {
                assert_eq!(a.cmp(b), bytes(a).cmp(&bytes(b)), "{a:?} {b:?}");
                assert_eq!(a == b, bytes(a) == bytes(b));
            }
        }
    }

    #[test]
    fn a_timer_with_a_small_key_takes_no_allocation_and_32_bytes() {
        assert_eq!(size_of::<TimerElement>(), 32);
        assert!(matches!(
            TimerElement::new(0, &[1; INLINE_BYTES]).tail,
            Tail::Inline { .. }
        ));
    }
}
