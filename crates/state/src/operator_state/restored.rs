//! Operator state as a snapshot holds it, until a function opens it and says what type it is.
//!
//! Streams are read and indexed at once; elements are decoded when the state is opened. What is never opened goes into the
//! next snapshot byte for byte.

use super::frozen::{ElementWriter, FrozenState};
use super::meta::{Header, KEY_SERIALIZER, VALUE_SERIALIZER, mode_name, mode_of};
use crate::handle::{OperatorStateHandle, OperatorStateMode, StreamStateHandle};
use crate::snapshot::StateMetaInfoSnapshot;
use crate::snapshot::compression::decompress;
use crate::stream::StateHandleReader;
use bytes::Bytes;
use millpond_core::{Error, Result};
use millpond_types::snapshot::skip::skip_value;
use millpond_types::{Compatibility, DataInput, SerializerSnapshot, SharedSerializer};
use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;

/// One state, from all the streams that hold elements of it.
#[derive(Clone, Debug)]
pub(super) struct RestoredState {
    meta: StateMetaInfoSnapshot,
    mode: OperatorStateMode,
    parts: Vec<RestoredPart>,
}

/// The elements of one state in one stream.
#[derive(Clone, Debug)]
pub(super) struct RestoredPart {
    /// What this stream says about the state: serializers may differ from one old instance to the other, in what subclasses
    /// they had met.
    meta: StateMetaInfoSnapshot,
    stream: Bytes,
    elements: Vec<Range<usize>>,
}

/// What follows a stream's header, decompressed.
struct Elements {
    bytes: Bytes,
    /// Where it begins in the stream, and where it ends.
    stored: Range<usize>,
    /// Where chunks begin, in the stream and in `bytes`; `None`: it was not compressed.
    chunks: Option<Vec<(usize, usize)>>,
}

impl Elements {
    fn read(stream: &Bytes, begin: usize, compressed: bool) -> Result<Self> {
        let (mut bytes, mut chunks) = (stream.slice(begin..), None);
        if compressed {
            let mut found = Vec::new();
            bytes = decompress(&bytes, |at, content| found.push((begin + at, content)))
                .map_err(|e| e.with("begin", begin))?
                .into();
            chunks = Some(found);
        }
        Ok(Elements {
            bytes,
            stored: begin..stream.len(),
            chunks,
        })
    }

    /// Where in `bytes` the element lies that begins at `offset` of the stream; `None` where none can begin.
    fn position(&self, offset: u64) -> Option<usize> {
        let offset = usize::try_from(offset).ok()?;
        match &self.chunks {
            _ if offset == self.stored.end => Some(self.bytes.len()),
            None => offset
                .checked_sub(self.stored.start)
                .filter(|p| *p < self.bytes.len()),
            Some(chunks) => {
                let chunk = chunks.binary_search_by_key(&offset, |(at, _)| *at).ok()?;
                chunks.get(chunk).map(|(_, content)| *content)
            }
        }
    }
}

/// Reads values in the format that they were written in.
#[derive(Debug)]
pub(super) struct Reader<'a, T> {
    state: &'a str,
    serializer: &'a SharedSerializer<T>,
    /// The stored format, if it is another than the serializer's own.
    migrate_from: Option<&'a SerializerSnapshot>,
}

/// Reads the streams of `handles`, and indexes what they hold by state.
pub(super) fn read_all(
    handles: &[OperatorStateHandle],
    reader: &dyn StateHandleReader,
) -> Result<BTreeMap<String, RestoredState>> {
    let mut states = BTreeMap::new();
    for handle in handles {
        let stream = read_stream(&handle.stream, reader)?;
        index(handle, &stream, &mut states)?;
    }
    Ok(states)
}

fn read_stream(handle: &StreamStateHandle, reader: &dyn StateHandleReader) -> Result<Bytes> {
    let mut bytes = Vec::new();
    // One byte more than there should be: a stream that is too long is as wrong as one that is too short.
    reader
        .open(handle)?
        .take(handle.size().saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|e| match e.kind() {
            std::io::ErrorKind::InvalidData => {
                Error::corrupt("read operator state", "the stream is damaged").source(e)
            }
            _ => Error::io("read operator state", e),
        })?;
    if bytes.len() as u64 != handle.size() {
        return Err(Error::corrupt(
            "read operator state",
            "the stream is not as long as its handle says",
        )
        .with("bytes_expected", handle.size())
        .with("bytes_read", bytes.len()));
    }
    Ok(Bytes::from(bytes))
}

