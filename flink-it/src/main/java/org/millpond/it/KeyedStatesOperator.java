package org.millpond.it;

import java.util.LinkedHashSet;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.streaming.api.operators.InternalTimerService;
import org.apache.flink.streaming.api.operators.KeyedProcessOperator;

/**
 * The operator that Flink runs a KeyedProcessFunction in. Reading, it goes through every key that the backend has, so that
 * keys that should not be there are seen too.
 */
final class KeyedStatesOperator<K> extends KeyedProcessOperator<K, Long, String> {
    private final KeyedStates<K> states;
    private final boolean reading;

    KeyedStatesOperator(KeyedStates<K> states, boolean reading) {
        super(states);
        this.states = states;
        this.reading = reading;
    }

    @Override
    public void open() throws Exception {
        super.open();
        if (!reading) {
            return;
        }
        var function = (KeyedStates<K>) userFunction;
        Set<K> keys = new LinkedHashSet<>();
        for (String name : KeyedStates.NAMES) {
            try (Stream<K> of = this.<K>getKeyedStateBackend().getKeys(name, VoidNamespace.INSTANCE)) {
                of.forEach(keys::add);
            }
        }
        for (K key : keys) {
            setCurrentKey(key);
            function.dump(key);
        }
        InternalTimerService<VoidNamespace> timers =
                getInternalTimerService("user-timers", VoidNamespaceSerializer.INSTANCE, this);
        timers.forEachProcessingTimeTimer((namespace, at) ->
                Run.tell(function.line(getCurrentKey(), "processing-timer").with("value", at)));
    }
}
