//! What a key has in a state, as people see it.

use super::Pairs;
use crate::descriptor::StateKind;
use crate::snapshot::StateMetaInfoSnapshot;
use crate::snapshot::key_layout::{is_variable_sized, read_length_mark};
use crate::snapshot::meta_info::{NAMESPACE_SERIALIZER, VALUE_SERIALIZER};
use millpond_core::{Error, Result};
use millpond_types::snapshot::class;
use millpond_types::snapshot::render::{Rendered, Renderer, object};
use millpond_types::snapshot::skip::skip_value;
use millpond_types::{DataInput, SerializerSnapshot};

/// About what the answer may take: what a person can still look at, and no terminal chokes on.
const VIEW_BYTES_MAX: usize = 1 << 20;
/// Stands between the elements of a list.
const DELIMITER: u8 = b',';

/// What a key has in a state.
#[derive(Clone, Debug, PartialEq)]
pub struct StateView {
    /// The state's name.
    pub state: String,
    /// Its kind, as snapshots store it (VALUE, LIST, MAP, REDUCING, AGGREGATING).
    pub kind: String,
    /// The type of the key.
    pub key_type: String,
    /// The type of what the state holds.
    pub value_type: String,
    /// The key group that the key belongs to.
    pub key_group: u32,
    /// What the key has: by namespace for state of windows, else under one namespace that is null. Nothing when it has none.
    pub entries: Vec<(Rendered, Rendered)>,
    /// Whether there is more than what is shown.
    pub is_cut: bool,
}

/// The state as one JSON object. `value` is null where there is none; state of windows has `namespaces` in its place.
impl StateView {
    /// The answer as a tree.
    pub fn render(&self) -> Rendered {
        let text = |text: &str| Rendered::Text(text.to_owned());
        let namespaced = self
            .entries
            .iter()
            .any(|(namespace, _)| *namespace != Rendered::Null);
        let (name, value) = if namespaced {
            let entry = |(namespace, value): &(Rendered, Rendered)| {
                object([("namespace", namespace.clone()), ("value", value.clone())])
            };
            (
                "namespaces",
                Rendered::List(self.entries.iter().map(entry).collect()),
            )
        } else {
            let first = self.entries.first();
            ("value", first.map_or(Rendered::Null, |(_, value)| value.clone()))
        };
        object([
            ("state", text(&self.state)),
            ("kind", text(&self.kind)),
            ("keyType", text(&self.key_type)),
            ("valueType", text(&self.value_type)),
            ("keyGroup", Rendered::UInt(u64::from(self.key_group))),
            (name, value),
            ("truncated", Rendered::Bool(self.is_cut)),
        ])
    }
}

/// Renders the pairs of one key.
///
/// # Errors
/// Incompatible when only the user's own serializer knows the layout of keys, namespaces or values.
pub(crate) fn view(
    meta: &StateMetaInfoSnapshot,
    key: &SerializerSnapshot,
    key_group: u32,
    pairs: &Pairs,
) -> Result<StateView> {
    let namespace = meta.serializer(NAMESPACE_SERIALIZER)?;
    let value = meta.serializer(VALUE_SERIALIZER)?;
    let kind = meta.kind().unwrap_or_default();
    let mut renderer = Renderer::new(VIEW_BYTES_MAX);
    let mut entries: Vec<(Rendered, Rendered)> = Vec::new();
    // The pairs of one namespace stand together.
    let mut last: Option<&[u8]> = None;
    for (key_bytes, value_bytes) in &pairs.pairs {
        if renderer.is_cut() {
            break;
        }
        let mut input = DataInput::new(key_bytes);
        let (found, start) = read_namespace(&mut renderer, key, namespace, &mut input)?;
        let namespace_bytes = key_bytes.get(start..input.position()).unwrap_or_default();
        let (mut user_key, mut bytes) = (input, DataInput::new(value_bytes));
        let rendered = entry(&mut renderer, kind, value, &mut user_key, &mut bytes)?;
        match (entries.last_mut(), rendered) {
            (Some((_, Rendered::Map(map))), Rendered::Map(more)) if last == Some(namespace_bytes) => {
                map.extend(more);
            }
            (_, rendered) => entries.push((found, rendered)),
        }
        last = Some(namespace_bytes);
    }
    Ok(StateView {
        state: meta.name.clone(),
        kind: kind.to_owned(),
        key_type: key.to_string(),
        value_type: value.to_string(),
        key_group,
        entries,
        is_cut: renderer.is_cut(),
    })
}

/// Reads over the key, and reads the namespace; also says where the namespace starts.
fn read_namespace(
    renderer: &mut Renderer,
    key: &SerializerSnapshot,
    namespace: &SerializerSnapshot,
    input: &mut DataInput<'_>,
) -> Result<(Rendered, usize)> {
    let marked = is_variable_sized(key) && is_variable_sized(namespace);
    let start = input.position();
    skip_value(key, input)?;
    if marked {
        read_length_mark(input.position() - start, input)?;
    }
    let start = input.position();
    let is_void = namespace.class_name == class::VOID_NAMESPACE;
    let found = renderer.render(namespace, input)?;
    if marked {
        read_length_mark(input.position() - start, input)?;
    }
    Ok((if is_void { Rendered::Null } else { found }, start))
}

/// Renders one pair, by the layout that its kind of state has in a canonical snapshot.
fn entry(
    renderer: &mut Renderer,
    kind: &str,
    snapshot: &SerializerSnapshot,
    user_key: &mut DataInput<'_>,
    value: &mut DataInput<'_>,
) -> Result<Rendered> {
    if kind == StateKind::Map.as_str()
        && let [key, user_value] = snapshot.nested.as_slice()
    {
        let key = renderer.render(key, user_key)?;
        let value = match value.read_bool()? {
            true => Rendered::Null,
            false => renderer.render(user_value, value)?,
        };
        return Ok(Rendered::Map(vec![(key, value)]));
    }
    if kind == StateKind::List.as_str()
        && let [element] = snapshot.nested.as_slice()
    {
        let mut list = vec![renderer.render(element, value)?];
        while !value.is_empty() && !renderer.is_cut() {
            if value.read_u8()? != DELIMITER {
                return Err(Error::corrupt(
                    "query state",
                    "no delimiter between two elements of a list",
                ));
            }
            list.push(renderer.render(element, value)?);
        }
        return Ok(Rendered::List(list));
    }
    renderer.render(snapshot, value)
}
