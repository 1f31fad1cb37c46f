package org.millpond.it;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What a running job tells the program around it. The mini cluster runs in the same process, so that static fields do.
 */
final class Run {
    /** Elements that the stateful operators have taken; what they did to state is done then. */
    static final AtomicInteger PROCESSED = new AtomicInteger();

    /** What a restored job found. */
    static final Queue<String> LINES = new ConcurrentLinkedQueue<>();

    static void reset() {
        PROCESSED.set(0);
        LINES.clear();
    }

    static void tell(Json line) {
        LINES.add(line.toString());
    }

    private Run() {}
}
