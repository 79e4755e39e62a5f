package peer;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
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
 * Accepts orders with a script that reads every unsold seat of the hall. The request's thread waits at a latch until Kafka has
 * acknowledged the order.
 */
@RestController
@Profile("accept-map")
class MapAccept {
    private static final int ROW = 500;
    private static final int CHUNK = 1000;

    @SuppressWarnings("rawtypes")
    private static final RedisScript<List> TAKE = RedisScript.of(new ClassPathResource("take.lua"), List.class);

    private final StringRedisTemplate redis;
    private final Publisher publisher;
    private final ObjectMapper json;
    private final List<String> keys;

    private record Seat(int id, int row, int column, long price) {}

    MapAccept(StringRedisTemplate redis, Publisher publisher, ObjectMapper json, @Value("${PREFIX}") String prefix,
            @Value("${SEATS}") int seats) {
        this.redis = redis;
        this.publisher = publisher;
        this.json = json;
        keys = List.of(prefix + ":{spring}:unsold", prefix + ":{spring}:locked", prefix + ":{spring}:left");
        Map<String, String> chunk = new HashMap<>();
        for (int id = 0; id < seats; id++) {
            chunk.put(Integer.toString(id), json.writeValueAsString(new Seat(id, id / ROW, id % ROW, 1000)));
            if (chunk.size() == CHUNK || id + 1 == seats) {
                redis.opsForHash().putAll(keys.get(0), chunk);
                chunk.clear();
            }
        }
        redis.opsForValue().set(keys.get(2), Integer.toString(seats));
    }

    @PostMapping("/programs/{program}/orders")
    ResponseEntity<byte[]> order(@PathVariable String program, @RequestBody Request request) throws InterruptedException {
        List<?> taken = redis.execute(TAKE, keys, Integer.toString(request.count()));
        if (taken.isEmpty()) {
            return ResponseEntity.status(409).body(new byte[0]);
        }
        var seats = taken.stream().map(seat -> json.readValue(seat.toString(), Seat.class)).toList();
        String number = publisher.number();
        var latch = new CountDownLatch(1);
        var failure = new AtomicReference<Throwable>();
        publisher.send(number, program, request.category(), seats.stream().mapToInt(Seat::id).toArray())
            .whenComplete((result, error) -> {
                failure.set(error);
                latch.countDown();
            });
        latch.await();
        if (failure.get() != null) {
            release(seats);
            return ResponseEntity.status(503).body(new byte[0]);
        }
        return ResponseEntity.accepted().body(json.writeValueAsBytes(Map.of("order", number)));
    }

    private void release(List<Seat> seats) {
        for (var seat : seats) {
            redis.opsForHash().delete(keys.get(1), Integer.toString(seat.id));
            redis.opsForHash().put(keys.get(0), Integer.toString(seat.id), json.writeValueAsString(seat));
        }
        redis.opsForValue().increment(keys.get(2), seats.size());
    }
}
