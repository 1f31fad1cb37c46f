package org.millpond.it;

import java.io.Serializable;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.datastream.WindowedStream;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.EventTimeSessionWindows;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/** Windows that are open when the savepoint is taken. interop/src/windows.rs says which, and is the same. */
final class Windows {
    private static final Duration SIZE = Duration.ofSeconds(10);
    private static final Duration GAP = Duration.ofSeconds(3);
    private static final long OUT_OF_ORDER = 3000;
    private static final Duration LATENESS = Duration.ofSeconds(5);
    private static final long KEYS = 4;

    /** When a number happened. */
    interface Time extends Serializable {
        long of(long i);
    }

    static boolean isElement(long i) {
        return i / KEYS % 5 != 3;
    }

    static long time(long i) {
        return i * 700 + i * 37 % 5 * 100;
    }

    static long timeWithLate(long i) {
        return i >= Keys.COUNT && i < Keys.COUNT + KEYS ? 9500 : time(i);
    }

    static String key(long i) {
        return "window-" + i % KEYS;
    }

    /** The numbers that are elements at all, with their times. */
    static KeyedStream<Long, String> elements(DataStream<Long> numbers, Time time) {
        return numbers.filter(Windows::isElement)
                .setParallelism(1)
                .assignTimestampsAndWatermarks(WatermarkStrategy.<Long>forGenerator(context -> new Trailing())
                        .withTimestampAssigner((i, before) -> time.of(i)))
                .setParallelism(1)
                .keyBy(Windows::key, Types.STRING);
    }

    static void build(KeyedStream<Long, String> elements, boolean telling) {
        TypeInformation<Tuple2<Long, Long>> pair = Types.TUPLE(Types.LONG, Types.LONG);
        var mean = new KeyedStates.Mean();
        finish(
                "tumbling-reduce",
                tumbling(elements)
                        .allowedLateness(LATENESS)
                        .reduce(Long::sum, new Tell<>("tumbling-reduce", telling), Types.STRING));
        finish(
                "tumbling-aggregate",
                tumbling(elements)
                        .aggregate(mean, new Tell<>("tumbling-aggregate", telling), pair, Types.DOUBLE, Types.STRING));
        finish(
                "tumbling-list",
                tumbling(elements)
                        .allowedLateness(LATENESS)
                        .process(new Tell<>("tumbling-list", telling), Types.STRING));
        finish(
                "session-reduce",
                sessions(elements).reduce(Long::sum, new Tell<>("session-reduce", telling), Types.STRING));
        finish(
                "session-aggregate",
                sessions(elements)
                        .aggregate(mean, new Tell<>("session-aggregate", telling), pair, Types.DOUBLE, Types.STRING));
        finish("session-list", sessions(elements).process(new Tell<>("session-list", telling), Types.STRING));
    }

    private static WindowedStream<Long, String, TimeWindow> tumbling(KeyedStream<Long, String> elements) {
        return elements.window(TumblingEventTimeWindows.of(SIZE));
    }

    private static WindowedStream<Long, String, TimeWindow> sessions(KeyedStream<Long, String> elements) {
        return elements.window(EventTimeSessionWindows.withGap(GAP));
    }

    private static void finish(String uid, SingleOutputStreamOperator<String> results) {
        results.uid(uid).sinkTo(new DiscardingSink<>());
    }

    /** Tells of a window that is computed: a line for each element, or for what they came to. */
    private static final class Tell<V> extends ProcessWindowFunction<V, String, String, TimeWindow> {
        private final String uid;
        private final boolean telling;

        Tell(String uid, boolean telling) {
            this.uid = uid;
            this.telling = telling;
        }

        @Override
        public void process(String key, Context context, Iterable<V> elements, Collector<String> out) {
            int index = 0;
            for (V value : elements) {
                if (telling) {
                    Run.tell(new Json()
                            .with("operator", uid)
                            .with("state", "window")
                            .with("key", key)
                            .with("start", context.window().getStart())
                            .with("end", context.window().getEnd())
                            .with("index", index++)
                            .with("value", value));
                }
            }
        }
    }

    /** Flink's bounded out-of-orderness, but after each element instead of every 200 ms, so that runs are alike. */
    private static final class Trailing implements WatermarkGenerator<Long> {
        private long highest = Long.MIN_VALUE + OUT_OF_ORDER + 1;

        @Override
        public void onEvent(Long element, long timestamp, WatermarkOutput output) {
            highest = Math.max(highest, timestamp);
            output.emitWatermark(new Watermark(highest - OUT_OF_ORDER - 1));
        }

        @Override
        public void onPeriodicEmit(WatermarkOutput output) {}
    }

    private Windows() {}
}
