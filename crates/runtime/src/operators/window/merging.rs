//! Windows that grow together. Flink's `MergingWindowSet`.
//!
//! When windows become one, their contents are not moved to the new window's namespace: they stay where those of one of
//! them are, its *state window*, and only the others are moved there. The set maps each window of the current key to
//! its state window, and is itself state of the key.

use millpond_api::window::{Window, WindowAssigner};
use millpond_core::{Error, Result};
use millpond_state::backend::KeyedStateBackend;
use millpond_state::descriptor::ListStateDescriptor;
use millpond_state::keyed::ListState;
use millpond_types::serializer::tuple::TupleSerializer;
use millpond_types::{StateKey, StateType, VoidNamespace};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// The name of the state, as in Flink.
const STATE_NAME: &str = "merging-window-set";

/// The state of the sets of all keys.
pub(super) type MergingSetState<W> = ListState<(W, W)>;

/// Opens the state of the sets.
pub(super) fn open_state<K: StateKey, W: Window>(
    backend: &mut KeyedStateBackend<K>,
) -> Result<MergingSetState<W>> {
    let pair = Arc::new(TupleSerializer::new((W::serializer(), W::serializer())));
    let descriptor = ListStateDescriptor::with_serializer(STATE_NAME, pair);
    backend.list_state(descriptor, VoidNamespace::serializer(), VoidNamespace)
}

/// A merge that has been made in the set and is to be made in the states.
pub(super) struct Merge<W> {
    /// The window that the others became.
    pub(super) result: W,
    /// Windows that were there before and are no more; the result itself can be among them.
    pub(super) merged: Vec<W>,
    /// Where the result's contents are.
    pub(super) state_window: W,
    /// Where contents are that have to be moved there.
    pub(super) merged_state_windows: Vec<W>,
}

/// The windows of the current key.
pub(super) struct MergingWindowSet<'a, W> {
    mapping: BTreeMap<W, W>,
    changed: bool,
    state: &'a MergingSetState<W>,
}

impl<'a, W: Window> MergingWindowSet<'a, W> {
    /// Reads the set of the current key.
    pub(super) fn load(state: &'a MergingSetState<W>) -> Result<Self> {
        Ok(MergingWindowSet {
            mapping: state.with(|pairs| pairs.iter().copied().collect())?,
            changed: false,
            state,
        })
    }

    /// Writes the set back if it changed.
    pub(super) fn persist(&mut self) -> Result<()> {
        if std::mem::take(&mut self.changed) {
            self.state
                .update(self.mapping.iter().map(|(w, s)| (*w, *s)).collect())?;
        }
        Ok(())
    }

    /// Where the contents of a window are; `None` when the window isn't there (any more).
    pub(super) fn state_window(&self, window: W) -> Option<W> {
        self.mapping.get(&window).copied()
    }

    /// Forgets a window.
    pub(super) fn retire(&mut self, window: W) -> Result<()> {
        self.changed = true;
        self.mapping.remove(&window).map(drop).ok_or_else(|| {
            Error::illegal_state(
                "retire window",
                "the window is not in the set of the key's windows",
            )
            .with("window", window)
        })
    }

    /// Adds a window. Returns the window that it is, or is part of, now, and the merges that this needed.
    pub(super) fn add<T>(
        &mut self,
        window: W,
        assigner: &impl WindowAssigner<T, Window = W>,
    ) -> (W, Vec<Merge<W>>) {
        let mut windows: Vec<W> = self.mapping.keys().copied().collect();
        windows.push(window);
        let mut actual = window;
        let mut merges = Vec::new();
        for (result, mut merged) in assigner.merge_windows(&windows) {
            if let Some(at) = merged.iter().position(|w| *w == window) {
                if !self.mapping.contains_key(&window) {
                    merged.remove(at);
                }
                actual = result;
            }
            // Only windows with contents are left, so there is at least one.
            let Some(state_window) = merged.first().and_then(|w| self.state_window(*w)) else {
                continue;
            };
            // An older window that contains the new one stays as it is.
            if merged == [result] {
                continue;
            }
            let state_windows = merged.iter().filter_map(|w| self.mapping.remove(w));
            let merged_state_windows = state_windows.filter(|w| *w != state_window).collect();
            self.mapping.insert(result, state_window);
            self.changed = true;
            merges.push(Merge {
                result,
                merged,
                state_window,
                merged_state_windows,
            });
        }
        if let Entry::Vacant(vacant) = self.mapping.entry(actual) {
            vacant.insert(actual);
            self.changed = true;
        }
        (actual, merges)
    }
}
