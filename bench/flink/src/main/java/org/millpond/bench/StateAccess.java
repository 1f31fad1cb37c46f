package org.millpond.bench;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ReducingState;
import org.apache.flink.api.common.state.ReducingStateDescriptor;
import org.apache.flink.api.common.state.State;
import org.apache.flink.api.common.state.StateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;

/**
 * State access on one of Flink's keyed state backends, operation by operation as in {@code bench/src/state_access.rs}: the sizes of
 * flink-benchmarks' state suite. Prints {@code <backend> <operation> <operations a second>}, the median of the rounds.
 *
 * <p>Arguments: {@code hashmap|rocksdb}, rounds within the process.
 */
public final class StateAccess {
  private static final int KEYS = 500_000;
  private static final long MAP_KEYS = 10;
  private static final long LIST_LENGTH = 100;
  /** Keys with a map or a list: fewer, for each holds more. */
  private static final int COLLECTIONS = KEYS / 10;

  private final String name;
  private final int rounds;
  private final long[] setup;
  /** As many accesses to the keys that have a map or a list. */
  private final long[] collections;
  /** Those of the operations that visit whole collections: on RocksDB a tenth of all, as these take so much longer there. */
  private final long[] iterated;
  private final long[] fresh;
  private KeyedStateBackend<Long> backend;
  /** What was read goes here and is printed in the end, so that no read can be optimized away. */
  private double sink;

  private interface Operation {
    void run(int i, long key) throws Exception;
  }

  private StateAccess(String name, int rounds) {
    this.name = name;
    this.rounds = rounds;
    BenchRandom random = new BenchRandom(7);
    setup = random.shuffled(0, KEYS);
    fresh = random.shuffled(KEYS, KEYS);
    collections = Arrays.stream(setup).map(key -> key % COLLECTIONS).toArray();
    iterated = name.equals("rocksdb") ? Arrays.copyOf(collections, KEYS / 10) : collections;
  }

  public static void main(String[] args) throws Exception {
    StateAccess bench = new StateAccess(args[0], Integer.parseInt(args[1]));
    bench.on(bench::values);
    bench.on(bench::maps);
    bench.on(bench::lists);
    bench.on(bench::reducing);
    bench.valueAdd();
    System.out.println("# read " + bench.sink);
    // Flink leaves threads behind that would hold the process.
    System.exit(0);
  }

  private interface Group {
    void run() throws Exception;
  }

  /** Runs a group of operations on a backend of its own. */
  private void on(Group group) throws Exception {
    backend = Backends.create(name);
    group.run();
    backend.dispose();
  }

  private void time(String operation, long[] keys, Operation op) throws Exception {
    double[] rates = new double[rounds];
    for (int round = 0; round < rounds; round++) {
      rates[round] = rate(keys, op);
    }
    printMedian(operation, rates);
  }

  /** How many keys a second {@code op} gets through. */
  private static double rate(long[] keys, Operation op) throws Exception {
    long start = System.nanoTime();
    for (int i = 0; i < keys.length; i++) {
      op.run(i, keys[i]);
    }
    return keys.length * 1e9 / (System.nanoTime() - start);
  }

  private void printMedian(String operation, double[] rates) {
    Arrays.sort(rates);
    System.out.printf(Locale.ROOT, "%s %s %.0f%n", name, operation, rates[rates.length / 2]);
  }

  private <S extends State> S state(StateDescriptor<S, ?> descriptor) throws Exception {
    descriptor.initializeSerializerUnlessSet(new ExecutionConfig());
    return backend.getPartitionedState(VoidNamespace.INSTANCE, VoidNamespaceSerializer.INSTANCE, descriptor);
  }

  /** A state with a value for each key of the set-up. */
  private ValueState<Long> filledValues() throws Exception {
    ValueState<Long> state = state(new ValueStateDescriptor<>("v", Long.class));
    BenchRandom random = new BenchRandom(1);
    for (long key = 0; key < KEYS; key++) {
      backend.setCurrentKey(key);
      state.update(random.nextLong());
    }
    return state;
  }

  private void values() throws Exception {
    ValueState<Long> state = filledValues();
    time("valueUpdate", setup, (i, key) -> {
      backend.setCurrentKey(key);
      state.update((long) i);
    });
    time("valueGet", setup, (i, key) -> {
      backend.setCurrentKey(key);
      sink += state.value();
    });
    time("valueReadModify", setup, (i, key) -> {
      backend.setCurrentKey(key);
      state.update(state.value() + 1);
    });
  }

  /** New keys: each round has a backend of its own, for in a second one the keys would be there already. */
  private void valueAdd() throws Exception {
    double[] rates = new double[rounds];
    for (int round = 0; round < rounds; round++) {
      int current = round;
      on(() -> {
        ValueState<Long> state = filledValues();
        rates[current] = rate(fresh, (i, key) -> {
          backend.setCurrentKey(key);
          state.update((long) i);
        });
      });
    }
    System.out.println("# valueAdd, round by round: " + Arrays.toString(rates));
    printMedian("valueAdd", rates);
  }

  private void maps() throws Exception {
    MapState<Long, Double> state = state(new MapStateDescriptor<>("m", Long.class, Double.class));
    BenchRandom random = new BenchRandom(2);
    for (long key = 0; key < COLLECTIONS; key++) {
      backend.setCurrentKey(key);
      for (long userKey = 0; userKey < MAP_KEYS; userKey++) {
        state.put(userKey, (double) random.nextLong());
      }
    }
    time("mapUpdate", collections, (i, key) -> {
      backend.setCurrentKey(key);
      state.put(i % MAP_KEYS, (double) i);
    });
    time("mapGet", collections, (i, key) -> {
      backend.setCurrentKey(key);
      sink += state.get(i % MAP_KEYS);
    });
    // Half of the user keys asked for are there.
    time("mapContains", collections, (i, key) -> {
      backend.setCurrentKey(key);
      sink += state.contains(i % (2 * MAP_KEYS)) ? 1 : 0;
    });
    time("mapIterate10", iterated, (i, key) -> {
      backend.setCurrentKey(key);
      for (Map.Entry<Long, Double> entry : state.entries()) {
        sink += entry.getValue();
      }
    });
  }

  private void lists() throws Exception {
    ListState<Long> state = state(new ListStateDescriptor<>("l", Long.class));
    BenchRandom random = new BenchRandom(3);
    for (long key = 0; key < COLLECTIONS; key++) {
      backend.setCurrentKey(key);
      for (long element = 0; element < LIST_LENGTH; element++) {
        state.add(random.nextLong());
      }
    }
    time("listGetIterate100", iterated, (i, key) -> {
      backend.setCurrentKey(key);
      for (Long element : state.get()) {
        sink += element;
      }
    });
    time("listAdd", setup, (i, key) -> {
      backend.setCurrentKey(key);
      state.add((long) i);
    });
  }

  private void reducing() throws Exception {
    ReducingState<Long> state = state(new ReducingStateDescriptor<>("r", Long::sum, Long.class));
    for (long key = 0; key < KEYS; key++) {
      backend.setCurrentKey(key);
      state.add(key);
    }
    time("reducingAdd", setup, (i, key) -> {
      backend.setCurrentKey(key);
      state.add((long) i);
    });
  }
}
