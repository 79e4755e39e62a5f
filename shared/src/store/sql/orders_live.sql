-- The orders that hold seats of a program.
-- Arguments: $1 program, $2 only numbers above this, $3 limit. Result: ascending by number.
-- Cost: the program's seats are scanned for every page: ask for large ones.
SELECT o.number, o.nonce, o.user_id, o.program, o.category, o.seats, o.unit_price_cents, o.amount_cents, o.idempotency_key, o.status,
       o.reason, o.duplicate_of, epoch_ms(o.pay_by) AS pay_by_ms, epoch_ms(o.pay_by) - epoch_ms(now()) AS remaining_ms, o.version,
       epoch_ms(o.created_at) AS created_at_ms, o.trace
FROM orders o
WHERE o.number IN (
    SELECT DISTINCT s.order_number FROM order_seats s WHERE s.program = $1 AND s.order_number > $2 ORDER BY s.order_number LIMIT $3)
ORDER BY o.number
