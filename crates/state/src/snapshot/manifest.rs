//! The manifest of an incremental snapshot: where each shard of each state lies. Its layout is described in
//! `docs/heap-incremental.md`.

use super::header::{Header, write_header};
use super::{FrozenState, SnapshotSource};
use millpond_core::{Error, Result};
use millpond_types::{DataInput, DataOutput, KeyGroupRange};

/// "MPSM": Millpond shard manifest.
const MAGIC: u32 = 0x4d50_534d;
const VERSION: u16 = 1;

/// Where a shard lies; `length` 0 for a shard without entries, which lies nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ShardLocation {
    /// The position of its file in the manifest's list of files.
    pub(super) file: u32,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) crc32c: u32,
}

/// Shard locations of one state by key group of the snapshot's range.
pub(super) type StateLocations = Vec<Vec<ShardLocation>>;

/// Appends a manifest.
pub(super) fn write_manifest(
    source: &SnapshotSource,
    files: &[String],
    states: &[StateLocations],
    out: &mut DataOutput,
) -> Result<()> {
    out.write_u32(MAGIC);
    out.write_u16(VERSION);
    write_header(source, out)?;
    out.write_u32(source.range.first());
    out.write_u32(source.range.last());
    out.write_i32(count(files.len())?);
    for file in files {
        out.write_utf(file)?;
    }
    for groups in states {
        for shards in groups {
            out.write_i32(count(shards.len())?);
            for shard in shards {
                out.write_u32(shard.file);
                out.write_u64(shard.offset);
                out.write_u64(shard.length);
                out.write_u32(shard.crc32c);
            }
        }
    }
    Ok(())
}

fn count(len: usize) -> Result<i32> {
    i32::try_from(len).map_err(|_| Error::incompatible("write snapshot", "too many shards or files"))
}

/// A manifest that was read.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) header: Header,
    pub(super) range: KeyGroupRange,
    pub(super) files: Vec<String>,
    /// By the states' ids.
    pub(super) states: Vec<StateLocations>,
}

/// The bytes that a shard takes in the manifest.
const SHARD_BYTES: usize = 24;

impl Manifest {
    /// Reads a manifest.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let mut input = DataInput::new(bytes);
        Self::read_from(&mut input).map_err(|e| e.with("at", input.position()))
    }

    fn read_from(input: &mut DataInput<'_>) -> Result<Self> {
        if input.read_u32()? != MAGIC {
            return Err(corrupt("it is not a shard manifest"));
        }
        let version = input.read_u16()?;
        if version != VERSION {
            return Err(corrupt("unknown version").with("version", version));
        }
        let header = Header::read(input)?;
        let range = KeyGroupRange::new(input.read_u32()?, input.read_u32()?)?;
        let mut files = Vec::new();
        for _ in 0..input.read_count(2)? {
            files.push(input.read_utf()?);
        }
        let mut states = Vec::new();
        for _ in &header.states {
            let mut groups = Vec::new();
            for _ in range.iter() {
                let mut shards = Vec::new();
                for _ in 0..input.read_count(SHARD_BYTES)? {
                    shards.push(ShardLocation {
                        file: input.read_u32()?,
                        offset: input.read_u64()?,
                        length: input.read_u64()?,
                        crc32c: input.read_u32()?,
                    });
                }
                groups.push(shards);
            }
            states.push(groups);
        }
        if !input.is_empty() {
            return Err(corrupt("more bytes than it should have").with("bytes_left", input.remaining()));
        }
        Ok(Manifest {
            header,
            range,
            files,
            states,
        })
    }
}

/// The number of shards that a state has in a key group.
pub(super) fn shards_of(state: &dyn FrozenState, group: usize) -> std::ops::Range<usize> {
    0..state.shard_count(group)
}

fn corrupt(message: &'static str) -> Error {
    Error::corrupt("read shard manifest", message)
}
