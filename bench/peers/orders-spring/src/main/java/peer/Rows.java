package peer;

import java.sql.Timestamp;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/** Orders as rows. As those of order-create, they are in no index of orders that Redis has yet to receive. */
final class Rows {
    static final String ORDER = "INSERT INTO spring_orders (number, nonce, user_id, program, category, seats, unit_price_cents,"
        + " amount_cents, idempotency_key, status, pay_by, dirty) VALUES (?, ?, ?, ?, ?, ?::int[], ?, ?, ?, 'unpaid', ?, false)";
    static final String SEAT = "INSERT INTO spring_order_seats (program, seat, order_number) VALUES (?, ?, ?)";

    private Rows() {}

    static Object[] of(Order order) {
        String seats = Arrays.toString(order.seats()).replace('[', '{').replace(']', '}');
        return new Object[] {
            Long.parseLong(order.order()), HexFormat.of().parseHex(order.nonce()), order.user(), Long.parseLong(order.program()),
            (short) order.category(), seats, order.unitPriceCents(), order.amountCents(), order.idempotencyKey(),
            new Timestamp(order.payByMs()),
        };
    }

    static List<Object[]> seatsOf(Order order) {
        long program = Long.parseLong(order.program());
        long number = Long.parseLong(order.order());
        return Arrays.stream(order.seats()).mapToObj(seat -> new Object[] {program, seat, number}).toList();
    }
}
