package org.millpond.it;

import java.util.Map;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.AggregatingState;
import org.apache.flink.api.common.state.AggregatingStateDescriptor;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ReducingState;
import org.apache.flink.api.common.state.ReducingStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * One of each keyed state, both kinds of timers, and list and union operator state. Writing, it fills them from numbers
 * (interop/src/states.rs fills the same); reading, it leaves them alone and tells which timers fire.
 */
final class KeyedStates<K> extends KeyedProcessFunction<K, Long, String> implements CheckpointedFunction {
    /** The names of the keyed states. */
    static final String[] NAMES = {"value", "profile", "list", "map", "reducing", "aggregating"};

    /** So late that no processing-time timer fires by itself: the year 2100. */
    static final long PROCESSING_TIME = 4_102_444_800_000L;

    private final String operator;
    private final boolean reading;

    private transient ValueState<Long> value;
    private transient ValueState<UserInfo> profile;
    private transient ListState<String> list;
    private transient MapState<String, Long> map;
    private transient ReducingState<Long> reducing;
    private transient AggregatingState<Long, Double> aggregating;
    private transient ListState<String> split;
    private transient ListState<Long> union;

    KeyedStates(String operator, boolean reading) {
        this.operator = operator;
        this.reading = reading;
    }

    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
        var store = context.getOperatorStateStore();
        split = store.getListState(new ListStateDescriptor<>("op-list", Types.STRING));
        union = store.getUnionListState(new ListStateDescriptor<>("op-union", Types.LONG));
        int subtask = getRuntimeContext().getTaskInfo().getIndexOfThisSubtask();
        if (reading) {
            for (String element : split.get()) {
                Run.tell(new Json().with("operator", operator).with("state", "op-list").with("value", element));
            }
            for (Long element : union.get()) {
                Run.tell(new Json()
                        .with("operator", operator)
                        .with("state", "op-union")
                        .with("subtask", subtask)
                        .with("value", element));
            }
        } else {
            for (int j = 0; j < 3; j++) {
                split.add("e-" + subtask + "-" + j);
                union.add(subtask * 1000L - j);
            }
        }
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) {}

    @Override
    public void open(OpenContext context) {
        var runtime = getRuntimeContext();
        value = runtime.getState(new ValueStateDescriptor<>("value", Types.LONG));
        profile = runtime.getState(new ValueStateDescriptor<>("profile", Types.POJO(UserInfo.class)));
        list = runtime.getListState(new ListStateDescriptor<>("list", Types.STRING));
        map = runtime.getMapState(new MapStateDescriptor<>("map", Types.STRING, Types.LONG));
        reducing = runtime.getReducingState(new ReducingStateDescriptor<>("reducing", Long::sum, Types.LONG));
        aggregating = runtime.getAggregatingState(
                new AggregatingStateDescriptor<>("aggregating", new Mean(), Types.TUPLE(Types.LONG, Types.LONG)));
    }

    @Override
    public void processElement(Long number, Context context, Collector<String> out) throws Exception {
        if (!reading) {
            fill(number, context);
        }
        Run.PROCESSED.incrementAndGet();
    }

    private void fill(long i, Context context) throws Exception {
        if (i % 5 != 0) {
            value.update(i * 10);
        }
        var info = new UserInfo();
        info.name = "user " + i + (i % 2 == 0 ? "" : " ñ");
        info.age = (int) i - 3;
        info.score = i / 4.0;
        info.active = i % 2 == 1;
        info.visits = i % 3 == 0 ? null : i << 33;
        info.level = Level.values()[(int) (i % 3)];
        profile.update(info);
        for (long j = 0; j < i % 4; j++) {
            list.add("item " + j + " of " + i);
        }
        for (long j = 0; j < i % 3; j++) {
            map.put("m" + j, i * 100 + j);
        }
        for (long j = 0; j <= i % 3; j++) {
            reducing.add(i + j);
            aggregating.add(i * j);
        }
        context.timerService().registerEventTimeTimer(1000 + i);
        if (i % 2 == 0) {
            context.timerService().registerEventTimeTimer(-5000);
        }
        context.timerService().registerProcessingTimeTimer(PROCESSING_TIME + i);
    }

    @Override
    public void onTimer(long at, OnTimerContext context, Collector<String> out) {
        if (reading) {
            Run.tell(line(context.getCurrentKey(), "event-timer").with("value", at));
        }
    }

    /** Tells all that the current key has. */
    void dump(K key) throws Exception {
        if (value.value() != null) {
            Run.tell(line(key, "value").with("value", value.value()));
        }
        UserInfo info = profile.value();
        if (info != null) {
            var fields = new Json()
                    .with("name", info.name)
                    .with("age", info.age)
                    .with("score", info.score)
                    .with("active", info.active)
                    .with("visits", info.visits)
                    .with("level", info.level);
            Run.tell(line(key, "profile").with("value", fields));
        }
        int index = 0;
        for (String item : list.get()) {
            Run.tell(line(key, "list").with("index", index++).with("value", item));
        }
        for (Map.Entry<String, Long> entry : map.entries()) {
            Run.tell(line(key, "map").with("entry", entry.getKey()).with("value", entry.getValue()));
        }
        if (reducing.get() != null) {
            Run.tell(line(key, "reducing").with("value", reducing.get()));
        }
        if (aggregating.get() != null) {
            Run.tell(line(key, "aggregating").with("value", aggregating.get()));
        }
    }

    Json line(Object key, String state) {
        return new Json().with("operator", operator).with("key", Keys.show(key)).with("state", state);
    }

    /** The mean; the accumulator is sum and number. */
    static final class Mean implements AggregateFunction<Long, Tuple2<Long, Long>, Double> {
        @Override
        public Tuple2<Long, Long> createAccumulator() {
            return Tuple2.of(0L, 0L);
        }

        @Override
        public Tuple2<Long, Long> add(Long value, Tuple2<Long, Long> acc) {
            return Tuple2.of(acc.f0 + value, acc.f1 + 1);
        }

        @Override
        public Double getResult(Tuple2<Long, Long> acc) {
            return (double) acc.f0 / acc.f1;
        }

        @Override
        public Tuple2<Long, Long> merge(Tuple2<Long, Long> a, Tuple2<Long, Long> b) {
            return Tuple2.of(a.f0 + b.f0, a.f1 + b.f1);
        }
    }
}
