//! Sources that say more of their splits: event time of each, and who reads which.

use crate::element::WatermarkStatus;
use crate::testing::{Element, HarnessBuilder, SourceHarness, for_source};
use millpond_api::{
    Boundedness, InputStatus, Source, SourceOutput, SourceReader, SourceReaderContext, SourceSplit,
    SplitAssignment, WatermarkStrategy,
};
use millpond_core::Result;
use millpond_types::StateType;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A named split.
#[derive(Clone, StateType)]
struct Lane {
    name: String,
}
impl SourceSplit for Lane {
    fn split_id(&self) -> String {
        self.name.clone()
    }
}

/// What a reader does in its next poll.
#[derive(Clone)]
enum Step {
    /// Emits a record of the lane, with this event time.
    Record(&'static str, i64),
    Select(&'static str),
    Release(&'static str),
}

/// Lanes that belong to the instance whose number is their name's length; what is read is a script.
#[derive(Clone)]
struct Lanes {
    names: Vec<&'static str>,
    script: Arc<Mutex<VecDeque<Step>>>,
    given: Arc<Mutex<Vec<String>>>,
}
impl Lanes {
    fn new(names: &[&'static str]) -> Self {
        Lanes {
            names: names.to_vec(),
            script: Arc::default(),
            given: Arc::default(),
        }
    }
    fn then(&self, h: &mut SourceHarness<i64>, step: Step) -> Result<Vec<Element<i64>>> {
        self.script.lock().unwrap().push_back(step);
        h.poll()?;
        Ok(h.take_elements())
    }
    fn given(&self) -> Vec<String> {
        std::mem::take(&mut self.given.lock().unwrap())
    }
}
impl Source for Lanes {
    type Out = i64;
    type Split = Lane;
    type Reader = LanesReader;
    fn boundedness(&self) -> Boundedness {
        Boundedness::ContinuousUnbounded
    }
    fn split_assignment(&self) -> SplitAssignment<Lane> {
        SplitAssignment::ByOwner(|lane, parallelism| lane.name.len() as u32 % parallelism)
    }
    fn create_splits(&self, _: u32) -> Result<Vec<Lane>> {
        let lane = |name: &&str| Lane { name: (*name).into() };
        Ok(self.names.iter().map(lane).collect())
    }
    fn create_reader(&self, _: &SourceReaderContext) -> Result<LanesReader> {
        Ok(LanesReader {
            source: self.clone(),
            lanes: Vec::new(),
        })
    }
}
struct LanesReader {
    source: Lanes,
    lanes: Vec<Lane>,
}
impl SourceReader for LanesReader {
    type Out = i64;
    type Split = Lane;
    fn add_splits(&mut self, lanes: Vec<Lane>) -> Result<()> {
        let names = lanes.iter().map(|l| l.name.clone());
        self.source.given.lock().unwrap().extend(names);
        self.lanes = lanes;
        Ok(())
    }
    fn poll_next(&mut self, out: &mut SourceOutput<'_, i64>) -> Result<InputStatus> {
        let step = self.source.script.lock().unwrap().pop_front();
        match step {
            Some(Step::Record(lane, time)) => {
                out.select_split(lane);
                out.collect_with_timestamp(time, time)?;
            }
            Some(Step::Select(lane)) => out.select_split(lane),
            Some(Step::Release(lane)) => out.release_split(lane),
            None => {}
        }
        Ok(InputStatus::NothingAvailableUntil(1))
    }
    fn snapshot_state(&mut self, _: u64) -> Result<Vec<Lane>> {
        Ok(self.lanes.clone())
    }
}

fn builder(lanes: &Lanes, idleness_ms: u64) -> HarnessBuilder<SourceHarness<i64>> {
    let strategy = WatermarkStrategy::for_monotonous_timestamps();
    for_source(
        lanes.clone(),
        strategy.with_idleness(Duration::from_millis(idleness_ms)),
    )
}

fn record(time: i64) -> Element<i64> {
    Element::Record(time, Some(time))
}

/// Goal: the watermark is the smallest of the lanes, also of one that had no record yet; one that is idle or at its end holds
/// nothing back, and it never goes back.
#[test]
fn the_watermark_is_the_smallest_of_the_splits_that_count() -> Result<()> {
    use Step::{Record, Release, Select};
    let lanes = Lanes::new(&["a", "b"]);
    let mut h = builder(&lanes, 100).open()?;
    assert_eq!(lanes.then(&mut h, Select("a"))?, []);
    assert_eq!(lanes.then(&mut h, Select("b"))?, []);
    assert_eq!(lanes.then(&mut h, Record("a", 50))?, [record(50)]);
    assert_eq!(
        lanes.then(&mut h, Record("b", 20))?,
        [record(20), Element::Watermark(19)]
    );
    // The slower lane goes on, the faster one counts again.
    assert_eq!(
        lanes.then(&mut h, Record("b", 70))?,
        [record(70), Element::Watermark(49)]
    );
    // At 100 lane a is idle (its record was noted at 0), lane b has one at 90.
    h.set_processing_time(90)?;
    assert_eq!(lanes.then(&mut h, Record("b", 80))?, [record(80)]);
    h.set_processing_time(100)?;
    assert_eq!(h.take_elements(), [Element::Watermark(79)]);
    // A late comer doesn't take it back, but holds it.
    assert_eq!(lanes.then(&mut h, Record("a", 60))?, [record(60)]);
    assert_eq!(lanes.then(&mut h, Record("b", 95))?, [record(95)]);
    assert_eq!(lanes.then(&mut h, Release("a"))?, [Element::Watermark(94)]);
    // The last one is idle: so is the instance, until its next record.
    h.set_processing_time(300)?;
    assert_eq!(h.take_elements(), [Element::Status(WatermarkStatus::Idle)]);
    assert_eq!(
        lanes.then(&mut h, Record("b", 97))?,
        [
            Element::Status(WatermarkStatus::Active),
            record(97),
            Element::Watermark(96)
        ]
    );
    Ok(())
}

/// Goal: when the only lane that wasn't idle ends, the instance is idle: nobody waits for it.
#[test]
fn an_instance_whose_last_active_split_ends_is_idle() -> Result<()> {
    let lanes = Lanes::new(&["a", "b"]);
    let mut h = builder(&lanes, 100).open()?;
    lanes.then(&mut h, Step::Select("a"))?;
    h.set_processing_time(50)?;
    lanes.then(&mut h, Step::Record("b", 10))?;
    h.set_processing_time(100)?;
    h.take_elements();
    assert_eq!(
        lanes.then(&mut h, Step::Release("b"))?,
        [Element::Status(WatermarkStatus::Idle)]
    );
    Ok(())
}

/// Goal: where a rule says who reads what, it does so at the start and after a restore, at any parallelism, and each split has one
/// reader.
#[test]
fn splits_go_to_their_owners() -> Result<()> {
    let lanes = Lanes::new(&["", "a", "bb", "ccc"]);
    let builder = builder(&lanes, 100);
    let mut snapshots = Vec::new();
    for (i, expected) in [(0, vec!["", "bb"]), (1, vec!["a", "ccc"])] {
        let mut h = builder.subtask(i, 2).open()?;
        assert_eq!(lanes.given(), expected);
        snapshots.push(h.snapshot(1)?);
    }
    for (i, expected) in [(0, vec!["", "ccc"]), (1, vec!["a"]), (2, vec!["bb"])] {
        builder.subtask(i, 3).restore(&snapshots).open()?;
        assert_eq!(lanes.given(), expected);
    }
    Ok(())
}
