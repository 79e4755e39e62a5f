package peer;

import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.springframework.context.annotation.Profile;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.stereotype.Component;
import org.springframework.stereotype.Service;
import org.springframework.transaction.annotation.Transactional;
import tools.jackson.databind.ObjectMapper;

/** Stores orders one at a time: a transaction each, with a look-up, the order, then each seat. */
@Service
@Profile("store-records")
class RecordStore {
    private final JdbcTemplate database;

    RecordStore(JdbcTemplate database) {
        this.database = database;
    }

    @Transactional
    public void store(Order order) {
        Integer known = database.queryForObject(
            "SELECT count(*) FROM spring_orders WHERE number = ?", Integer.class, Long.parseLong(order.order()));
        if (known != null && known > 0) {
            return;
        }
        database.update(Rows.ORDER, Rows.of(order));
        for (Object[] seat : Rows.seatsOf(order)) {
            database.update(Rows.SEAT, seat);
        }
    }

    @Component
    @Profile("store-records")
    static class Listener {
        private final RecordStore store;
        private final ObjectMapper json;
        private final Meter meter;

        Listener(RecordStore store, ObjectMapper json, Meter meter) {
            this.store = store;
            this.json = json;
            this.meter = meter;
        }

        @KafkaListener(topics = "${TOPIC}")
        void handle(ConsumerRecord<String, String> record) {
            store.store(json.readValue(record.value(), Order.class));
            meter.stored(1);
        }
    }
}
