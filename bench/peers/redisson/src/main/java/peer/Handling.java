package peer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import org.redisson.api.RBlockingQueue;

/** Threads that poll a queue until each of its elements came. */
final class Handling {
    private static final int THREADS = Peer.POLL > 1 ? 4 : 16;
    private static final long PATIENCE_S = 240;
    private static final long ABSENT = Long.MIN_VALUE;

    private final RBlockingQueue<String> queue;
    private final AtomicLongArray late;
    private final CountDownLatch left;
    private final AtomicLong last = new AtomicLong();
    private final AtomicInteger repeated = new AtomicInteger();
    private final List<Thread> threads = new ArrayList<>();
    private volatile boolean stopped;

    Handling(RBlockingQueue<String> queue, int count) {
        this.queue = queue;
        var absent = new long[count];
        Arrays.fill(absent, ABSENT);
        late = new AtomicLongArray(absent);
        left = new CountDownLatch(count);
        for (int t = 0; t < THREADS; t++) {
            var thread = new Thread(this::work);
            thread.start();
            threads.add(thread);
        }
    }

    static String body(int n, long due) {
        return "{\"n\":" + n + ",\"due\":" + due + "}";
    }

    static long until(long due) {
        return Math.max(0, due - System.currentTimeMillis());
    }

    private void work() {
        try {
            while (!stopped) {
                String first = queue.poll(1, TimeUnit.SECONDS);
                if (first == null) {
                    continue;
                }
                handle(first);
                if (Peer.POLL > 1) {
                    queue.poll(Peer.POLL).forEach(this::handle);
                }
            }
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
    }

    private void handle(String body) {
        long now = System.currentTimeMillis();
        int comma = body.indexOf(',');
        int n = Integer.parseInt(body, "{\"n\":".length(), comma, 10);
        long due = Long.parseLong(body, comma + ",\"due\":".length(), body.length() - 1, 10);
        if (late.compareAndSet(n, ABSENT, now - due)) {
            last.accumulateAndGet(now, Math::max);
            left.countDown();
        } else {
            repeated.incrementAndGet();
        }
    }

    /** Waits until each element was handled, then ends the threads. */
    void finish() throws InterruptedException {
        if (!left.await(PATIENCE_S, TimeUnit.SECONDS)) {
            throw new IllegalStateException(left.getCount() + " elements did not come");
        }
        stopped = true;
        for (var thread : threads) {
            thread.join();
        }
    }

    /** When the last element came, ms since 1970. */
    long last() {
        return last.get();
    }

    int repeated() {
        return repeated.get();
    }

    long[] sortedLateness() {
        var sorted = new long[late.length()];
        Arrays.setAll(sorted, late::get);
        Arrays.sort(sorted);
        return sorted;
    }
}
