package org.millpond.bench;

import java.io.File;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RunnableFuture;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;
import org.apache.flink.runtime.checkpoint.CheckpointOptions;
import org.apache.flink.runtime.state.CheckpointStreamFactory;
import org.apache.flink.runtime.state.CheckpointableKeyedStateBackend;
import org.apache.flink.runtime.state.KeyGroupRange;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.runtime.state.KeyedStateHandle;
import org.apache.flink.runtime.state.SharedStateRegistry;
import org.apache.flink.runtime.state.SharedStateRegistryImpl;
import org.apache.flink.runtime.state.SnapshotResult;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.runtime.state.filesystem.FsCheckpointStreamFactory;
import org.apache.flink.util.FileUtils;

/**
 * What a large keyed state costs Flink's backends to checkpoint, to restore and to rescale: step by step what {@code
 * bench/src/big_state} does with ours, with the same keys and values. Prints {@code big_<backend> <operation>_ms <milliseconds>} and
 * {@code ..._mb <megabytes>}.
 *
 * <p>On RocksDB every restore is taken twice, with Flink's defaults and with {@code use-ingest-db-restore-mode}; the faster counts.
 *
 * <p>Arguments: {@code hashmap|rocksdb}, megabytes of state, folder for checkpoints and local files.
 */
public final class BigState {
  private static final int VALUE_BYTES = 200;
  private static final int ENTRY_BYTES = VALUE_BYTES + 8;
  private static final int MAX_PARALLELISM = Backends.MAX_PARALLELISM;
  /** Flink's defaults of {@code execution.checkpointing.data-inline-threshold} and {@code write-buffer-size}. */
  private static final int INLINE_THRESHOLD = 20 << 10;
  private static final int WRITE_BUFFER = 4096;
  private static final int SETTLE_PAUSE_MS = 2000;
  private static final int SETTLE_MAX = 30;

  private final String backend;
  private final long keys;
  private final File folder;

  private BigState(String backend, long megabytes, File folder) {
    this.backend = backend;
    this.keys = (megabytes << 20) / ENTRY_BYTES;
    this.folder = folder;
  }

  public static void main(String[] args) throws Exception {
    File folder = Files.createTempDirectory(Files.createDirectories(new File(args[2]).toPath()), "flink-").toFile();
    try {
      BigState bench = new BigState(args[0], Long.parseLong(args[1]), folder);
      bench.checkpoints();
      bench.rescale();
    } finally {
      FileUtils.deleteDirectory(folder);
    }
    // Flink leaves threads behind that would hold the process.
    System.exit(0);
  }

  private void print(String operation, double value) {
    System.out.printf(Locale.ROOT, "big_%s %s %.3f%n", backend, operation, Math.max(value, 0.001));
  }

  private static int keyGroup(long key) {
    return KeyGroupRangeAssignment.assignToKeyGroup(key, MAX_PARALLELISM);
  }

  // One instance with the whole state: its first checkpoint, those after one percent has changed, and a restore.

  private void checkpoints() throws Exception {
    Streams streams = new Streams(new File(folder, "checkpoints"));
    KeyGroupRange all = new KeyGroupRange(0, MAX_PARALLELISM - 1);
    Instance instance = new Instance(all, List.of(), false);
    Values values = new Values(7);
    for (long key = 0; key < keys; key++) {
      instance.put(key, values.next());
    }
    KeyedStateHandle last = checkpoint(instance, streams, 1, "checkpoint");
    int id = settle(instance, streams, last.getCheckpointedSize() / 100);
    String[] names = {"contiguous", "range", "random"};
    for (int i = 0; i < names.length; i++) {
      id++;
      Values changed = new Values(id);
      for (long key : percent(names[i])) {
        instance.put(key, changed.next());
      }
      last = checkpoint(instance, streams, id, names[i]);
    }
    instance.close();
    double best = Double.MAX_VALUE;
    for (boolean ingest : modes()) {
      long start = System.nanoTime();
      Instance restored = new Instance(all, List.of(last), ingest);
      restored.process(0, new Values(0).next());
      best = Math.min(best, report("restore", ingest, start, System.nanoTime()));
      restored.close();
    }
    print("restore_ms", best);
    FileUtils.deleteDirectory(streams.folder);
  }

