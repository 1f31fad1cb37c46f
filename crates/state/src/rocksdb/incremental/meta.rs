//! The metadata stream of an incremental snapshot: the header of a canonical one (which is all that Flink's has), then the
//! column family of each state and where the timers of each key group start in their file. Layout in `docs/rocksdb.md`.

use crate::handle::{IncrementalRemoteKeyedStateHandle, KeyGroupsStateHandle, StreamStateHandle};
use crate::snapshot::header::{Header, write_header};
use crate::snapshot::{FrozenState, PairWriter, SnapshotSource, StateMetaInfoSnapshot};
use millpond_core::{Error, Result};
use millpond_types::{DataInput, DataOutput};

/// "MPRM": Millpond RocksDB manifest.
const MAGIC: u32 = 0x4d50_524d;
const VERSION: u16 = 2;
/// Knows of no unwritten entries.
const VERSION_1: u16 = 1;
/// The private file that holds timers, as a canonical snapshot of them alone.
pub(super) const TIMERS: &str = "millpond-timers";
/// The private file that holds what the database lacked.
pub(super) const UNWRITTEN: &str = "millpond-unwritten";
/// A state without entries, for the header.
struct Described(StateMetaInfoSnapshot);

impl FrozenState for Described {
    fn meta(&self) -> &StateMetaInfoSnapshot {
        &self.0
    }
    fn shard_count(&self, _group: usize) -> usize {
        0
    }
    fn since(&self, _group: usize, _shard: usize) -> Option<u64> {
        None
    }
    fn write_shard(&self, _group: usize, _shard: usize, _out: &mut PairWriter<'_>) -> Result<()> {
        Ok(())
    }
}

/// Appends the metadata of states in `columns` and of `extras`, whose key groups start at `offsets` of their file. What the database
/// lacked takes `unwritten_bytes` in its file; 0: there is none.
pub(super) fn write_manifest(
    columns: Vec<(StateMetaInfoSnapshot, String)>,
    extras: SnapshotSource,
    offsets: &[u64],
    unwritten_bytes: u64,
    out: &mut DataOutput,
) -> Result<()> {
    let mut names: Vec<String> = columns.iter().map(|(_, name)| name.clone()).collect();
    names.extend(extras.states.iter().map(|_| String::new()));
    let described = columns
        .into_iter()
        .map(|(meta, _)| Box::new(Described(meta)) as Box<dyn FrozenState>);
    let source = SnapshotSource {
        states: described.chain(extras.states).collect(),
        // The files of the database have their own compression, and that of the timers says it itself.
        compressed: false,
        ..extras
    };
    write_header(&source, out)?;
    out.write_u32(MAGIC);
    out.write_u16(VERSION);
    for name in &names {
        out.write_utf(name)?;
    }
    out.write_i32(i32::try_from(offsets.len()).unwrap_or(i32::MAX));
    offsets.iter().for_each(|offset| out.write_u64(*offset));
    out.write_u64(unwritten_bytes);
    Ok(())
}

/// The metadata of a snapshot.
#[derive(Debug)]
pub(in crate::rocksdb) struct Manifest {
    pub(in crate::rocksdb) header: Header,
    /// The column family of each state of the header, empty for one whose entries lie in the file of the timers.
    pub(in crate::rocksdb) columns: Vec<String>,
    offsets: Vec<u64>,
    unwritten_bytes: u64,
}

impl Manifest {
    /// Reads a metadata stream.
    pub(in crate::rocksdb) fn read(bytes: &[u8]) -> Result<Self> {
        let mut input = DataInput::new(bytes);
        let header = Header::read(&mut input)?;
        if input.read_u32()? != MAGIC {
            return Err(corrupt("it does not say where the states lie"));
        }
        let version = input.read_u16()?;
        if version != VERSION && version != VERSION_1 {
            return Err(corrupt("unknown version").with("version", version));
        }
        let mut columns = Vec::new();
        for _ in &header.states {
            columns.push(input.read_utf()?);
        }
        let mut offsets = Vec::new();
        for _ in 0..input.read_count(8)? {
            offsets.push(input.read_u64()?);
        }
        let unwritten_bytes = match version {
            VERSION_1 => 0,
            _ => input.read_u64()?,
        };
        if !input.is_empty() {
            return Err(corrupt("more bytes than it should have").with("bytes_left", input.remaining()));
        }
        Ok(Manifest {
            header,
            columns,
            offsets,
            unwritten_bytes,
        })
    }

    /// The timers of a snapshot as a canonical one; `None` when there are none.
    pub(in crate::rocksdb) fn timers(
        &self,
        handle: &IncrementalRemoteKeyedStateHandle,
    ) -> Option<KeyGroupsStateHandle> {
        let file = handle.private.iter().find(|f| f.local_path == TIMERS)?;
        Some(KeyGroupsStateHandle {
            range: handle.range,
            offsets: self.offsets.clone(),
            stream: file.stream.clone(),
            savepoint: false,
        })
    }
}

/// The file of what the database lacked; `None` when it lacked nothing.
///
/// # Errors
/// Corrupt when it is not there, or another one, than the metadata says.
pub(in crate::rocksdb) fn unwritten_file<'a>(
    manifest: &Manifest,
    handle: &'a IncrementalRemoteKeyedStateHandle,
) -> Result<Option<&'a StreamStateHandle>> {
    let file = handle.private.iter().find(|f| f.local_path == UNWRITTEN);
    let bytes = file.map_or(0, |file| file.stream.size());
    if bytes == manifest.unwritten_bytes {
        return Ok(file.map(|file| &file.stream));
    }
    Err(
        corrupt("its file of unwritten entries is missing, or has another size")
            .with("bytes", bytes)
            .with("expected", manifest.unwritten_bytes),
    )
}

/// The files of the database itself.
pub(in crate::rocksdb) fn database_files(
    handle: &IncrementalRemoteKeyedStateHandle,
) -> impl Iterator<Item = &crate::handle::HandleAndLocalPath> {
    handle
        .shared
        .iter()
        .chain(&handle.private)
        .filter(|f| f.local_path != TIMERS && f.local_path != UNWRITTEN)
}

fn corrupt(message: &'static str) -> Error {
    Error::corrupt("read metadata of an incremental snapshot", message)
}
