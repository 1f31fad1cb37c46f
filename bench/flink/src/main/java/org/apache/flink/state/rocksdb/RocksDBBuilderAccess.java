package org.apache.flink.state.rocksdb;

/**
 * Settings of Flink's builder of RocksDB backends that only its own package may make. {@code EmbeddedRocksDBStateBackend}, which
 * makes them in a job, needs a whole task around it.
 */
public final class RocksDBBuilderAccess {
  private RocksDBBuilderAccess() {}

  /** Incremental checkpoints; {@code ingest} is {@code state.backend.rocksdb.use-ingest-db-restore-mode}. */
  public static <K> RocksDBKeyedStateBackendBuilder<K> incremental(
      RocksDBKeyedStateBackendBuilder<K> builder, boolean ingest) {
    return builder.setEnableIncrementalCheckpointing(true).setUseIngestDbRestoreMode(ingest);
  }
}
