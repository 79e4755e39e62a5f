-- unpaid -> closed for overdue orders, longest overdue first, whatever the gate holds; frees their
-- seats.
-- Arguments: $1 limit. Result: the closed rows. Skips locked rows and orders with a waiting
-- payment.
-- Cost: the partial index of unpaid orders by pay_by.
WITH due AS (
    SELECT o.number FROM orders o
    WHERE o.status = 'unpaid' AND o.pay_by <= now()
      AND NOT EXISTS (
          SELECT FROM payments p WHERE p.order_number = o.number AND p.status = 'unmatched')
    ORDER BY o.pay_by
    LIMIT $1
    FOR UPDATE OF o SKIP LOCKED
),
o AS (
    UPDATE orders c SET status = 'closed', version = c.version + 1, dirty = true, updated_at = now()
    FROM due WHERE c.number = due.number
    RETURNING c.*
),
freed AS (
    DELETE FROM order_seats s USING o
    WHERE s.program = o.program AND s.seat = ANY (o.seats) AND s.order_number = o.number
)
SELECT o.number, o.nonce, o.user_id, o.program, o.category, o.seats, o.unit_price_cents,
       o.amount_cents, o.idempotency_key, o.status, o.reason, o.duplicate_of,
       epoch_ms(o.pay_by) AS pay_by_ms, epoch_ms(o.pay_by) - epoch_ms(now()) AS remaining_ms,
       o.version, epoch_ms(o.created_at) AS created_at_ms, o.trace
FROM o ORDER BY o.number
