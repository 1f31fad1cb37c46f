package org.millpond.bench;

import java.io.File;
import java.nio.file.Files;
import java.util.List;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.core.fs.CloseableRegistry;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.runtime.state.KeyGroupRange;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.runtime.state.LocalRecoveryConfig;
import org.apache.flink.runtime.state.UncompressedStreamCompressionDecorator;
import org.apache.flink.runtime.state.heap.HeapKeyedStateBackendBuilder;
import org.apache.flink.runtime.state.heap.HeapPriorityQueueSetFactory;
import org.apache.flink.runtime.state.metrics.LatencyTrackingStateConfig;
import org.apache.flink.runtime.state.metrics.SizeTrackingStateConfig;
import org.apache.flink.runtime.state.ttl.TtlTimeProvider;
import org.apache.flink.state.rocksdb.RocksDBKeyedStateBackendBuilder;
import org.apache.flink.state.rocksdb.RocksDBPriorityQueueConfig;
import org.apache.flink.state.rocksdb.RocksDBResourceContainer;
import org.rocksdb.NativeLibraryLoader;
import org.rocksdb.RocksDB;

/** Flink's keyed state backends on their own: Long keys, 128 key groups in one instance, default options, no metrics. */
final class Backends {
  private static final int MAX_PARALLELISM = 128;
  private static final KeyGroupRange RANGE = new KeyGroupRange(0, MAX_PARALLELISM - 1);

  private Backends() {}

  static KeyedStateBackend<Long> create(String name) throws Exception {
    return switch (name) {
      case "hashmap" -> heap();
      case "rocksdb" -> rocksdb();
      default -> throw new IllegalArgumentException("no such backend: " + name + "; known are hashmap, rocksdb");
    };
  }

  private static KeyedStateBackend<Long> heap() throws Exception {
    return new HeapKeyedStateBackendBuilder<>(
            null,
            LongSerializer.INSTANCE,
            Backends.class.getClassLoader(),
            MAX_PARALLELISM,
            RANGE,
            new ExecutionConfig(),
            TtlTimeProvider.DEFAULT,
            LatencyTrackingStateConfig.disabled(),
            SizeTrackingStateConfig.disabled(),
            List.of(),
            UncompressedStreamCompressionDecorator.INSTANCE,
            LocalRecoveryConfig.BACKUP_AND_RECOVERY_DISABLED,
            new HeapPriorityQueueSetFactory(RANGE, MAX_PARALLELISM, 128),
            false,
            new CloseableRegistry())
        .build();
  }

  private static KeyedStateBackend<Long> rocksdb() throws Exception {
    File folder = Files.createTempDirectory("rocksdb").toFile();
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
            RANGE,
            new ExecutionConfig(),
            LocalRecoveryConfig.BACKUP_AND_RECOVERY_DISABLED,
            new RocksDBPriorityQueueConfig(),
            TtlTimeProvider.DEFAULT,
            LatencyTrackingStateConfig.disabled(),
            SizeTrackingStateConfig.disabled(),
            new UnregisteredMetricsGroup(),
            (metric, value) -> {},
            List.of(),
            UncompressedStreamCompressionDecorator.INSTANCE,
            new CloseableRegistry())
        .build();
  }
}