fn index(
    handle: &OperatorStateHandle,
    stream: &Bytes,
    states: &mut BTreeMap<String, RestoredState>,
) -> Result<()> {
    let mut input = DataInput::new(stream);
    let header = Header::read(&mut input).map_err(|e| e.with("at", input.position()))?;
    let elements_begin = input.position();
    let stored = Elements::read(stream, elements_begin, header.compressed)?;
    let offsets = handle.states.values().flat_map(|s| &s.offsets);
    let mut boundaries: Vec<usize> = offsets.filter_map(|offset| stored.position(*offset)).collect();
    boundaries.sort_unstable();
    let known = |name: &str| {
        header
            .lists
            .iter()
            .chain(&header.broadcasts)
            .any(|m| m.name == name)
    };
    if let Some(name) = handle.states.keys().find(|name| !known(name)) {
        return Err(Error::corrupt(
            "read operator state",
            "the stream does not describe a state that its handle names",
        )
        .with("at", elements_begin)
        .with("state", name));
    }
    for meta in header.lists.into_iter().chain(header.broadcasts) {
        let mode = mode_of(&meta).map_err(|e| e.with("at", elements_begin))?;
        let mut elements = Vec::new();
        if let Some(named) = handle.states.get(&meta.name) {
            if named.mode != mode {
                return Err(Error::corrupt(
                    "read operator state",
                    "handle and stream disagree about the mode",
                )
                .with("at", elements_begin)
                .with("state", &meta.name)
                .with("handle", mode_name(named.mode))
                .with("stream", mode_name(mode)));
            }
            for offset in &named.offsets {
                let start = stored.position(*offset).ok_or_else(|| {
                    Error::corrupt("read operator state", "an element lies outside the stream")
                        .with("state", &meta.name)
                        .with("offset", offset)
                        .with("bytes", stream.len())
                })?;
                // Up to the next element that the handle names, or the end. Where a handle has lost offsets to other instances when
                // the state was split, that is more than the element itself; no reader minds, since a serializer knows where its
                // value ends.
                let next = boundaries.partition_point(|b| *b <= start);
                elements.push(start..boundaries.get(next).copied().unwrap_or(stored.bytes.len()));
            }
        }
        let part = RestoredPart {
            meta: meta.clone(),
            stream: stored.bytes.clone(),
            elements,
        };
        states
            .entry(meta.name.clone())
            .or_insert_with(|| RestoredState {
                meta,
                mode,
                parts: Vec::new(),
            })
            .parts
            .push(part);
    }
    Ok(())
}

impl RestoredState {
    /// The state's name.
    pub(super) fn name(&self) -> &str {
        &self.meta.name
    }

    /// Whether it can be opened as what `wanted` describes, as far as its kind goes.
    pub(super) fn check(&self, wanted: &StateMetaInfoSnapshot) -> Result<()> {
        let wanted = mode_of(wanted)?;
        if self.mode == wanted {
            return Ok(());
        }
        Err(Error::incompatible(
            "open operator state",
            "the snapshot holds another kind of state under this name",
        )
        .with("state", self.name())
        .with("stored", mode_name(self.mode))
        .with("opened_as", mode_name(wanted))
        .hint("open it as what it was, or give the new state another name"))
    }

    /// What each stream holds of it.
    pub(super) fn parts(&self) -> &[RestoredPart] {
        &self.parts
    }
}

impl RestoredPart {
    /// The elements; each input may reach farther than its element.
    pub(super) fn elements(&self) -> impl Iterator<Item = DataInput<'_>> {
        self.bytes().map(DataInput::new)
    }

    /// How `serializer` reads what stands under `role`.
    pub(super) fn reader<'a, T: 'static>(
        &'a self,
        role: &'static str,
        serializer: &'a SharedSerializer<T>,
    ) -> Result<Reader<'a, T>> {
        let state = self.meta.name.as_str();
        let stored = self.meta.serializer(role)?;
        let migrate_from = match serializer.resolve_compatibility(stored) {
            Compatibility::AsIs => None,
            Compatibility::AfterMigration => Some(stored),
            Compatibility::Incompatible(reason) => {
                return Err(Error::incompatible(
                    "open operator state",
                    format!("the stored elements cannot be read as this type: {reason}"),
                )
                .with("state", state)
                .with("stored", stored)
                .with("opened_as", serializer.snapshot())
                .hint("keep the type that the snapshot was taken with, or give the new state another name"));
            }
        };
        Ok(Reader {
            state,
            serializer,
            migrate_from,
        })
    }

    /// The element at the front of `bytes` without what follows it, where its end can be told without its type. Else all of
    /// `bytes`: that reads the same.
    fn exactly<'a>(&self, mode: OperatorStateMode, bytes: &'a [u8]) -> &'a [u8] {
        let mut input = DataInput::new(bytes);
        match self.skip(mode, &mut input) {
            Ok(()) => bytes.get(..input.position()).unwrap_or(bytes),
            Err(_) => bytes,
        }
    }

    fn skip(&self, mode: OperatorStateMode, input: &mut DataInput<'_>) -> Result<()> {
        let value = self.meta.serializer(VALUE_SERIALIZER)?;
        if mode != OperatorStateMode::Broadcast {
            return skip_value(value, input);
        }
        let key = self.meta.serializer(KEY_SERIALIZER)?;
        for _ in 0..input.read_count(1)? {
            skip_value(key, input)?;
            skip_value(value, input)?;
        }
        Ok(())
    }

    fn bytes(&self) -> impl Iterator<Item = &[u8]> {
        let bytes = |range: &Range<usize>| self.stream.get(range.clone()).unwrap_or_default();
        self.elements.iter().map(bytes)
    }
}

impl<T: 'static> Reader<'_, T> {
    /// Reads one value.
    pub(super) fn read(&self, input: &mut DataInput<'_>) -> Result<T> {
        match self.migrate_from {
            None => self.serializer.deserialize(input),
            Some(stored) => self.serializer.deserialize_migrating(stored, input),
        }
        .map_err(|e| e.with("state", self.state))
    }
}

impl FrozenState for RestoredState {
    fn meta(&self) -> &StateMetaInfoSnapshot {
        &self.meta
    }
    fn mode(&self) -> OperatorStateMode {
        self.mode
    }
    fn write(&self, out: &mut ElementWriter) -> Result<Vec<u64>> {
        // Instances hold the same broadcast state, so that one copy is all of it.
        let limit = match self.mode {
            OperatorStateMode::Broadcast => 1,
            OperatorStateMode::SplitDistribute | OperatorStateMode::Union => usize::MAX,
        };
        let elements = self.parts.iter().flat_map(|part| {
            let mode = self.mode;
            part.bytes().map(move |bytes| part.exactly(mode, bytes))
        });
        elements
            .take(limit)
            .map(|bytes| {
                out.element(|buffer| {
                    buffer.write_bytes(bytes);
                    Ok(())
                })
            })
            .collect()
    }
}
