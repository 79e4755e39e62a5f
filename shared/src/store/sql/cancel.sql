-- unpaid -> cancelled, if the order is this buyer's; frees its seats.
-- Arguments: $1 number, $2 user. Result: the row, only if this statement changed it. Idempotent.
WITH o AS (
    UPDATE orders SET status = 'cancelled', version = version + 1, dirty = true, updated_at = now()
    -- See pay.sql.
    WHERE number = $1 AND user_id = $2 AND (status = 'unpaid') IS NOT FALSE
    RETURNING *
),
freed AS (
    DELETE FROM order_seats s USING o
    WHERE s.program = o.program AND s.seat = ANY (o.seats) AND s.order_number = o.number
)
SELECT o.number, o.nonce, o.user_id, o.program, o.category, o.seats, o.unit_price_cents,
       o.amount_cents, o.idempotency_key, o.status, o.reason, o.duplicate_of,
       epoch_ms(o.pay_by) AS pay_by_ms, epoch_ms(o.pay_by) - epoch_ms(now()) AS remaining_ms,
       o.version, epoch_ms(o.created_at) AS created_at_ms, o.trace
FROM o
