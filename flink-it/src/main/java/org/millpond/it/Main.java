package org.millpond.it;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.checkpoint.CheckpointException;
import org.apache.flink.runtime.checkpoint.CheckpointFailureReason;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.ExceptionUtils;

/**
 * Runs jobs on a mini cluster, one after the other: the lines of standard input say which, fields separated by tabs.
 *
 * <pre>
 * write   BACKEND PARALLELISM FOLDER       stops a job with a canonical savepoint under FOLDER
 * restore BACKEND PARALLELISM SAVEPOINT OUT  restores a savepoint and writes all that it holds to OUT, as lines of JSON
 * chain   BACKEND PARALLELISM SAVEPOINT FIRST END FOLDER OUT
 *                                          takes the numbers from FIRST up to END, from SAVEPOINT on unless that is empty, and
 *                                          writes what it told to OUT; stops with a savepoint under FOLDER unless that is empty
 * keygroups OUT                            writes the key groups of many keys to OUT, see KeyGroups
 * </pre>
 *
 * For each it answers with a line: "ok", a tab and the savepoint's path, or "failed", a tab and the reason.
 */
public final class Main {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    /** At this parallelism savepoints are compressed; at others they are not. The same as in job.rs. */
    private static final int COMPRESSED_PARALLELISM = 3;

    public static void main(String[] args) throws Exception {
        var lines = new String(System.in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        for (String line : lines) {
            String answer;
            try {
                answer = "ok\t" + run(line.split("\t"));
            } catch (Throwable e) {
                e.printStackTrace();
                answer = "failed\t" + reason(e);
            }
            System.out.println(answer);
            System.out.flush();
        }
        // Pools of the mini cluster would keep the process for a while.
        System.exit(0);
    }

    private static String reason(Throwable e) {
        var texts = new ArrayList<String>();
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            texts.add(cause.getClass().getSimpleName() + ": " + cause.getMessage());
        }
        return String.join(" <- ", texts).replaceAll("\\s+", " ");
    }

    private static String run(String[] words) throws Exception {
        if (words[0].equals("keygroups")) {
            Files.write(Path.of(words[1]), KeyGroups.digests());
            return words[1];
        }
        String backend = words[1];
        int parallelism = Integer.parseInt(words[2]);
        return switch (words[0]) {
            case "write" -> write(backend, parallelism, Path.of(words[3]));
            case "restore" -> restore(backend, parallelism, words[3], Path.of(words[4]));
            case "chain" -> chain(backend, parallelism, words);
            default -> throw new IllegalArgumentException("unknown command " + words[0]);
        };
    }

    private static String write(String backend, int parallelism, Path folder) throws Exception {
        Run.reset();
        var conf = new Configuration();
        if (parallelism == 1) {
            // State then goes into files of its own. Otherwise it stands in _metadata: both ways have to be read.
            conf.setString("execution.checkpointing.dir", folder.resolve("checkpoints").toUri().toString());
            conf.setString("state.storage.fs.memory-threshold", "0");
            conf.setString("execution.checkpointing.data-inline-threshold", "0");
        }
        var env = environment(backend, parallelism, conf);
        build(env, false);
        JobClient job = env.executeAsync("interop");
        return stop(job, Keys.COUNT * 6 + Rules.COUNT * parallelism, folder);
    }

    /** Waits until the job has taken the elements, and stops it with a savepoint. */
    private static String stop(JobClient job, long expected, Path folder) throws Exception {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (Run.PROCESSED.get() < expected) {
            if (System.nanoTime() > deadline) {
                job.cancel().get();
                throw new IllegalStateException("only " + Run.PROCESSED + " of " + expected + " elements were processed");
            }
            Thread.sleep(10);
        }
        while (true) {
            try {
                String path = job.stopWithSavepoint(false, folder.toUri().toString(), SavepointFormatType.CANONICAL)
                        .get();
                job.getJobExecutionResult().get();
                return path;
            } catch (ExecutionException e) {
                // A sink may be about to start while what stands before it has taken every element already.
                if (!isAboutToRun(e) || System.nanoTime() > deadline) {
                    throw e;
                }
                Thread.sleep(10);
            }
        }
    }

    private static boolean isAboutToRun(Throwable e) {
        return ExceptionUtils.findThrowable(e, CheckpointException.class)
                .filter(c -> c.getCheckpointFailureReason() == CheckpointFailureReason.NOT_ALL_REQUIRED_TASKS_RUNNING)
                .isPresent();
    }

