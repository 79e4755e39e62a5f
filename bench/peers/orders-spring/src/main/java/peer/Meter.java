package peer;

import java.lang.management.ManagementFactory;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import org.springframework.context.annotation.Profile;
import org.springframework.stereotype.Component;

/** Counts stored orders. The first tenth is warm-up. The last line printed is the report, as JSON. */
@Component
@Profile({"store-records", "store-batches"})
class Meter {
    private static final long EVENTS = Long.parseLong(System.getenv("EVENTS"));
    private static final long WARM = EVENTS / 10;

    private final AtomicLong count = new AtomicLong();
    private volatile Reading begin;

    private record Reading(long from, long nanos, long cpuNanos) {
        static Reading at(long count) {
            var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
            return new Reading(count, System.nanoTime(), system.getProcessCpuTime());
        }
    }

    void stored(int orders) {
        long after = count.addAndGet(orders);
        long before = after - orders;
        if (before < WARM && after >= WARM) {
            begin = Reading.at(after);
        }
        if (before < EVENTS && after >= EVENTS) {
            report(Reading.at(after));
        }
    }

    private void report(Reading end) {
        System.out.printf(Locale.ROOT, "{\"events\":%d,\"seconds\":%f,\"cpu_seconds\":%f}%n",
            end.from - begin.from, (end.nanos - begin.nanos) / 1e9, (end.cpuNanos - begin.cpuNanos) / 1e9);
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }
}
