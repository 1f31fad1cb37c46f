//! Savepoints that Flink wrote, restored without Flink: `golden/` holds them as they left Flink, and beside them what Flink
//! found in its own. `flink-{release}-{backend}-{parallelism}` were stopped by `make flink-it`; those of parallelism 1 have
//! their state in files, the others in `_metadata`; that of 3 is compressed.
use millpond::checkpoint::metadata::CheckpointMetadata;
use millpond_interop::compare::compare;
use millpond_interop::flink::read_lines;
use millpond_interop::job::{self, BACKENDS, Setup};
use std::path::{Path, PathBuf};

/// The savepoints, and the parallelism that each was written at.
const SAVEPOINTS: [(&str, u32); 5] = [
    ("flink-1.20.0-hashmap-1", 1),
    ("flink-1.20.0-rocksdb-2", 2),
    ("flink-2.3.0-hashmap-1", 1),
    ("flink-2.3.0-hashmap-3", 3),
    ("flink-2.3.0-rocksdb-2", 2),
];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// Goal: everything in a savepoint of Flink's is found, at the parallelism that it was written at and at others; what has a time to
/// live is over in the very millisecond, and windows go on. Method: restore each at three, and compare with what Flink tells of it,
/// state by state.
#[test]
fn savepoints_of_flink_are_restored_whole_at_any_parallelism() {
    for (name, written_at) in SAVEPOINTS {
        let truth = read_lines(&golden(&format!("parallelism-{written_at}.jsonl"))).unwrap();
        for (&backend, parallelism) in BACKENDS.iter().flat_map(|b| [1, 2, 3].map(|p| (b, p))) {
            let setup = Setup { backend, parallelism };
            let found = job::restore(golden(name).to_str().unwrap(), setup).unwrap();
            let states = compare(&truth, &found, parallelism);
            assert_eq!(
                states.len(),
                4 * 10 + 2 + 5 + 6,
                "four keyed operators with ten states each, rules with two, five that expire, six of windows"
            );
            for (state, difference) in states {
                assert_eq!(difference, None, "{name} on {setup:?}: {state:?}");
            }
        }
    }
}

/// Goal: nothing in `_metadata` is lost, Flink's sources and their coordinators included. Method: read each, write it again in
/// the version that it has, and compare the bytes.
#[test]
fn metadata_of_flink_is_written_again_byte_for_byte() {
    for (name, _) in SAVEPOINTS {
        let bytes = std::fs::read(golden(name).join("_metadata")).unwrap();
        let version = i32::from_be_bytes(bytes.get(4..8).unwrap().try_into().unwrap());
        let metadata = CheckpointMetadata::decode(&bytes).unwrap();
        assert!(metadata.is_savepoint());
        assert_eq!(
            metadata
                .operators
                .iter()
                .filter(|o| o.coordinator.is_some())
                .count(),
            2,
            "both sources have coordinators"
        );
        let again = metadata.encode_version(version).unwrap();
        assert!(again == bytes, "{name}, version {version}");
    }
}
