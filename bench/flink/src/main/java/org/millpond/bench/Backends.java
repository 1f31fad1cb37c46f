package org.millpond.bench;

import java.io.File;
import java.nio.file.Files;
import java.util.List;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.core.fs.CloseableRegistry;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.runtime.state.CheckpointableKeyedStateBackend;
import org.apache.flink.runtime.state.KeyGroupRange;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.runtime.state.KeyedStateHandle;
import org.apache.flink.runtime.state.LocalRecoveryConfig;
import org.apache.flink.runtime.state.UncompressedStreamCompressionDecorator;
import org.apache.flink.runtime.state.heap.HeapKeyedStateBackendBuilder;
import org.apache.flink.runtime.state.heap.HeapPriorityQueueSetFactory;
import org.apache.flink.runtime.state.metrics.LatencyTrackingStateConfig;
import org.apache.flink.runtime.state.metrics.SizeTrackingStateConfig;
import org.apache.flink.runtime.state.ttl.TtlTimeProvider;
import org.apache.flink.state.rocksdb.RocksDBBuilderAccess;
import org.apache.flink.state.rocksdb.RocksDBKeyedStateBackendBuilder;
import org.apache.flink.state.rocksdb.RocksDBPriorityQueueConfig;
import org.apache.flink.state.rocksdb.RocksDBResourceContainer;
import org.rocksdb.NativeLibraryLoader;
import org.rocksdb.RocksDB;

/** Flink's keyed state backends on their own: Long keys, 128 key groups in one instance, default options, no metrics. */
final class Backends {
  static final int MAX_PARALLELISM = 128;
  private static final KeyGroupRange RANGE = new KeyGroupRange(0, MAX_PARALLELISM - 1);

  private Backends() {}

  /** An empty backend. */
  static KeyedStateBackend<Long> create(String name) throws Exception {
    return switch (name) {
      case "hashmap" -> heap(RANGE, List.of());
      case "rocksdb" -> rocksdb(RANGE, List.of(), Files.createTempDirectory("rocksdb").toFile()).build();
      default -> throw unknown(name);
    };
  }

  /**
   * A backend of these key groups with what {@code handles} hold. Its local files go below {@code folder}; RocksDB's checkpoints are
   * incremental, {@code ingest} is its {@code use-ingest-db-restore-mode}.
   */
  static CheckpointableKeyedStateBackend<Long> restored(
      String name, KeyGroupRange range, List<KeyedStateHandle> handles, File folder, boolean ingest) throws Exception {
    return switch (name) {
      case "hashmap" -> heap(range, handles);
      case "rocksdb" -> {
        File own = Files.createTempDirectory(Files.createDirectories(folder.toPath()), "rocksdb").toFile();
        yield RocksDBBuilderAccess.incremental(rocksdb(range, handles, own), ingest).build();
      }
      default -> throw unknown(name);
    };
  }

  private static IllegalArgumentException unknown(String name) {
    return new IllegalArgumentException("no such backend: " + name + "; known are hashmap, rocksdb");
  }

  private static CheckpointableKeyedStateBackend<Long> heap(KeyGroupRange range, List<KeyedStateHandle> handles)
      throws Exception {
    return new HeapKeyedStateBackendBuilder<>(
            null,
            LongSerializer.INSTANCE,
            Backends.class.getClassLoader(),
            MAX_PARALLELISM,
            range,
            new ExecutionConfig(),
            TtlTimeProvider.DEFAULT,
            LatencyTrackingStateConfig.disabled(),
            SizeTrackingStateConfig.disabled(),
            handles,
            UncompressedStreamCompressionDecorator.INSTANCE,
            LocalRecoveryConfig.BACKUP_AND_RECOVERY_DISABLED,
            new HeapPriorityQueueSetFactory(range, MAX_PARALLELISM, 128),
            true,
            new CloseableRegistry())
        .build();
  }

  private static RocksDBKeyedStateBackendBuilder<Long> rocksdb(
      KeyGroupRange range, List<KeyedStateHandle> handles, File folder) throws Exception {
    NativeLibraryLoader.getInstance().loadLibrary(folder.getAbsolutePath());
    RocksDB.loadLibrary();
    RocksDBResourceContainer resources = new RocksDBResourceContainer();
    return new RocksDBKeyedStateBackendBuilder<>(
            "bench",
            Backends.class.getClassLoader(),
            folder,
            resources,
            state -> resources.getColumnOptions(),
            null,
            LongSerializer.INSTANCE,
            MAX_PARALLELISM,
            range,
            new ExecutionConfig(),
            LocalRecoveryConfig.BACKUP_AND_RECOVERY_DISABLED,
            new RocksDBPriorityQueueConfig(),
            TtlTimeProvider.DEFAULT,
            LatencyTrackingStateConfig.disabled(),
            SizeTrackingStateConfig.disabled(),
            new UnregisteredMetricsGroup(),
            (metric, value) -> {},
            handles,
            UncompressedStreamCompressionDecorator.INSTANCE,
            new CloseableRegistry());
  }
}
