package peer;

import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.Profile;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.support.SendResult;
import org.springframework.stereotype.Component;
import tools.jackson.databind.ObjectMapper;

/** Numbers orders and sends them to Kafka. */
@Component
@Profile({"accept-map", "accept-runs"})
class Publisher {
    private static final long PRICE_CENTS = 1000;
    private static final long PAY_WINDOW_MS = 3_600_000;

    private final KafkaTemplate<String, String> kafka;
    private final ObjectMapper json;
    private final String topic;
    private final AtomicLong numbers = new AtomicLong(System.currentTimeMillis() << 20);
    private final SecureRandom random = new SecureRandom();

    Publisher(KafkaTemplate<String, String> kafka, ObjectMapper json, @Value("${TOPIC}") String topic) {
        this.kafka = kafka;
        this.json = json;
        this.topic = topic;
    }

    String number() {
        return Long.toString(numbers.incrementAndGet());
    }

    CompletableFuture<SendResult<String, String>> send(String number, String program, int category, int[] seats) {
        var nonce = new byte[16];
        random.nextBytes(nonce);
        var order = new Order(1, number, HexFormat.of().formatHex(nonce), "buyer", program, category, seats, PRICE_CENTS,
            PRICE_CENTS * seats.length, null, System.currentTimeMillis() + PAY_WINDOW_MS, null);
        return kafka.send(topic, number, json.writeValueAsString(order));
    }
}
