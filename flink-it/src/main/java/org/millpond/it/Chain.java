package org.millpond.it;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/**
 * One job whose numbers are taken in turns: a part of them here, the next by Millpond, the rest here again, each going on from the
 * savepoint of the one before. interop/src/chain.rs says what it does, and is the same.
 */
final class Chain extends KeyedProcessFunction<String, Long, String> {
    private static final long BUCKET = 5000;
    private static final int LAST = 3;

    private transient ValueState<Long> count;
    private transient ValueState<Long> sum;
    private transient ListState<Long> last;
    private transient MapState<Long, Long> buckets;

    static void build(DataStream<Long> numbers) {
        var elements = Windows.elements(numbers, Windows::time);
        elements.process(new Chain(), Types.STRING).uid("chain").sinkTo(new DiscardingSink<>());
        Windows.build(elements, true);
    }

    @Override
    public void open(OpenContext context) {
        var runtime = getRuntimeContext();
        count = runtime.getState(new ValueStateDescriptor<>("count", Types.LONG));
        var living = new ValueStateDescriptor<>("sum", Types.LONG);
        living.enableTimeToLive(
                StateTtlConfig.newBuilder(Duration.ofDays(1000)).build());
        sum = runtime.getState(living);
        last = runtime.getListState(new ListStateDescriptor<>("last", Types.LONG));
        buckets = runtime.getMapState(new MapStateDescriptor<>("buckets", Types.LONG, Types.LONG));
    }

    @Override
    public void processElement(Long number, Context context, Collector<String> out) throws Exception {
        count.update((count.value() == null ? 0 : count.value()) + 1);
        sum.update((sum.value() == null ? 0 : sum.value()) + number);
        List<Long> numbers = new ArrayList<>();
        last.get().forEach(numbers::add);
        numbers.add(number);
        last.update(numbers.subList(Math.max(0, numbers.size() - LAST), numbers.size()));
        long bucket = context.timestamp() / BUCKET;
        Long before = buckets.get(bucket);
        buckets.put(bucket, (before == null ? 0 : before) + 1);
        context.timerService().registerEventTimeTimer((bucket + 1) * BUCKET - 1);
        long oldest = last.get().iterator().next();
        Run.tell(line(context.getCurrentKey(), "element")
                .with("number", number)
                .with("count", count.value())
                .with("sum", sum.value())
                .with("oldest", oldest));
        Run.PROCESSED.incrementAndGet();
    }

    @Override
    public void onTimer(long at, OnTimerContext context, Collector<String> out) throws Exception {
        long bucket = at / BUCKET;
        Run.tell(line(context.getCurrentKey(), "bucket").with("end", at).with("value", buckets.get(bucket)));
        buckets.remove(bucket);
    }

    private static Json line(String key, String state) {
        return new Json().with("operator", "chain").with("key", key).with("state", state);
    }
}
