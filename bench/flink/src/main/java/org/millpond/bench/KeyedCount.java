package org.millpond.bench;

import java.util.Locale;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ReducingState;
import org.apache.flink.api.common.state.ReducingStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/**
 * The keyed count of {@code bench/src/engine.rs} on Flink's local cluster: the same records over a million keys, two instances, a
 * checkpoint every second, objects reused. Prints {@code engine keyed_count <records a second>}, {@code engine_rocksdb} for RocksDB.
 *
 * <p>Arguments: {@code hashmap|rocksdb}, records, folder for checkpoints.
 */
public final class KeyedCount {
  private static final long KEYS = 1_000_000;
  private static final int PARALLELISM = 2;
  private static final int MAX_PARALLELISM = 128;
  private static final long CHECKPOINT_INTERVAL_MS = 1000;

  private KeyedCount() {}

  public static void main(String[] args) throws Exception {
    String backend = args[0];
    long records = Long.parseLong(args[1]);
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment(configuration(backend, args[2]));
    env.setParallelism(PARALLELISM);
    env.setMaxParallelism(MAX_PARALLELISM);
    env.getConfig().enableObjectReuse();
    env.enableCheckpointing(CHECKPOINT_INTERVAL_MS);
    DataGeneratorSource<Long> keys =
        new DataGeneratorSource<>(i -> Long.remainderUnsigned(BenchRandom.mix(i), KEYS), records, Types.LONG);
    env.fromSource(keys, WatermarkStrategy.noWatermarks(), "keys")
        .keyBy(key -> key)
        .process(new Count())
        .returns(Types.LONG)
        .sinkTo(new DiscardingSink<>());
    double milliseconds = Math.max(1, env.execute("keyed-count").getNetRuntime());
    String suite = backend.equals("hashmap") ? "engine" : "engine_" + backend;
    System.out.printf(Locale.ROOT, "%s keyed_count %.0f%n", suite, records * 1000 / milliseconds);
    System.exit(0);
  }

  private static Configuration configuration(String backend, String checkpoints) {
    Configuration configuration = new Configuration();
    configuration.setString("state.backend.type", backend);
    configuration.setString("execution.checkpointing.dir", "file://" + checkpoints);
    configuration.setString("execution.checkpointing.incremental", "true");
    // The local cluster's own default would leave RocksDB 64 MB an instance, far less than a task manager gives.
    configuration.setString("taskmanager.memory.managed.size", "1g");
    configuration.setString("rest.port", "0");
    return configuration;
  }

  private static final class Count extends KeyedProcessFunction<Long, Long, Long> {
    private transient ReducingState<Long> count;

    @Override
    public void open(OpenContext context) {
      count = getRuntimeContext().getReducingState(new ReducingStateDescriptor<>("c", Long::sum, Types.LONG));
    }

    @Override
    public void processElement(Long value, Context context, Collector<Long> out) throws Exception {
      count.add(1L);
      out.collect(value);
    }
  }
}
