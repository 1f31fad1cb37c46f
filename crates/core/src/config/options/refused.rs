//! Options of Flink's that are refused, each with why.

/// Flink's options that would have to mean something here and don't, each with why.
const REFUSED: [(&str, &str); 5] = [
    (
        "state.backend.rocksdb.options-factory",
        "it names a Java class: give `RocksDBOptions::factory` an implementation of `RocksDBOptionsFactory`",
    ),
    (
        "state.backend.rocksdb.use-ingest-db-restore-mode",
        "rescaling always ingests files: leave it out",
    ),
    (
        "state.backend.rocksdb.rescaling.use-delete-files-in-range",
        "rescaling always deletes whole files first: leave it out",
    ),
    (
        "state.backend.rocksdb.restore-overlap-fraction-threshold",
        "rescaling always begins with the checkpoint that has most of the wanted key groups: leave it out",
    ),
    (
        "state.backend.rocksdb.incremental-restore-async-compact-after-rescale",
        "what a rescale leaves behind goes with ordinary compactions: leave it out",
    ),
];

/// Why an option of Flink's is refused, if it is one of those.
pub fn refusal(key: &str) -> Option<&'static str> {
    REFUSED
        .iter()
        .find(|(refused, _)| *refused == key)
        .map(|(_, why)| *why)
}
