//! Whether two dumps tell of the same state, by operator and state.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A state of an operator: its uid, then the state's name.
pub type StateName = (String, String);

/// The states that were compared. For each a difference, in words, or `None` where there is none.
pub type Comparison = BTreeMap<StateName, Option<String>>;

/// What one state held: each line as often as it was told.
type Held = BTreeMap<String, usize>;

/// Lines of one state by the subtask that they name, or by none.
type BySubtask = BTreeMap<Option<u64>, Held>;

/// Compares what `found` tells with `truth`. Lines that name a subtask tell of state of which every subtask has a copy: each of
/// `found_parallelism` copies has to be as one of `truth`'s.
pub fn compare(truth: &[Value], found: &[Value], found_parallelism: u32) -> Comparison {
    let (truth, found) = (by_state(truth), by_state(found));
    let names: BTreeSet<_> = truth.keys().chain(found.keys()).cloned().collect();
    names
        .into_iter()
        .map(|name| {
            let (Some(wanted), Some(got)) = (truth.get(&name), found.get(&name)) else {
                let which = if truth.contains_key(&name) {
                    "found"
                } else {
                    "expected"
                };
                return (name, Some(format!("nothing was {which}")));
            };
            let difference = compare_copies(wanted, got, found_parallelism);
            (name, difference)
        })
        .collect()
}

fn compare_copies(wanted: &BySubtask, got: &BySubtask, parallelism: u32) -> Option<String> {
    let nothing = Held::new();
    let copied = wanted.keys().any(Option::is_some);
    let first = wanted.values().next().unwrap_or(&nothing);
    let expected: BTreeMap<Option<u64>, &Held> = if copied {
        (0..u64::from(parallelism)).map(|s| (Some(s), first)).collect()
    } else {
        BTreeMap::from([(None, first)])
    };
    let subtasks: BTreeSet<_> = expected.keys().chain(got.keys()).collect();
    subtasks.into_iter().find_map(|subtask| {
        let wanted = expected.get(subtask).copied().unwrap_or(&nothing);
        let got = got.get(subtask).unwrap_or(&nothing);
        let text = difference(wanted, got)?;
        Some(subtask.map_or(text.clone(), |s| format!("in subtask {s}: {text}")))
    })
}

/// The first line that is there more or less often than it should be.
fn difference(wanted: &Held, got: &Held) -> Option<String> {
    let lines: BTreeSet<_> = wanted.keys().chain(got.keys()).collect();
    let wrong: Vec<_> = lines
        .into_iter()
        .map(|line| {
            let times = |held: &Held| held.get(line).copied().unwrap_or(0);
            (line, times(wanted), times(got))
        })
        .filter(|(_, wanted, got)| wanted != got)
        .collect();
    let (line, wanted, got) = wrong.first()?;
    Some(format!(
        "{} lines differ, the first: {line} should be there {wanted} times, is {got} times",
        wrong.len()
    ))
}

fn by_state(lines: &[Value]) -> BTreeMap<StateName, BySubtask> {
    let mut states: BTreeMap<StateName, BySubtask> = BTreeMap::new();
    for line in lines {
        let text = |name: &str| {
            line.get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let subtask = line.get("subtask").and_then(Value::as_u64);
        let mut rest = line.clone();
        if let Some(object) = rest.as_object_mut() {
            for name in ["operator", "state", "subtask"] {
                object.remove(name);
            }
        }
        *states
            .entry((text("operator"), text("state")))
            .or_default()
            .entry(subtask)
            .or_default()
            .entry(rest.to_string())
            .or_default() += 1;
    }
    states
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn differences(truth: &[Value], found: &[Value], parallelism: u32) -> Vec<String> {
        compare(truth, found, parallelism)
            .into_values()
            .flatten()
            .collect()
    }

    /// Goal: a difference of every sort is seen. Method: one dump against changed ones.
    #[test]
    fn more_fewer_other_and_missing_lines_are_differences() {
        let line = |state: &str, value: i64| json!({"operator": "o", "state": state, "value": value});
        let truth = [line("a", 1), line("a", 2), line("b", 1)];
        assert!(
            differences(&truth, &[line("b", 1), line("a", 2), line("a", 1)], 1).is_empty(),
            "order is no difference"
        );
        for found in [
            &[line("a", 1), line("b", 1)][..],
            &[line("a", 1), line("a", 2), line("a", 2), line("b", 1)],
            &[line("a", 1), line("a", 3), line("b", 1)],
            &[line("a", 1), line("a", 2)],
            &[line("a", 1), line("a", 2), line("b", 1), line("c", 1)],
        ] {
            assert_eq!(differences(&truth, found, 1).len(), 1, "{found:?}");
        }
    }

    /// Goal: every subtask must have its copy. Method: copies that are whole, missing, and different.
    #[test]
    fn each_subtask_has_to_have_its_copy() {
        let line = |subtask: u32, value: i64| json!({"operator": "o", "state": "u", "subtask": subtask, "value": value});
        let truth = [line(0, 7), line(1, 7)];
        assert!(differences(&truth, &[line(0, 7), line(1, 7), line(2, 7)], 3).is_empty());
        assert_eq!(differences(&truth, &[line(0, 7), line(2, 7)], 3).len(), 1);
        assert_eq!(differences(&truth, &[line(0, 7), line(1, 8)], 2).len(), 1);
        assert_eq!(differences(&truth, &[line(0, 7), line(1, 7)], 1).len(), 1);
    }
}
