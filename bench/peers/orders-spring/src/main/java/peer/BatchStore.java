package peer;

import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.springframework.context.annotation.Profile;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.stereotype.Component;
import org.springframework.stereotype.Service;
import org.springframework.transaction.annotation.Transactional;
import tools.jackson.databind.ObjectMapper;

/** Stores the orders of a poll in one transaction, with inserts that the driver rewrites to many rows a statement. */
@Service
@Profile("store-batches")
class BatchStore {
    private final JdbcTemplate database;

    BatchStore(JdbcTemplate database) {
        this.database = database;
    }

    @Transactional
    public void store(List<Order> orders) {
        List<Object[]> rows = new ArrayList<>(orders.size());
        List<Object[]> seats = new ArrayList<>(orders.size() * 2);
        for (var order : orders) {
            rows.add(Rows.of(order));
            seats.addAll(Rows.seatsOf(order));
        }
        database.batchUpdate(Rows.ORDER + " ON CONFLICT DO NOTHING", rows);
        database.batchUpdate(Rows.SEAT + " ON CONFLICT DO NOTHING", seats);
    }

    @Component
    @Profile("store-batches")
    static class Listener {
        private final BatchStore store;
        private final ObjectMapper json;
        private final Meter meter;

        Listener(BatchStore store, ObjectMapper json, Meter meter) {
            this.store = store;
            this.json = json;
            this.meter = meter;
        }

        @KafkaListener(topics = "${TOPIC}", batch = "true")
        void handle(List<ConsumerRecord<String, String>> records) {
            List<Order> orders = new ArrayList<>(records.size());
            for (var record : records) {
                orders.add(json.readValue(record.value(), Order.class));
            }
            store.store(orders);
            meter.stored(orders.size());
        }
    }
}
