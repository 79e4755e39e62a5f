-- The orders that hold seats of a program, one page of seats at a time. Each order is returned at
-- its first seat.
-- Arguments: $1 program, $2 only seats above this (-1: from the first), $3 maximum seats read.
-- Result: one row per seat, ascending: `seat`, and its order if the seat is the order's first, else
-- nulls.
-- Cost: one range of the primary key of order_seats, and one row of orders per seat by key,
-- independent of the seats before the page. The inner LIMIT keeps the planner from reading all
-- orders.
SELECT s.seat, o.*
FROM (SELECT seat, order_number FROM order_seats
      WHERE program = $1 AND seat > $2 ORDER BY seat LIMIT $3) s
LEFT JOIN LATERAL (
    SELECT o.number, o.nonce, o.user_id, o.program, o.category, o.seats, o.unit_price_cents,
           o.amount_cents, o.idempotency_key, o.status, o.reason, o.duplicate_of,
           epoch_ms(o.pay_by) AS pay_by_ms, epoch_ms(o.pay_by) - epoch_ms(now()) AS remaining_ms,
           o.version, epoch_ms(o.created_at) AS created_at_ms, o.trace, o.idempotency_hash
    FROM orders o WHERE o.number = s.order_number AND o.seats[1] = s.seat LIMIT 1) o ON true
ORDER BY s.seat
