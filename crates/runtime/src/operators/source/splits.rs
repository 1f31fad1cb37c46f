//! Who reads which split: at the first start, and after a restore.
//!
//! Each split is stored with its number in the first enumeration, so that an instance that gets splits of several others reads
//! them in that order. A marker beside them tells a source that read everything from one that was never started. Where a rule says
//! who reads what ([`SplitAssignment::ByOwner`]), every restored instance looks at the splits of all and keeps its own.

use crate::operator::TaskInfo;
use millpond_api::{Source, SourceSplit, SplitAssignment};
use millpond_core::Result;
use millpond_core::hash::HashMap;
use millpond_state::descriptor::ListStateDescriptor;
use millpond_state::operator_state::{OperatorListState, OperatorStateBackend};
use std::sync::{Mutex, PoisonError};

/// The name of the splits' state, as in Flink's `SourceOperator`.
const SPLITS_STATE: &str = "SourceReaderState";
/// The name of the marker's state.
const ENUMERATED_STATE: &str = "millpond-source-enumerated";

/// All splits of a source, enumerated once for all its instances at a start of the job.
pub(super) struct Enumeration<P> {
    /// The start of the whole job that it was made for, and the splits. An instance that is restarted alone gets the same again.
    made: Mutex<Option<(u32, Vec<P>)>>,
}

impl<P: Clone> Enumeration<P> {
    pub(super) fn new() -> Self {
        Enumeration {
            made: Mutex::new(None),
        }
    }

    /// The splits of one instance with their numbers: whoever asks first enumerates for all.
    fn splits_of<S: Source<Split = P>>(&self, source: &S, task: &TaskInfo) -> Result<Vec<(i64, P)>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let splits = match made.take() {
            Some((attempt, splits)) if attempt == task.started_with => splits,
            _ => source.create_splits(task.parallelism)?,
        };
        let assignment = source.split_assignment();
        let is_own = |split: &P, number: i64| match assignment {
            SplitAssignment::RoundRobin => {
                number % i64::from(task.parallelism) == i64::from(task.subtask_index)
            }
            SplitAssignment::ByOwner(owner) => owner(split, task.parallelism) == task.subtask_index,
        };
        let own = splits
            .iter()
            .zip(0i64..)
            .filter(|(split, number)| is_own(split, *number))
            .map(|(split, number)| (number, split.clone()))
            .collect();
        *made = Some((task.started_with, splits));
        Ok(own)
    }
}

/// The splits of one instance in its operator state.
pub(super) struct SplitState<P: SourceSplit> {
    splits: OperatorListState<(i64, P)>,
    enumerated: OperatorListState<bool>,
    /// The number of each split that this instance was given.
    numbers: HashMap<String, i64>,
}

impl<P: SourceSplit> SplitState<P> {
    /// Opens the state and says which splits to read, in order.
    pub(super) fn open<S: Source<Split = P>>(
        state: &mut OperatorStateBackend,
        source: &S,
        enumeration: &Enumeration<P>,
        task: &TaskInfo,
    ) -> Result<(Self, Vec<P>)> {
        let descriptor = ListStateDescriptor::<(i64, P)>::new(SPLITS_STATE);
        let assignment = source.split_assignment();
        let splits = match assignment {
            SplitAssignment::RoundRobin => state.list_state(&descriptor)?,
            SplitAssignment::ByOwner(_) => state.union_list_state(&descriptor)?,
        };
        let enumerated = state.union_list_state(&ListStateDescriptor::<bool>::new(ENUMERATED_STATE))?;
        let mut own = if enumerated.is_empty()? {
            enumeration.splits_of(source, task)?
        } else {
            splits.get()?
        };
        if let SplitAssignment::ByOwner(owner) = assignment {
            own.retain(|(_, split)| owner(split, task.parallelism) == task.subtask_index);
        }
        own.sort_by_key(|(number, _)| *number);
        let numbers = own
            .iter()
            .map(|(number, split)| (split.split_id(), *number))
            .collect();
        let split_state = SplitState {
            splits,
            enumerated,
            numbers,
        };
        Ok((split_state, own.into_iter().map(|(_, split)| split).collect()))
    }

    /// Notes the unfinished splits.
    pub(super) fn update(&self, unfinished: Vec<P>) -> Result<()> {
        let numbered = unfinished
            .into_iter()
            .map(|split| {
                let number = self.numbers.get(&split.split_id());
                (number.copied().unwrap_or(i64::MAX), split)
            })
            .collect();
        self.splits.update(numbered)?;
        self.enumerated.update(vec![true])
    }
}
