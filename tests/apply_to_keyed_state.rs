//! `apply_to_keyed_state`: what a broadcast element does to the keyed state of every key, and what it can't.

use millpond_api::Collector;
use millpond_api::function::{
    BroadcastContext, KeyedBroadcastProcessFunction, OnTimerContext, ReadOnlyContext, RuntimeContext,
};
use millpond_core::{Error, Result};
use millpond_runtime::testing::{HarnessBuilder, TwoInputHarness, for_keyed_broadcast_process_function};
use millpond_state::descriptor::{ListStateDescriptor, ValueStateDescriptor};
use millpond_state::keyed::{ListState, ValueState};
use std::collections::BTreeMap;

fn left_descriptor() -> ValueStateDescriptor<i64> {
    ValueStateDescriptor::new("left")
}

/// What the broadcast side asks for.
#[derive(Clone, Debug)]
enum Rule {
    /// Nobody may have more left than this; what a key had before goes into its log, and out.
    Limit(i64),
    /// Keys with nothing more left are forgotten.
    Sweep,
    /// Looks at every key, then fails.
    Fail,
    /// Names the state with another type.
    WrongType,
    /// Uses keyed state after having looked at every key.
    TouchAfterwards,
}

/// Each key has something left, which its elements add to; a timer tells how much.
#[derive(Default)]
struct Budget {
    left: ValueState<i64>,
    log: ListState<i64>,
}

impl KeyedBroadcastProcessFunction for Budget {
    type Key = String;
    type In = (String, i64);
    type Broadcast = Rule;
    type Out = (String, i64);

    fn open(&mut self, ctx: &mut RuntimeContext<'_, String>) -> Result<()> {
        self.left = ctx.state(left_descriptor())?;
        self.log = ctx.list_state(ListStateDescriptor::new("log"))?;
        Ok(())
    }
    fn process_element(
        &mut self,
        (_, n): Self::In,
        ctx: &mut ReadOnlyContext<'_, String>,
        _: &mut Collector<'_, Self::Out>,
    ) -> Result<()> {
        ctx.timer_service().register_event_time_timer(100)?;
        self.left.modify(|left| *left = Some(left.unwrap_or(0) + n))
    }
    fn process_broadcast_element(
        &mut self,
        rule: Rule,
        ctx: &mut BroadcastContext<'_, String>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()> {
        match rule {
            Rule::Limit(limit) => ctx.apply_to_keyed_state(&left_descriptor(), |key, left| {
                let before = left.value()?;
                self.log.add(before)?;
                out.collect((key.clone(), before));
                left.update(before.min(limit))
            }),
            Rule::Sweep => ctx.apply_to_keyed_state(&left_descriptor(), |_, left| {
                if left.value()? <= 0 { left.clear() } else { Ok(()) }
            }),
            Rule::Fail => ctx.apply_to_keyed_state(&left_descriptor(), |key, _| {
                Err(Error::user("no").with("key", key))
            }),
            Rule::WrongType => {
                ctx.apply_to_keyed_state(&ValueStateDescriptor::<String>::new("left"), |_, _| Ok(()))
            }
            Rule::TouchAfterwards => {
                ctx.apply_to_keyed_state(&left_descriptor(), |_, _| Ok(()))?;
                self.left.clear()
            }
        }
    }
    fn on_timer(
        &mut self,
        _: i64,
        ctx: &mut OnTimerContext<'_, String>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()> {
        let left = self.left.get()?.unwrap_or(-1);
        assert!(self.log.get()?.len() <= 1);
        out.collect((ctx.current_key().clone(), left));
        Ok(())
    }
}

type Builder = HarnessBuilder<TwoInputHarness<(String, i64), Rule, (String, i64)>>;

fn builder() -> Builder {
    for_keyed_broadcast_process_function(Budget::default, |(key, _): &(String, i64)| key.clone())
}

fn sorted(records: Vec<(String, i64)>) -> BTreeMap<String, i64> {
    let count = records.len();
    let map: BTreeMap<_, _> = records.into_iter().collect();
    assert_eq!(map.len(), count, "a key came twice");
    map
}

/// Goal: a broadcast element sees and changes every key of its instance, other states of the key too, and no key of
/// another instance. Method: two instances, each with the keys it owns; what the elements and timers emit is compared.
#[test]
fn a_broadcast_element_changes_the_state_of_every_key_of_its_instance() -> Result<()> {
    let keys: Vec<String> = (0..40).map(|n| format!("key-{n}")).collect();
    let mut seen = BTreeMap::new();
    for index in 0..2 {
        let mut h = builder().subtask(index, 2).open()?;
        let mut own = BTreeMap::new();
        for (n, key) in keys.iter().enumerate() {
            if key_owner(key, 2) == index {
                h.process_element1((key.clone(), n as i64), 0)?;
                own.insert(key.clone(), n as i64);
            }
        }
        h.process_element2(Rule::Limit(15), 7)?;
        let shown = sorted(h.take_output());
        assert_eq!(shown, own);
        seen.extend(shown);
        h.process_watermark(100)?;
        let limited = own.iter().map(|(key, n)| (key.clone(), (*n).min(15))).collect();
        assert_eq!(sorted(h.take_output()), limited);
    }
    assert_eq!(seen.len(), keys.len());
    Ok(())
}

#[test]
fn keys_without_state_are_not_shown_and_a_key_may_be_forgotten() -> Result<()> {
    let mut h = builder().open()?;
    h.process_element2(Rule::Limit(15), 7)?;
    assert_eq!(h.take_output(), []);
    h.process_element1(("a".into(), 3), 0)?;
    h.process_element1(("b".into(), 0), 0)?;
    h.process_element2(Rule::Sweep, 7)?;
    h.process_element2(Rule::Limit(15), 7)?;
    assert_eq!(h.take_output(), [("a".to_string(), 3)]);
    h.process_watermark(100)?;
    assert_eq!(
        sorted(h.take_output()),
        [("a".to_string(), 3), ("b".to_string(), -1)].into()
    );
    Ok(())
}

#[test]
fn changes_are_in_the_snapshot_that_follows() -> Result<()> {
    let mut h = builder().open()?;
    h.process_element1(("a".into(), 40), 0)?;
    h.process_element2(Rule::Limit(15), 7)?;
    let mut restored = builder().restore(&[h.snapshot(1)?]).open()?;
    restored.process_watermark(100)?;
    assert_eq!(restored.take_output(), [("a".to_string(), 15)]);
    Ok(())
}

#[test]
fn what_goes_wrong_is_said_and_no_key_stays_current() -> Result<()> {
    let fails = |rule: Rule, says: &[&str]| -> Result<()> {
        let mut h = builder().open()?;
        h.process_element1(("a".into(), 3), 0)?;
        let report = h.process_element2(rule, 7).unwrap_err().report();
        for part in says {
            assert!(report.contains(part), "{report}");
        }
        Ok(())
    };
    fails(Rule::Fail, &["no", "key=a"])?;
    fails(Rule::WrongType, &["left"])?;
    fails(Rule::TouchAfterwards, &["no current key"])
}

fn key_owner(key: &String, parallelism: u32) -> u32 {
    use millpond_types::JavaHash;
    use millpond_types::key_group::{key_group_for_hash, operator_index_for_key_group};
    operator_index_for_key_group(key_group_for_hash(key.java_hash(), 128), 128, parallelism)
}
