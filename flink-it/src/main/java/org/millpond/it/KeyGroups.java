package org.millpond.it;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import org.apache.flink.api.java.tuple.Tuple1;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.api.java.tuple.Tuple5;
import org.apache.flink.api.java.tuple.Tuple6;
import org.apache.flink.api.java.tuple.Tuple7;
import org.apache.flink.api.java.tuple.Tuple8;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;

/**
 * The key groups that Flink gives to 100,000 keys of each type, as one number for each type and max parallelism.
 * crates/types/tests/key_groups.rs makes the same keys from the same seeds and must come to the same numbers, which are checked in
 * beside it.
 */
final class KeyGroups {
    private static final int COUNT = 100_000;
    private static final int[] MAX_PARALLELISMS = {128, 1000, 32_768};

    /** A POJO with fields of every sort of number, some of which may be null. */
    private record Mixed(boolean flag, byte small, Short medium, Integer count, Long total, String text) {
        @Override
        public int hashCode() {
            return Objects.hash(flag, small, medium, count, total, text);
        }
    }

    /** Hashed as Java hashes a record. */
    private record Route(int flight, String from, long at, boolean late) {}

    /** A line for each type and max parallelism: both, the digest of all key groups, and the first of them to look at. */
    static List<String> digests() {
        Map<String, Function<Random, Object>> types = new LinkedHashMap<>();
        types.put("boolean", Random::bool);
        types.put("byte", r -> (byte) r.next());
        types.put("short", r -> (short) r.next());
        types.put("int", r -> (int) r.next());
        types.put("long", Random::next);
        types.put("string", Random::text);
        types.put("tuple1", r -> Tuple1.of(r.text()));
        types.put("tuple2", r -> Tuple2.of(r.text(), (int) r.next()));
        types.put("tuple2-null", r -> Tuple2.of(r.next(), r.maybe(Random::text)));
        types.put("tuple3", r -> Tuple3.of(r.next(), r.bool(), r.text()));
        types.put("tuple4", r -> Tuple4.of((byte) r.next(), (short) r.next(), (int) r.next(), r.next()));
        types.put("tuple5", r -> Tuple5.of(r.text(), r.text(), r.next(), (int) r.next(), r.bool()));
        types.put("tuple6", r -> Tuple6.of(r.next(), r.next(), r.next(), r.text(), (int) r.next(), r.bool()));
        types.put("tuple7", r -> Tuple7.of(r.next(), r.text(), r.next(), r.text(), r.next(), r.text(), r.next()));
        types.put(
                "tuple8",
                r -> Tuple8.of(
                        r.text(), r.next(), (int) r.next(), (short) r.next(), (byte) r.next(), r.bool(), r.text(), r.next()));
        types.put("nested", r -> Tuple2.of(Tuple2.of(r.text(), r.next()), r.list(Random::text)));
        types.put("list", r -> r.list(Random::text));
        types.put("map", r -> {
            Map<String, Long> map = new HashMap<>();
            for (long n = r.below(5); n > 0; n--) {
                map.put(r.text(), r.next());
            }
            return map;
        });
        types.put("set", r -> {
            Set<Integer> set = new HashSet<>();
            for (long n = r.below(5); n > 0; n--) {
                set.add((int) r.next());
            }
            return set;
        });
        types.put("pojo", r -> new UserKey(r.text(), (int) r.next()));
        types.put(
                "pojo-null",
                r -> new Mixed(
                        r.bool(),
                        (byte) r.next(),
                        r.maybe(q -> (short) q.next()),
                        r.maybe(q -> (int) q.next()),
                        r.maybe(Random::next),
                        r.maybe(Random::text)));
        types.put("record", r -> new Route((int) r.next(), r.text(), r.next(), r.bool()));
        List<String> lines = new ArrayList<>();
        types.forEach((name, key) -> {
            for (int max : MAX_PARALLELISMS) {
                lines.add(name + " " + max + " " + digest(name, key, max));
            }
        });
        return lines;
    }

    private static String digest(String name, Function<Random, Object> key, int max) {
        var random = new Random(name);
        long digest = 17;
        var first = new StringBuilder();
        for (int i = 0; i < COUNT; i++) {
            int group = KeyGroupRangeAssignment.assignToKeyGroup(key.apply(random), max);
            digest = digest * 31 + group;
            if (i < 5) {
                first.append(' ').append(group);
            }
        }
        return digest + first.toString();
    }

    /** SplitMix64, seeded by the name of a type. */
    private static final class Random {
        private long state = 0;

        Random(String name) {
            for (char c : name.toCharArray()) {
                state = state * 31 + c;
            }
        }

        long next() {
            state += 0x9e3779b97f4a7c15L;
            long z = state;
            z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
            z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
            return z ^ (z >>> 31);
        }

        long below(long bound) {
            return (next() >>> 32) * bound >>> 32;
        }

        boolean bool() {
            return below(2) == 1;
        }

        <T> T maybe(Function<Random, T> value) {
            return below(4) == 0 ? null : value.apply(this);
        }

        /** Letters, mostly; some characters of three and four bytes in UTF-8. */
        String text() {
            var text = new StringBuilder();
            for (long n = below(16); n > 0; n--) {
                switch ((int) below(8)) {
                    case 0 -> text.appendCodePoint((int) (0x4e00 + below(0x5000)));
                    case 1 -> text.appendCodePoint((int) (0x1f600 + below(64)));
                    default -> text.append((char) ('a' + below(26)));
                }
            }
            return text.toString();
        }

        <T> List<T> list(Function<Random, T> element) {
            List<T> list = new ArrayList<>();
            for (long n = below(5); n > 0; n--) {
                list.add(element.apply(this));
            }
            return list;
        }
    }

    private KeyGroups() {}
}
