-- Deletes payments that are refunded in full, with their refunds. Those of an order are deleted
-- together with each other, once the order has ended; delete_ended then deletes its row.
-- Arguments: $1 received before, ms since 1970; $2 limit of orders. Result: how many payments.
-- Skips locked rows.
-- Cost: the index of refunded payments up to that time; those whose orders are live, or have another
-- payment that is not refunded, are read and kept.
-- Idempotent.
WITH old AS (
    SELECT p.order_number
    FROM payments p
    WHERE p.status = 'refunded' AND p.received_at < at_ms($1)
        AND NOT EXISTS (SELECT FROM orders o WHERE o.number = p.order_number
            AND (o.dirty OR o.status NOT IN ('cancelled', 'closed', 'rejected', 'void', 'refunded')))
        AND NOT EXISTS (SELECT FROM payments other WHERE other.order_number = p.order_number
            AND (other.received_at >= at_ms($1) OR other.refunded_cents < other.amount_cents))
        AND NOT EXISTS (SELECT FROM refunds r JOIN payments other ON other.id = r.payment
            WHERE other.order_number = p.order_number AND r.state <> 'refunded')
    ORDER BY p.received_at
    LIMIT $2
),
found AS (
    SELECT p.id FROM payments p
    WHERE p.order_number IN (SELECT order_number FROM old)
    ORDER BY p.id
    FOR UPDATE OF p SKIP LOCKED
),
returned AS (DELETE FROM refunds WHERE payment IN (SELECT id FROM found)),
deleted AS (DELETE FROM payments WHERE id IN (SELECT id FROM found) RETURNING 1)
SELECT count(*) FROM deleted
