package org.millpond.it;

import org.apache.flink.api.java.tuple.Tuple2;

/** The keys that a number stands for, and how a dump shows them. interop/src/keys.rs has the same. */
final class Keys {
    /** How many keys each keyed operator has. */
    static final int COUNT = 24;

    static String string(long i) {
        return "key-" + i + (i % 3 == 0 ? "-é池😀" : "");
    }

    static Long number(long i) {
        return (i - 10) * 123_456_789_012L;
    }

    static Tuple2<String, Integer> tuple(long i) {
        return Tuple2.of("t" + i % 5, (int) i - 7);
    }

    static UserKey pojo(long i) {
        return new UserKey("user-" + i, (int) (i % 4));
    }

    /** A key as a dump shows it. */
    static Object show(Object key) {
        if (key instanceof Tuple2<?, ?> tuple) {
            return new Json().with("f0", tuple.f0).with("f1", tuple.f1);
        }
        if (key instanceof UserKey user) {
            return new Json().with("name", user.name).with("region", user.region);
        }
        return key;
    }

    private Keys() {}
}
