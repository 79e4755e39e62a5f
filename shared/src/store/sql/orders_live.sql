-- The orders that hold seats of a program, a page of seats at a time: each order stands at its first seat.
-- Arguments: $1 program, $2 only seats above this (-1: from the first), $3 most seats looked at.
-- Result: a row a seat, ascending: `seat`; and the order where the seat is its first, nulls where it is a later one.
-- Cost: one range of the seats' primary key, and one row of orders a seat by its key, however many seats lie before the page. The LIMIT
--   inside keeps the planner from reading all of orders instead.
SELECT s.seat, o.*
FROM (SELECT seat, order_number FROM order_seats WHERE program = $1 AND seat > $2 ORDER BY seat LIMIT $3) s
LEFT JOIN LATERAL (
    SELECT o.number, o.nonce, o.user_id, o.program, o.category, o.seats, o.unit_price_cents, o.amount_cents, o.idempotency_key, o.status,
           o.reason, o.duplicate_of, epoch_ms(o.pay_by) AS pay_by_ms, epoch_ms(o.pay_by) - epoch_ms(now()) AS remaining_ms, o.version,
           epoch_ms(o.created_at) AS created_at_ms, o.trace, o.idempotency_hash
    FROM orders o WHERE o.number = s.order_number AND o.seats[1] = s.seat LIMIT 1) o ON true
ORDER BY s.seat
