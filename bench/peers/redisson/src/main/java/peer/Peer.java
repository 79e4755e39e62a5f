package peer;

import java.util.Locale;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntToLongFunction;
import org.redisson.Redisson;
import org.redisson.api.RBlockingQueue;
import org.redisson.api.RDelayedQueue;
import org.redisson.api.RScript;
import org.redisson.api.RedissonClient;
import org.redisson.client.codec.StringCodec;
import org.redisson.config.Config;

/**
 * Redisson as a delay queue: RDelayedQueue into an RBlockingQueue, which threads poll. An element is gone when it is polled: nothing
 * is leased or acknowledged (its reliable queue is not part of the open source version).
 *
 * <p>PORT is that of an empty Redis of the measurement, ENTRIES the number of elements, POLL how many one poll takes. PACED elements
 * are due 500 a second; 0 leaves that part out. The last line printed is the report, as JSON.
 */
public final class Peer {
    static final int POLL = number("POLL");
    private static final int ENTRIES = number("ENTRIES");
    private static final int PACED = number("PACED");
    private static final int PACE = 500;
    private static final int PRODUCERS = 32;
    /** Offers in flight of the pipelined phase. */
    private static final int WINDOW = 1000;
    private static final long HOUR_MS = 3_600_000;
    private static final StringCodec CODEC = StringCodec.INSTANCE;

    private final RedissonClient redisson;

    private Peer(RedissonClient redisson) {
        this.redisson = redisson;
    }

    private static int number(String name) {
        return Integer.parseInt(System.getenv(name));
    }

    public static void main(String[] arguments) throws Exception {
        var config = new Config();
        config.useSingleServer().setAddress("redis://127.0.0.1:" + number("PORT"));
        new Peer(Redisson.create(config)).measure();
        Runtime.getRuntime().halt(0);
    }

    private void measure() throws Exception {
        schedule("warm", this::pipelined);
        var singles = schedule("singles", this::singly);
        var bulk = schedule("bulk", this::pipelined);
        long lead = (long) (2 * ENTRIES / bulk.rate * 1000) + 2000;
        var drained = drain(lead);
        var burst = burst(lead + 1000);
        String late = "null";
        int repeated = drained.repeated + burst.repeated;
        if (PACED > 0) {
            var paced = lateness();
            late = String.format(Locale.ROOT, "[%d,%d,%d]", paced.late(0.5), paced.late(0.99), paced.late(0.999));
            repeated += paced.repeated;
        }
        System.out.printf(Locale.ROOT,
            "{\"singles\":%f,\"bulk\":%f,\"bytes\":%f,\"drain\":%f,\"burst_ms\":%d,\"late_ms\":%s,\"repeated\":%d}%n",
            singles.rate, bulk.rate, bulk.bytes, drained.rate, burst.ms, late, repeated);
        System.out.flush();
    }

    private interface Add {
        void elements(RDelayedQueue<String> queue, int count, IntToLongFunction due) throws Exception;
    }

    private record Scheduled(double rate, double bytes) {}

    /** Elements that are due in an hour. */
    private Scheduled schedule(String name, Add add) throws Exception {
        RDelayedQueue<String> queue = redisson.getDelayedQueue(redisson.getBlockingQueue(name, CODEC));
        double before = usedMemory();
        long began = System.nanoTime();
        add.elements(queue, ENTRIES, n -> System.currentTimeMillis() + HOUR_MS);
        double rate = ENTRIES / ((System.nanoTime() - began) / 1e9);
        double bytes = (usedMemory() - before) / ENTRIES;
        if (queue.size() != ENTRIES) {
            throw new IllegalStateException("elements were not stored");
        }
        queue.destroy();
        return new Scheduled(rate, bytes);
    }

    private record Drained(double rate, int repeated) {}

