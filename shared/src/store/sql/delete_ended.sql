-- Deletes orders that have ended and have no payment. A dirty one stays: the gate may not have its
-- last change.
-- Arguments: $1 numbers below this one, $2 limit. Result: rows affected. Skips locked rows.
-- Cost: the index of ended orders from its lowest number; orders with payments there are read and
-- kept.
-- Idempotent.
DELETE FROM orders WHERE number IN (
    SELECT o.number FROM orders o
    WHERE o.status IN ('cancelled', 'closed', 'rejected', 'void', 'refunded') AND o.number < $1 AND NOT o.dirty
        AND NOT EXISTS (SELECT FROM payments p WHERE p.order_number = o.number)
    ORDER BY o.number
    LIMIT $2
    FOR UPDATE OF o SKIP LOCKED
)
