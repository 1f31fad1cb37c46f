package org.millpond.it;

import java.util.Map;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.functions.co.KeyedBroadcastProcessFunction;
import org.apache.flink.util.Collector;

/** Broadcast state beside a keyed value. interop/src/rules.rs is the same. */
final class Rules extends KeyedBroadcastProcessFunction<String, Long, Long, String> implements CheckpointedFunction {
    /** How many rules are broadcast. */
    static final int COUNT = 5;

    static final MapStateDescriptor<String, Long> RULES = new MapStateDescriptor<>("rules", Types.STRING, Types.LONG);

    private final boolean reading;
    private transient ValueState<Long> seen;

    Rules(boolean reading) {
        this.reading = reading;
    }

    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
        var rules = context.getOperatorStateStore().getBroadcastState(RULES);
        if (reading) {
            for (Map.Entry<String, Long> rule : rules.entries()) {
                Run.tell(new Json()
                        .with("operator", "rules")
                        .with("state", "broadcast")
                        .with("subtask", getRuntimeContext().getTaskInfo().getIndexOfThisSubtask())
                        .with("entry", rule.getKey())
                        .with("value", rule.getValue()));
            }
        }
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) {}

    @Override
    public void open(OpenContext context) {
        seen = getRuntimeContext().getState(new ValueStateDescriptor<>("seen", Types.LONG));
    }

    @Override
    public void processElement(Long number, ReadOnlyContext context, Collector<String> out) throws Exception {
        if (!reading) {
            seen.update(-number);
        } else if (seen.value() != null) {
            Run.tell(new Json()
                    .with("operator", "rules")
                    .with("key", context.getCurrentKey())
                    .with("state", "value")
                    .with("value", seen.value()));
        }
        Run.PROCESSED.incrementAndGet();
    }

    @Override
    public void processBroadcastElement(Long number, Context context, Collector<String> out) throws Exception {
        if (!reading) {
            context.getBroadcastState(RULES).put("rule-" + number, number * 7);
        }
        Run.PROCESSED.incrementAndGet();
    }
}
