package org.millpond.it;

import java.time.Duration;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.flink.api.common.state.AggregatingState;
import org.apache.flink.api.common.state.AggregatingStateDescriptor;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ReducingState;
import org.apache.flink.api.common.state.ReducingStateDescriptor;
import org.apache.flink.api.common.state.State;
import org.apache.flink.api.common.state.StateDescriptor;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.typeutils.runtime.TupleSerializer;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.runtime.state.internal.InternalKvState;
import org.apache.flink.runtime.state.ttl.TtlStateFactory;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.operators.KeyedProcessOperator;
import org.apache.flink.util.Collector;

/**
 * One of each keyed state with a time to live, on a clock that is driven: interop/src/expiring.rs says how, and is the same.
 */
final class ExpiringStates extends KeyedProcessFunction<String, Long, String> {
    static final String UID = "expiring";
    private static final long KEYS = 8;
    private static final long DAY = Duration.ofDays(1).toMillis();
    private static final long TTL = 20 * DAY;

    private final boolean reading;

    private transient long now;
    private transient ValueState<Long> value;
    private transient ListState<String> list;
    private transient MapState<String, Long> map;
    private transient ReducingState<Long> reducing;
    private transient AggregatingState<Long, Double> aggregating;

    ExpiringStates(boolean reading) {
        this.reading = reading;
    }

    static String key(long i) {
        return "expiring-" + i % KEYS;
    }

    private static long writtenAt(long i) {
        return KeyedStates.PROCESSING_TIME - 10 * DAY + i * 1000;
    }

    private static long lookedAt(long n) {
        return writtenAt(n / 2) + TTL - 1 + n % 2;
    }

    private void openStates(KeyedStateBackend<String> backend) throws Exception {
        value = open(backend, new ValueStateDescriptor<>("ttl-value", LongSerializer.INSTANCE));
        list = open(backend, new ListStateDescriptor<>("ttl-list", StringSerializer.INSTANCE));
        map = open(backend, new MapStateDescriptor<>("ttl-map", StringSerializer.INSTANCE, LongSerializer.INSTANCE));
        reducing = open(backend, new ReducingStateDescriptor<>("ttl-reducing", Long::sum, LongSerializer.INSTANCE));
        @SuppressWarnings("unchecked")
        var pair = new TupleSerializer<Tuple2<Long, Long>>(
                (Class<Tuple2<Long, Long>>) (Class<?>) Tuple2.class,
                new TypeSerializer<?>[] {LongSerializer.INSTANCE, LongSerializer.INSTANCE});
        aggregating =
                open(backend, new AggregatingStateDescriptor<>("ttl-aggregating", new KeyedStates.Mean(), pair));
    }

    /** As the backend opens a state, but for the clock, which a job can't set. */
    private <S extends State, V> S open(KeyedStateBackend<String> backend, StateDescriptor<S, V> descriptor)
            throws Exception {
        descriptor.enableTimeToLive(StateTtlConfig.newBuilder(Duration.ofMillis(TTL)).build());
        S state = TtlStateFactory.<String, VoidNamespace, V, Object, S, S>createStateAndWrapWithTtlIfEnabled(
                VoidNamespaceSerializer.INSTANCE, descriptor, backend, () -> now);
        @SuppressWarnings("unchecked")
        var internal = (InternalKvState<String, VoidNamespace, ?>) state;
        internal.setCurrentNamespace(VoidNamespace.INSTANCE);
        if (reading) {
            tellStrangers(backend, descriptor.getName());
        }
        return state;
    }

    /** Keys that no number has. */
    private static void tellStrangers(KeyedStateBackend<String> backend, String name) {
        try (Stream<String> keys = backend.getKeys(name, VoidNamespace.INSTANCE)) {
            keys.filter(key -> !key.matches("expiring-[0-" + (KEYS - 1) + "]"))
                    .forEach(key -> Run.tell(
                            new Json().with("operator", UID).with("state", name).with("stranger", key)));
        }
    }

    @Override
    public void processElement(Long number, Context context, Collector<String> out) throws Exception {
        if (reading) {
            now = lookedAt(number);
            look(number, context.getCurrentKey());
        } else {
            now = writtenAt(number);
            fill(number);
            Run.PROCESSED.incrementAndGet();
        }
    }

    private void fill(long i) throws Exception {
        value.update(i * 10);
        list.add("item " + i);
        map.put("m" + i, i * 100);
        reducing.add(i);
        aggregating.add(i);
    }

    private void look(long n, String key) throws Exception {
        if (value.value() != null) {
            tell("ttl-value", n, key, null, value.value());
        }
        Iterable<String> items = list.get();
        long index = 0;
        if (items != null) {
            for (String item : items) {
                tell("ttl-list", n, key, index++, item);
            }
        }
        for (Map.Entry<String, Long> entry : map.entries()) {
            tell("ttl-map", n, key, entry.getKey(), entry.getValue());
        }
        if (reducing.get() != null) {
            tell("ttl-reducing", n, key, null, reducing.get());
        }
        if (aggregating.get() != null) {
            tell("ttl-aggregating", n, key, null, aggregating.get());
        }
    }

    private static void tell(String state, long look, String key, Object entry, Object value) {
        Run.tell(new Json()
                .with("operator", UID)
                .with("state", state)
                .with("look", look)
                .with("key", key)
                .with("entry", entry)
                .with("value", value));
    }

    /** The operator that Flink runs a KeyedProcessFunction in; it has the backend at hand. */
    static final class Operator extends KeyedProcessOperator<String, Long, String> {
        Operator(ExpiringStates states) {
            super(states);
        }

        @Override
        public void open() throws Exception {
            super.open();
            ((ExpiringStates) userFunction).openStates(getKeyedStateBackend());
        }
    }
}