    private static String restore(String backend, int parallelism, String savepoint, Path out) throws Exception {
        Run.reset();
        var conf = new Configuration();
        conf.setString("execution.state-recovery.path", savepoint);
        // A source goes on where it was, which is beyond the numbers: reading, the job has sources of its own.
        conf.setString("execution.state-recovery.ignore-unclaimed-state", "true");
        var env = environment(backend, parallelism, conf);
        build(env, true);
        JobClient job = env.executeAsync("interop");
        job.getJobExecutionResult().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        Files.write(out, Run.LINES.stream().sorted().toList());
        return savepoint;
    }

    private static String chain(String backend, int parallelism, String[] words) throws Exception {
        Run.reset();
        String savepoint = words[3];
        int first = Integer.parseInt(words[4]);
        int end = Integer.parseInt(words[5]);
        String folder = words[6];
        var conf = new Configuration();
        if (!savepoint.isEmpty()) {
            conf.setString("execution.state-recovery.path", savepoint);
            conf.setString("execution.state-recovery.ignore-unclaimed-state", "true");
        }
        var env = environment(backend, parallelism, conf);
        Chain.build(numbers(env, "numbers-from-" + first, end - first, folder.isEmpty())
                .map(i -> i + first, Types.LONG)
                .setParallelism(1));
        JobClient job = env.executeAsync("chain");
        String path = folder;
        if (folder.isEmpty()) {
            job.getJobExecutionResult().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        } else {
            long elements = LongStream.range(first, end).filter(Windows::isElement).count();
            path = stop(job, elements, Path.of(folder));
        }
        Files.write(Path.of(words[7]), Run.LINES.stream().sorted().toList());
        return path;
    }

    private static StreamExecutionEnvironment environment(String backend, int parallelism, Configuration conf) {
        conf.setString("state.backend.type", backend);
        conf.setString("rest.bind-port", "0");
        if (parallelism == COMPRESSED_PARALLELISM) {
            conf.setString("execution.checkpointing.snapshot-compression", "true");
        }
        var env = StreamExecutionEnvironment.createLocalEnvironment(parallelism, conf);
        env.setMaxParallelism(128);
        return env;
    }

    private static void build(StreamExecutionEnvironment env, boolean reading) {
        var numbers = numbers(env, "numbers", Keys.COUNT, reading);
        keyed(numbers, "by-string", Keys::string, Types.STRING, reading);
        keyed(numbers, "by-long", Keys::number, Types.LONG, reading);
        keyed(numbers, "by-tuple", Keys::tuple, Types.TUPLE(Types.STRING, Types.INT), reading);
        keyed(numbers, "by-pojo", Keys::pojo, Types.POJO(UserKey.class), reading);
        numbers.keyBy(Keys::string, Types.STRING)
                .connect(numbers(env, "rule-numbers", Rules.COUNT, reading).broadcast(Rules.RULES))
                .process(new Rules(reading), Types.STRING)
                .uid("rules")
                .sinkTo(new DiscardingSink<>());
        var looks = reading ? numbers(env, "looks", 2 * Keys.COUNT, true) : numbers;
        long looksAtEach = reading ? 2 : 1;
        looks.keyBy(n -> ExpiringStates.key(n / looksAtEach), Types.STRING)
                .transform(ExpiringStates.UID, Types.STRING, new ExpiringStates.Operator(new ExpiringStates(reading)))
                .uid(ExpiringStates.UID)
                .sinkTo(new DiscardingSink<>());
        long first = reading ? Keys.COUNT : 0;
        var next = numbers.map(i -> i + first, Types.LONG).setParallelism(1);
        Windows.build(Windows.elements(next, Windows::timeWithLate), reading);
    }

    private static <K> void keyed(
            DataStream<Long> numbers, String uid, KeySelector<Long, K> key, TypeInformation<K> type, boolean reading) {
        numbers.keyBy(key, type)
                .transform(uid, Types.STRING, new KeyedStatesOperator<>(new KeyedStates<K>(uid, reading), reading))
                .uid(uid)
                .sinkTo(new DiscardingSink<>());
    }

    /** The numbers below count. Writing, the source goes on beyond them, so that the job stays to be stopped. */
    private static DataStream<Long> numbers(StreamExecutionEnvironment env, String name, int count, boolean reading) {
        String uid = (reading ? "read-" : "") + name;
        var source = new DataGeneratorSource<>(
                i -> i, reading ? count : Long.MAX_VALUE, RateLimiterStrategy.perSecond(1000), Types.LONG);
        return env.fromSource(source, WatermarkStrategy.noWatermarks(), uid)
                .setParallelism(1)
                .uid(uid)
                .filter(i -> i < count)
                .setParallelism(1);
    }

    private Main() {}
}