  /**
   * RocksDB goes on compacting what was written to fill the state: takes checkpoints until one adds little. Answers the number of the
   * last. The HashMap backend always writes everything.
   */
  private int settle(Instance instance, Streams streams, long small) throws Exception {
    int id = 1;
    while (backend.equals("rocksdb") && id <= SETTLE_MAX) {
      Thread.sleep(SETTLE_PAUSE_MS);
      id++;
      if (instance.checkpoint(streams, id).handle.getCheckpointedSize() <= small) {
        break;
      }
    }
    System.out.printf("# big_%s settled after %d checkpoints%n", backend, id - 1);
    return id;
  }

  private KeyedStateHandle checkpoint(Instance instance, Streams streams, long id, String name) throws Exception {
    Checkpoint checkpoint = instance.checkpoint(streams, id);
    print(name + "_sync_ms", checkpoint.syncNanos / 1e6);
    print(name + "_async_ms", checkpoint.asyncNanos / 1e6);
    print(name + "_mb", checkpoint.handle.getCheckpointedSize() / 1e6);
    return checkpoint.handle;
  }

  /** The keys of a percent, in the order in which they are updated. */
  private long[] percent(String name) {
    int count = (int) Math.max(1, keys / 100);
    long[] percent = new long[count];
    if (name.equals("contiguous")) {
      Long[] sorted = new Long[(int) keys];
      for (int i = 0; i < sorted.length; i++) {
        sorted[i] = (long) i;
      }
      Arrays.sort(sorted, Comparator.<Long>comparingInt(BigState::keyGroup).thenComparingLong(key -> key));
      for (int i = 0; i < count; i++) {
        percent[i] = sorted[i];
      }
      return percent;
    }
    BenchRandom random = new BenchRandom(11);
    for (int i = 0; i < count; i++) {
      percent[i] = name.equals("range") ? i : random.below((int) keys);
    }
    return percent;
  }

  private boolean[] modes() {
    return backend.equals("rocksdb") ? new boolean[] {false, true} : new boolean[] {false};
  }

  /** Tells how long a restore took, and in which mode. */
  private double report(String operation, boolean ingest, long start, long end) {
    double milliseconds = (end - start) / 1e6;
    System.out.printf(
        Locale.ROOT, "# big_%s %s, use-ingest-db-restore-mode=%b: %.0f ms%n", backend, operation, ingest, milliseconds);
    return milliseconds;
  }

  // Two instances become three, and three become two. Each instance has a thread, as its task would.

  private void rescale() throws Exception {
    Streams streams = new Streams(new File(folder, "rescale"));
    Generation two = new Generation(2, List.of(), false, streams, 1);
    Generation three = rescale(two.handles, 3, streams, 2);
    rescale(three.handles, 2, streams, 4);
  }

  private Generation rescale(List<KeyedStateHandle> old, int parallelism, Streams streams, int next) throws Exception {
    String operation = "rescale_" + old.size() + "_to_" + parallelism;
    double best = Double.MAX_VALUE;
    Generation last = null;
    for (boolean ingest : modes()) {
      last = new Generation(parallelism, old, ingest, streams, next++);
      best = Math.min(best, report(operation, ingest, last.start, last.up));
    }
    print(operation + "_ms", best);
    return last;
  }

  /** Instances that come up together, from a checkpoint or filling themselves, process a record each, and take a checkpoint. */
  private final class Generation {
    private final List<KeyedStateHandle> handles = new ArrayList<>();
    private final long start = System.nanoTime();
    /** When the last of them had processed a record. */
    private long up = start;

    Generation(int parallelism, List<KeyedStateHandle> old, boolean ingest, Streams streams, long next) throws Exception {
      ExecutorService threads = Executors.newFixedThreadPool(parallelism);
      CyclicBarrier allUp = new CyclicBarrier(parallelism);
      List<Future<Checkpoint>> results = new ArrayList<>();
      for (int index = 0; index < parallelism; index++) {
        KeyGroupRange range =
            KeyGroupRangeAssignment.computeKeyGroupRangeForOperatorIndex(MAX_PARALLELISM, parallelism, index);
        Callable<Checkpoint> task = () -> run(range, old, ingest, streams, next, allUp);
        results.add(threads.submit(task));
      }
      for (Future<Checkpoint> result : results) {
        handles.add(result.get().handle);
      }
      threads.shutdown();
    }

