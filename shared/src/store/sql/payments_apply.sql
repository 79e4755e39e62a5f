-- unpaid -> paid for the orders with a waiting payment of the right amount. The earliest such
-- payment becomes applied.
-- Arguments: $1 order numbers. Result: the rows that became paid. Idempotent.
-- Locks: orders ascending by number, then their payments. Only the status decides, not the time.
WITH waiting AS (
    SELECT DISTINCT ON (p.order_number) p.order_number, p.reference
    FROM payments p JOIN orders o ON o.number = p.order_number
    WHERE p.order_number = ANY ($1::bigint[]) AND p.status = 'unmatched'
        -- See pay.sql.
        AND (o.status = 'unpaid') IS NOT FALSE AND o.amount_cents = p.amount_cents
    ORDER BY p.order_number, p.received_at, p.reference
),
payable AS (
    SELECT o.number FROM orders o
    WHERE o.number IN (SELECT w.order_number FROM waiting w)
      AND (o.status = 'unpaid') IS NOT FALSE
    ORDER BY o.number
    FOR UPDATE
),
o AS (
    UPDATE orders c SET status = 'paid', version = c.version + 1, dirty = true, updated_at = now()
    FROM payable WHERE c.number = payable.number
    RETURNING c.*
),
applied AS (
    UPDATE payments p SET status = 'applied' FROM waiting w, o
    WHERE w.order_number = o.number AND p.order_number = w.order_number
        AND p.reference = w.reference AND p.status = 'unmatched'
)
SELECT o.number, o.nonce, o.user_id, o.program, o.category, o.seats, o.unit_price_cents,
       o.amount_cents, o.idempotency_key, o.status, o.reason, o.duplicate_of,
       epoch_ms(o.pay_by) AS pay_by_ms, epoch_ms(o.pay_by) - epoch_ms(now()) AS remaining_ms,
       o.version, epoch_ms(o.created_at) AS created_at_ms, o.trace
FROM o ORDER BY o.number
