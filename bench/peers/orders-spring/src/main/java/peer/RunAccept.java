package peer;

import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.Profile;
import org.springframework.core.io.ClassPathResource;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.data.redis.core.script.RedisScript;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.ObjectMapper;

/**
 * Accepts orders with a script that costs the same in every hall. No thread waits for Kafka. Seats that are freed are not sold again:
 * less than a sale needs, and so an upper bound of what it costs in Spring.
 */
@RestController
@Profile("accept-runs")
class RunAccept {
    private static final RedisScript<Long> TAKE = RedisScript.of(new ClassPathResource("next.lua"), Long.class);
    private static final long PAY_WINDOW_MS = 3_600_000;

    private final StringRedisTemplate redis;
    private final Publisher publisher;
    private final ObjectMapper json;
    private final List<String> keys;
    private final String seats;

    RunAccept(StringRedisTemplate redis, Publisher publisher, ObjectMapper json, @Value("${PREFIX}") String prefix,
            @Value("${SEATS}") String seats) {
        this.redis = redis;
        this.publisher = publisher;
        this.json = json;
        this.seats = seats;
        keys = List.of(prefix + ":{spring}:next", prefix + ":{spring}:held", prefix + ":{spring}:due");
    }

    @PostMapping("/programs/{program}/orders")
    CompletableFuture<ResponseEntity<byte[]>> order(@PathVariable String program, @RequestBody Request request) {
        String number = publisher.number();
        String count = Integer.toString(request.count());
        String payBy = Long.toString(System.currentTimeMillis() + PAY_WINDOW_MS);
        long first = redis.execute(TAKE, keys, count, seats, number, payBy);
        if (first < 0) {
            return CompletableFuture.completedFuture(ResponseEntity.status(409).body(new byte[0]));
        }
        int[] taken = IntStream.range((int) first, (int) first + request.count()).toArray();
        return publisher.send(number, program, request.category(), taken)
            .thenApply(sent -> ResponseEntity.accepted().body(json.writeValueAsBytes(Map.of("order", number))));
    }
}
