//! A collection as a source: records that the job holds in memory. Flink's `fromData` and `fromCollection`.

use millpond_api::{
    Boundedness, Data, InputStatus, Source, SourceOutput, SourceReader, SourceReaderContext, SourceSplit,
};
use millpond_core::{Error, Result};
use millpond_derive::StateType;
use std::collections::VecDeque;
use std::sync::Arc;

/// How many records one poll emits at most.
const RECORDS_PER_POLL: usize = 512;

/// Emits the elements of a collection once each. Instances share it in contiguous ranges; with one instance the
/// elements come in their order.
///
/// A restored job must bring a collection of the same length: a position in it is an index.
///
/// ```
/// use millpond_connectors::CollectionSource;
/// let words = CollectionSource::from_elements(["to", "be", "or"]);
/// ```
pub struct CollectionSource<T> {
    elements: Arc<[T]>,
}

impl<T> CollectionSource<T> {
    /// The elements of a vector.
    pub fn from_collection(elements: Vec<T>) -> Self {
        CollectionSource {
            elements: elements.into(),
        }
    }

    /// The elements of anything that can be gone through.
    pub fn from_elements(elements: impl IntoIterator<Item = T>) -> Self {
        CollectionSource {
            elements: elements.into_iter().collect(),
        }
    }
}

/// A range of a collection yet to be emitted.
#[derive(Clone, Debug, PartialEq, Eq, StateType)]
#[state_type(name = "millpond.connectors.CollectionSplit")]
pub struct CollectionSplit {
    /// The next index.
    pub next: i64,
    /// The index behind the last.
    pub end: i64,
    /// The length of the whole collection.
    pub length: i64,
}

impl SourceSplit for CollectionSplit {
    fn split_id(&self) -> String {
        format!("..{}", self.end)
    }
}

impl<T: Data + Sync> Source for CollectionSource<T> {
    type Out = T;
    type Split = CollectionSplit;
    type Reader = CollectionReader<T>;

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }

    fn create_splits(&self, parallelism: u32) -> Result<Vec<CollectionSplit>> {
        let length = i64::try_from(self.elements.len()).unwrap_or(i64::MAX);
        Ok(ranges(length, i64::from(parallelism.max(1)))
            .map(|(next, end)| CollectionSplit { next, end, length })
            .collect())
    }

    fn create_reader(&self, _ctx: &SourceReaderContext) -> Result<CollectionReader<T>> {
        Ok(CollectionReader {
            elements: self.elements.clone(),
            splits: VecDeque::new(),
        })
    }
}

/// Emits the ranges of one instance.
pub struct CollectionReader<T> {
    elements: Arc<[T]>,
    splits: VecDeque<CollectionSplit>,
}

impl<T: Data> SourceReader for CollectionReader<T> {
    type Out = T;
    type Split = CollectionSplit;

    fn add_splits(&mut self, splits: Vec<CollectionSplit>) -> Result<()> {
        for split in splits {
            let fits = usize::try_from(split.length) == Ok(self.elements.len())
                && (0..=split.end).contains(&split.next)
                && split.end <= split.length;
            if !fits {
                return Err(Error::incompatible(
                    "restore collection source",
                    "the collection has another length than before",
                )
                .with("length_before", split.length)
                .with("length", self.elements.len())
                .hint("give the job the same collection, or start it without the snapshot"));
            }
            self.splits.push_back(split);
        }
        self.splits.make_contiguous().sort_by_key(|s| s.next);
        Ok(())
    }

    fn poll_next(&mut self, out: &mut SourceOutput<'_, T>) -> Result<InputStatus> {
        while let Some(split) = self.splits.front_mut() {
            let next = usize::try_from(split.next).unwrap_or(usize::MAX);
            let end = usize::try_from(split.end)
                .unwrap_or(0)
                .min(next.saturating_add(RECORDS_PER_POLL));
            let batch = self.elements.get(next..end).unwrap_or_default();
            if batch.is_empty() {
                self.splits.pop_front();
                continue;
            }
            for element in batch {
                split.next += 1;
                out.collect(element.clone())?;
            }
            return Ok(InputStatus::MoreAvailable);
        }
        Ok(InputStatus::EndOfInput)
    }

    fn snapshot_state(&mut self, _checkpoint_id: u64) -> Result<Vec<CollectionSplit>> {
        Ok(self.splits.iter().filter(|s| s.next < s.end).cloned().collect())
    }
}

/// Cuts `0..count` into at most `parts` ranges of nearly equal length, none of them empty.
pub(crate) fn ranges(count: i64, parts: i64) -> impl Iterator<Item = (i64, i64)> {
    let parts = parts.clamp(1, count.max(1));
    let bound = move |i: i64| (i128::from(count) * i128::from(i) / i128::from(parts)) as i64;
    (0..parts)
        .map(move |i| (bound(i), bound(i + 1)))
        .filter(|(a, b)| a < b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{read_all, read_with_restore, readers};
    use millpond_core::ErrorKind;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// Goal: every element comes exactly once, through a snapshot at any moment and at any parallelism.
        #[test]
        fn each_element_comes_once(
            count in 0usize..4000,
            before in 1u32..5,
            after in 1u32..5,
            polls in prop::collection::vec(0usize..6, 1..4),
        ) {
            let source = CollectionSource::from_elements(0..count);
            let mut read = read_with_restore(&source, before, &polls, after).unwrap();
            read.sort_unstable();
            prop_assert_eq!(read, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn one_instance_emits_the_elements_in_order() {
        let source = CollectionSource::from_collection(vec!["to", "be", "or"]);
        assert_eq!(read_all(&source, 1).unwrap(), ["to", "be", "or"]);
    }

    #[test]
    fn another_collection_is_refused_after_a_restore() {
        let splits = CollectionSource::from_elements(0..10).create_splits(2).unwrap();
        let e = readers(&CollectionSource::from_elements(0..9), splits, 2)
            .err()
            .unwrap();
        assert_eq!(e.kind(), ErrorKind::Incompatible);
        assert!(e.to_string().contains("length_before=10 length=9"), "{e}");
    }
}
