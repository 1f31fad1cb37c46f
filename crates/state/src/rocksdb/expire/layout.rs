//! Where stored values have their timestamps.

use super::Judged;
use crate::rocksdb::merge::DELIMITER;
use crate::ttl::Expiry;
use millpond_core::{Error, Result};
use millpond_types::{DataInput, SharedSerializer};

/// How the values of a column family carry the times at which their lives began.
pub(in crate::rocksdb) enum Layout {
    /// In front: values, reduced values, accumulators.
    Value,
    /// Behind the null flag: map values.
    MapValue,
    /// In front of each element.
    List(Box<dyn Elements>),
}

/// Knows where an element of a list ends. Elements whose size varies don't say so themselves: their serializer has to read
/// them, on RocksDB's threads too (Flink's `ListElementFilter`).
pub(in crate::rocksdb) trait Elements: Send + Sync {
    /// Reads an element, its timestamp included, and forgets it.
    ///
    /// # Errors
    /// Corrupt when the bytes are not an element.
    fn skip(&self, input: &mut DataInput<'_>) -> Result<()>;
}

impl<T: 'static> Elements for SharedSerializer<T> {
    fn skip(&self, input: &mut DataInput<'_>) -> Result<()> {
        self.deserialize(input).map(drop)
    }
}

/// What is left of a stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rocksdb) enum Left {
    All,
    /// Some elements of a list.
    Some,
    Nothing,
}

impl Layout {
    pub(super) fn judge(&self, moment: Expiry, value: &[u8], rest: &mut Vec<u8>) -> Result<Judged> {
        let offset = match self {
            Layout::Value => 0,
            Layout::MapValue => 1,
            Layout::List(elements) => return judge_list(&**elements, moment, value, rest),
        };
        let timestamp = timestamp_in(value.get(offset..).unwrap_or_default())?;
        Ok(Judged {
            left: if moment.is_over(timestamp) {
                Left::Nothing
            } else {
                Left::All
            },
            elements: 1,
        })
    }
}

fn judge_list(elements: &dyn Elements, moment: Expiry, list: &[u8], rest: &mut Vec<u8>) -> Result<Judged> {
    let mut input = DataInput::new(list);
    let (mut count, mut over) = (0, 0);
    loop {
        let start = input.position();
        let timestamp = timestamp_in(input.rest())?;
        elements.skip(&mut input)?;
        count += 1;
        if moment.is_over(timestamp) {
            if over == 0 {
                // All before it are left, without the delimiter that separates them from it.
                rest.clear();
                rest.extend_from_slice(list.get(..start.saturating_sub(1)).unwrap_or_default());
            }
            over += 1;
        } else if over > 0 {
            if !rest.is_empty() {
                rest.push(DELIMITER);
            }
            rest.extend_from_slice(list.get(start..input.position()).unwrap_or_default());
        }
        if input.is_empty() {
            break;
        }
        if input.read_u8()? != DELIMITER {
            return Err(
                Error::corrupt("look for expired state", "no delimiter between two elements")
                    .with("offset", input.position() - 1),
            );
        }
    }
    let left = match over {
        0 => Left::All,
        _ if over == count => Left::Nothing,
        _ => Left::Some,
    };
    Ok(Judged {
        left,
        elements: count,
    })
}

fn timestamp_in(bytes: &[u8]) -> Result<i64> {
    let timestamp = bytes.first_chunk().ok_or_else(|| {
        Error::corrupt("look for expired state", "a stored value has no timestamp").with("bytes", bytes.len())
    })?;
    Ok(i64::from_be_bytes(*timestamp))
}

#[cfg(test)]
mod tests {
    use super::*;
    use millpond_types::{DataOutput, StateType};

    const NOW: Expiry = Expiry {
        now_ms: 1_000,
        time_to_live_ms: 100,
    };

    fn list(elements: &[(i64, &str)]) -> Vec<u8> {
        let mut out = DataOutput::new();
        for (i, (timestamp, text)) in elements.iter().enumerate() {
            if i > 0 {
                out.write_u8(DELIMITER);
            }
            out.write_i64(*timestamp);
            String::serializer()
                .serialize(&(*text).to_owned(), &mut out)
                .unwrap();
        }
        out.into_vec()
    }

    struct Texts;
    impl Elements for Texts {
        fn skip(&self, input: &mut DataInput<'_>) -> Result<()> {
            input.read_i64()?;
            String::serializer().deserialize(input).map(drop)
        }
    }

    /// Goal: exactly the expired elements go, and the others stay as they were. Method: every choice of dead and living
    /// elements among six, with delimiters inside the elements too.
    #[test]
    fn of_a_list_exactly_the_living_elements_are_left() {
        let texts = ["a", ",", "", "b,c", ",,", "long, but not too long"];
        for choice in 0..64u32 {
            let elements: Vec<_> = (0..6)
                .map(|i| (if choice & (1 << i) == 0 { 900 } else { 901 }, texts[i]))
                .collect();
            let living: Vec<_> = elements.iter().copied().filter(|e| e.0 == 901).collect();
            let mut rest = b"left over from before".to_vec();
            let layout = Layout::List(Box::new(Texts));
            let judged = layout.judge(NOW, &list(&elements), &mut rest).unwrap();
            assert_eq!(judged.elements, 6);
            match living.len() {
                0 => assert_eq!(judged.left, Left::Nothing),
                6 => assert_eq!(judged.left, Left::All),
                _ => assert_eq!((judged.left, rest), (Left::Some, list(&living))),
            }
        }
    }

    /// Goal: a life ends on the millisecond, and a map's value has its timestamp behind the null flag.
    #[test]
    fn values_and_map_values_are_over_as_a_whole() {
        for (timestamp, left) in [(900, Left::Nothing), (901, Left::All)] {
            let value = [&i64::to_be_bytes(timestamp)[..], b"value"].concat();
            let judge =
                |layout: Layout, value: &[u8]| layout.judge(NOW, value, &mut Vec::new()).unwrap().left;
            assert_eq!(judge(Layout::Value, &value), left);
            assert_eq!(judge(Layout::MapValue, &[&[0], &value[..]].concat()), left);
        }
    }

    /// Goal: bytes that are something else are errors. Method: every truncation, and a wrong delimiter.
    #[test]
    fn what_is_no_value_is_corrupt() {
        let good = list(&[(900, "ab"), (901, "cd")]);
        let layout = Layout::List(Box::new(Texts));
        for len in 0..good.len() {
            let whole_elements = len == list(&[(900, "ab")]).len();
            let judged = layout.judge(NOW, &good[..len], &mut Vec::new());
            assert_eq!(judged.is_ok(), whole_elements, "{len} bytes");
        }
        let mut wrong = good;
        let at = list(&[(900, "ab")]).len();
        wrong[at] = b';';
        assert!(layout.judge(NOW, &wrong, &mut Vec::new()).is_err());
        assert!(Layout::Value.judge(NOW, &[0; 7], &mut Vec::new()).is_err());
        assert!(Layout::MapValue.judge(NOW, &[0; 8], &mut Vec::new()).is_err());
    }
}