    /** Elements per second of threads that find all elements due. Constant timeouts: due in the order of insertion. */
    private Drained drain(long lead) throws Exception {
        RBlockingQueue<String> target = redisson.getBlockingQueue("drain", CODEC);
        RDelayedQueue<String> queue = redisson.getDelayedQueue(target);
        long due = System.currentTimeMillis() + lead;
        pipelined(queue, ENTRIES, n -> due + n / 50);
        queue.destroy(); // nothing moves due elements meanwhile
        requireBefore(due);
        Thread.sleep(due + ENTRIES / 50 + 300 - System.currentTimeMillis());
        long began = System.currentTimeMillis();
        queue = redisson.getDelayedQueue(target);
        var handling = new Handling(target, ENTRIES);
        handling.finish();
        queue.destroy();
        return new Drained(ENTRIES * 1000.0 / (handling.last() - began), handling.repeated());
    }

    private record Burst(long ms, int repeated) {}

    /** All elements due at one time: ms until the last is handled. */
    private Burst burst(long lead) throws Exception {
        RBlockingQueue<String> target = redisson.getBlockingQueue("burst", CODEC);
        RDelayedQueue<String> queue = redisson.getDelayedQueue(target);
        var handling = new Handling(target, ENTRIES);
        long due = System.currentTimeMillis() + lead;
        pipelined(queue, ENTRIES, n -> due);
        requireBefore(due);
        handling.finish();
        queue.destroy();
        return new Burst(handling.last() - due, handling.repeated());
    }

    private record Lateness(long[] sorted, int repeated) {
        long late(double quantile) {
            return sorted[Math.min(sorted.length - 1, (int) (sorted.length * quantile))];
        }
    }

    private Lateness lateness() throws Exception {
        RBlockingQueue<String> target = redisson.getBlockingQueue("paced", CODEC);
        RDelayedQueue<String> queue = redisson.getDelayedQueue(target);
        var handling = new Handling(target, PACED);
        long first = System.currentTimeMillis() + 4000;
        pipelined(queue, PACED, n -> first + n * 1000L / PACE);
        requireBefore(first);
        handling.finish();
        queue.destroy();
        return new Lateness(handling.sortedLateness(), handling.repeated());
    }

    private static void requireBefore(long due) {
        if (System.currentTimeMillis() > due) {
            throw new IllegalStateException("adding the elements took longer than planned");
        }
    }

    private void singly(RDelayedQueue<String> queue, int count, IntToLongFunction due) throws InterruptedException {
        var next = new AtomicInteger();
        var threads = new Thread[PRODUCERS];
        for (int t = 0; t < PRODUCERS; t++) {
            threads[t] = new Thread(() -> {
                for (int n = next.getAndIncrement(); n < count; n = next.getAndIncrement()) {
                    long at = due.applyAsLong(n);
                    queue.offer(Handling.body(n, at), Handling.until(at), TimeUnit.MILLISECONDS);
                }
            });
            threads[t].start();
        }
        for (var thread : threads) {
            thread.join();
        }
    }

    /** RDelayedQueue has no call for many elements, and RBatch does not cover it: this keeps many offers in flight. */
    private void pipelined(RDelayedQueue<String> queue, int count, IntToLongFunction due) throws InterruptedException {
        var window = new Semaphore(WINDOW);
        for (int n = 0; n < count; n++) {
            window.acquire();
            long at = due.applyAsLong(n);
            queue.offerAsync(Handling.body(n, at), Handling.until(at), TimeUnit.MILLISECONDS)
                .whenComplete((value, error) -> {
                    if (error != null) {
                        error.printStackTrace();
                        Runtime.getRuntime().halt(1);
                    }
                    window.release();
                });
        }
        window.acquire(WINDOW);
    }

    private double usedMemory() {
        String info = redisson.getScript(CODEC)
            .eval(RScript.Mode.READ_ONLY, "return redis.call('INFO', 'memory')", RScript.ReturnType.STRING);
        return info.lines()
            .filter(line -> line.startsWith("used_memory:"))
            .mapToDouble(line -> Double.parseDouble(line.substring("used_memory:".length())))
            .findFirst()
            .orElseThrow();
    }
}