    private Checkpoint run(
        KeyGroupRange range, List<KeyedStateHandle> old, boolean ingest, Streams streams, long next, CyclicBarrier allUp)
        throws Exception {
      // As StateAssignmentOperation does: a handle goes to each instance that owns some of its key groups, cut down to those.
      List<KeyedStateHandle> own = new ArrayList<>();
      for (KeyedStateHandle handle : old) {
        KeyedStateHandle intersection = handle.getIntersection(range);
        if (intersection != null) {
          own.add(intersection);
        }
      }
      Instance instance = new Instance(range, own, ingest);
      long first = 0;
      while (!range.contains(keyGroup(first))) {
        first++;
      }
      if (old.isEmpty()) {
        Values values = new Values(7);
        for (long key = 0; key < keys; key++) {
          byte[] value = values.next();
          if (range.contains(keyGroup(key))) {
            instance.put(key, value);
          }
        }
      }
      instance.process(first, new Values(0).next());
      isUp(System.nanoTime());
      allUp.await();
      Checkpoint checkpoint = instance.checkpoint(streams, next);
      instance.close();
      return checkpoint;
    }

    private synchronized void isUp(long at) {
      up = Math.max(up, at);
    }
  }

  /** Where checkpoints go, and what knows their shared files. */
  private static final class Streams {
    private final File folder;
    private final CheckpointStreamFactory factory;
    private final SharedStateRegistry registry = new SharedStateRegistryImpl();

    Streams(File folder) throws Exception {
      this.folder = folder;
      Path exclusive = new Path(new File(folder, "exclusive").toURI());
      Path shared = new Path(new File(folder, "shared").toURI());
      FileSystem files = FileSystem.getLocalFileSystem();
      files.mkdirs(exclusive);
      files.mkdirs(shared);
      factory = new FsCheckpointStreamFactory(files, exclusive, shared, INLINE_THRESHOLD, WRITE_BUFFER);
    }
  }

  /** What one checkpoint of an instance took. */
  private record Checkpoint(long syncNanos, long asyncNanos, KeyedStateHandle handle) {}

  /** One operator instance: a backend with its one value state, without a task around it. */
  private final class Instance {
    private final CheckpointableKeyedStateBackend<Long> keyed;
    private final ValueState<byte[]> state;

    Instance(KeyGroupRange range, List<KeyedStateHandle> handles, boolean ingest) throws Exception {
      File local = new File(folder, "local");
      keyed = Backends.restored(backend, range, handles, local, ingest);
      ValueStateDescriptor<byte[]> descriptor = new ValueStateDescriptor<>("v", BytePrimitiveArraySerializer.INSTANCE);
      descriptor.initializeSerializerUnlessSet(new ExecutionConfig());
      state = keyed.getPartitionedState(VoidNamespace.INSTANCE, VoidNamespaceSerializer.INSTANCE, descriptor);
    }

    void put(long key, byte[] value) throws Exception {
      keyed.setCurrentKey(key);
      state.update(value);
    }

    /** Reads the value of a key that must have one, and updates it. */
    void process(long key, byte[] value) throws Exception {
      keyed.setCurrentKey(key);
      if (state.value() == null) {
        throw new IllegalStateException("key " + key + " was lost");
      }
      state.update(value);
    }

    /** Takes a checkpoint, both parts one after the other, and tells the backend that it is complete. */
    Checkpoint checkpoint(Streams streams, long id) throws Exception {
      long start = System.nanoTime();
      RunnableFuture<SnapshotResult<KeyedStateHandle>> job =
          keyed.snapshot(id, id, streams.factory, CheckpointOptions.forCheckpointWithDefaultLocation());
      long synchronous = System.nanoTime();
      job.run();
      KeyedStateHandle handle = job.get().getJobManagerOwnedSnapshot();
      long end = System.nanoTime();
      synchronized (streams.registry) {
        handle.registerSharedStates(streams.registry, id);
      }
      ((CheckpointListener) keyed).notifyCheckpointComplete(id);
      return new Checkpoint(synchronous - start, end - synchronous, handle);
    }

    void close() throws Exception {
      keyed.dispose();
      keyed.close();
    }
  }

  /** Draws values. */
  private static final class Values {
    private final BenchRandom random;

    Values(long seed) {
      random = new BenchRandom(seed);
    }

    byte[] next() {
      ByteBuffer value = ByteBuffer.allocate(VALUE_BYTES);
      while (value.hasRemaining()) {
        value.putLong(random.nextLong());
      }
      return value.array();
    }
  }
}
