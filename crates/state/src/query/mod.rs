//! Looking at keyed state from outside, by the text of a key: what a query of a running job is answered from.
//!
//! Whoever asks knows no Rust types. The key is encoded by the key serializer's snapshot, the backend hands out the pairs of
//! bytes that it would write into a canonical snapshot for that key, and those are rendered by the serializer snapshots of
//! the state. So every backend only has to find pairs.

mod view;

pub use view::StateView;
pub(crate) use view::view;

use crate::snapshot::StateMetaInfoSnapshot;
use millpond_core::{Error, ErrorKind, Result};
use millpond_types::snapshot::encode::{encode, is_word};
use millpond_types::snapshot::render::Rendered;
use millpond_types::{DataInput, DataOutput, SharedSerializer};

/// What the state of one key may take in bytes to be shown: it is copied for that.
pub(crate) const PAIR_BYTES_MAX: usize = 16 << 20;

/// A key as a person writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryKey {
    text: String,
    tree: Option<Rendered>,
}

impl QueryKey {
    /// The key that `text` stands for: a string as it is, a number, a boolean, an enum's constant.
    pub fn text(text: impl Into<String>) -> Self {
        QueryKey {
            text: text.into(),
            tree: None,
        }
    }

    /// The same text read as JSON, for keys that are tuples, lists or structs.
    #[must_use]
    pub fn with_json(mut self, tree: Rendered) -> Self {
        self.tree = Some(tree);
        self
    }

    /// The key itself.
    ///
    /// # Errors
    /// Config when it doesn't fit the type; Unsupported for a type that can't be written down.
    pub(crate) fn read<K: 'static>(&self, serializer: &SharedSerializer<K>) -> Result<K> {
        let snapshot = serializer.snapshot();
        let text = Rendered::Text(self.text.clone());
        let tree = match &self.tree {
            Some(tree) if !is_word(&snapshot) => tree,
            _ => &text,
        };
        let mut bytes = DataOutput::new();
        encode(&snapshot, tree, &mut bytes)
            .map_err(|e| e.with("key", &self.text).with("key_type", &snapshot))?;
        // A serializer of the user's own may write something else under a well-known snapshot.
        serializer
            .deserialize(&mut DataInput::new(bytes.as_slice()))
            .map_err(|e| {
                Error::config("read key", "the key's serializer refuses it")
                    .with("key", &self.text)
                    .with("key_type", &snapshot)
                    .source(e)
            })
    }
}

/// What an operator instance answers to a query.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryAnswer {
    /// What the key has.
    Found(StateView),
    /// The key is another instance's.
    Elsewhere {
        /// The key group that it belongs to.
        key_group: u32,
    },
}

/// The pairs of one key in one state: each key without the key group in front, each value.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    pub(crate) pairs: Vec<(Vec<u8>, Vec<u8>)>,
    bytes: usize,
}

impl Pairs {
    /// Adds a pair.
    ///
    /// # Errors
    /// Unsupported when all of them together take too much.
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.bytes = self.bytes.saturating_add(key.len()).saturating_add(value.len());
        if self.bytes > PAIR_BYTES_MAX {
            return Err(too_large());
        }
        self.pairs.push((key.to_vec(), value.to_vec()));
        Ok(())
    }
}

pub(crate) fn too_large() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "query state",
        "what the key has is too large to be shown",
    )
    .with("bytes_max", PAIR_BYTES_MAX)
}

/// The error for a state that is not open, which names those that are.
pub(crate) fn unknown_state<'a>(state: &str, open: impl Iterator<Item = &'a StateMetaInfoSnapshot>) -> Error {
    let names: Vec<_> = open.map(|meta| meta.name.as_str()).collect();
    let error = Error::new(
        ErrorKind::NotFound,
        "query state",
        "the operator has no such keyed state",
    )
    .with("state", state);
    if names.is_empty() {
        return error.hint("it has no keyed state at all");
    }
    error.hint(format!("it has {}", names.join(", ")))
}
