package peer;

import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.kafka.annotation.KafkaListener;

/**
 * A Spring Kafka batch listener that counts bytes. BROKERS, TOPIC and EVENTS say what to read; the first quarter is warm-up.
 * The last line printed is the report, as JSON.
 */
@SpringBootApplication
public class Peer {
    private static final long EVENTS = Long.parseLong(System.getenv("EVENTS"));
    private static final long WARM = EVENTS / 4;

    private final AtomicLong count = new AtomicLong();
    private final AtomicLong bytes = new AtomicLong();
    private volatile Reading begin;

    private record Reading(long nanos, long cpuNanos) {
        static Reading now() {
            var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
            return new Reading(System.nanoTime(), system.getProcessCpuTime());
        }
    }

    public static void main(String[] arguments) {
        SpringApplication.run(Peer.class, arguments);
    }

    @KafkaListener(topics = "${TOPIC}")
    void handle(List<ConsumerRecord<byte[], byte[]>> records) {
        long size = 0;
        for (var record : records) {
            size += record.value().length;
        }
        bytes.addAndGet(size);
        long after = count.addAndGet(records.size());
        long before = after - records.size();
        if (before < WARM && after >= WARM) {
            begin = Reading.now();
        }
        if (before < EVENTS && after >= EVENTS) {
            report(Reading.now());
        }
    }

    private void report(Reading end) {
        System.out.printf(Locale.ROOT, "{\"events\":%d,\"seconds\":%f,\"cpu_seconds\":%f}%n",
            EVENTS - WARM, (end.nanos - begin.nanos) / 1e9, (end.cpuNanos - begin.cpuNanos) / 1e9);
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }
}
