//! A source of numbers that come when the clock says so: what a driver that moves the clock lets through, one by one or all.

use millpond::api::{
    Boundedness, InputStatus, Source, SourceOutput, SourceReader, SourceReaderContext, SourceSplit,
};
use millpond::core::host::Clock;
use millpond::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// The numbers of a range, each from the moment on at which it is due.
pub struct Numbers {
    range: Range<i64>,
    /// When a number is due, in milliseconds since the epoch; never earlier than the number before.
    due: fn(i64) -> i64,
    /// Whether the source goes on without numbers behind the last, so that the job stays to be stopped.
    endless: bool,
}

impl Numbers {
    /// The numbers of `range`, each when it is `due`, in milliseconds since the epoch.
    pub fn due(range: Range<i64>, due: fn(i64) -> i64) -> Self {
        Numbers {
            range,
            due,
            endless: false,
        }
    }

    /// The numbers of `range`, at once.
    pub fn at_once(range: Range<i64>) -> Self {
        Numbers::due(range, |_| i64::MIN)
    }

    /// As they are, but without an end behind the last.
    #[must_use]
    pub fn endless(self, endless: bool) -> Self {
        Numbers { endless, ..self }
    }
}

/// Where the source is.
#[derive(Clone, Debug, StateType)]
#[state_type(name = "millpond.interop.NumbersSplit")]
pub struct NumbersSplit {
    next: i64,
}

impl SourceSplit for NumbersSplit {
    fn split_id(&self) -> String {
        "numbers".to_owned()
    }
}

impl Source for Numbers {
    type Out = i64;
    type Split = NumbersSplit;
    type Reader = NumbersReader;

    fn boundedness(&self) -> Boundedness {
        if self.endless {
            Boundedness::ContinuousUnbounded
        } else {
            Boundedness::Bounded
        }
    }

    fn create_splits(&self, _parallelism: u32) -> Result<Vec<NumbersSplit>> {
        Ok(vec![NumbersSplit {
            next: self.range.start,
        }])
    }

    fn create_reader(&self, ctx: &SourceReaderContext) -> Result<NumbersReader> {
        Ok(NumbersReader {
            end: self.range.end,
            due: self.due,
            endless: self.endless,
            clock: Arc::clone(&ctx.clock),
            splits: Vec::new(),
        })
    }
}

/// Reads them.
pub struct NumbersReader {
    end: i64,
    due: fn(i64) -> i64,
    endless: bool,
    clock: Arc<dyn Clock>,
    splits: Vec<NumbersSplit>,
}

impl SourceReader for NumbersReader {
    type Out = i64;
    type Split = NumbersSplit;

    fn add_splits(&mut self, splits: Vec<NumbersSplit>) -> Result<()> {
        self.splits.extend(splits);
        Ok(())
    }

    fn poll_next(&mut self, out: &mut SourceOutput<'_, i64>) -> Result<InputStatus> {
        match self.splits.first_mut() {
            Some(split) if split.next < self.end => {
                let due = (self.due)(split.next);
                if due > self.clock.now_ms() {
                    return Ok(InputStatus::NothingAvailableUntil(due));
                }
                out.collect(split.next)?;
                split.next += 1;
                Ok(InputStatus::MoreAvailable)
            }
            _ if self.endless => Ok(InputStatus::NothingAvailableUntil(i64::MAX)),
            _ => Ok(InputStatus::EndOfInput),
        }
    }

    fn snapshot_state(&mut self, _checkpoint_id: u64) -> Result<Vec<NumbersSplit>> {
        Ok(self.splits.clone())
    }
}
