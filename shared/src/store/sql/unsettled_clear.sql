-- Ends a batch: the gate is settled by all its orders but some.
-- Arguments: $1 batch, $2 the numbers that are not settled: they become dirty. Result: rows
-- affected. Idempotent.
WITH cleared AS (DELETE FROM unsettled WHERE id = $1),
left_over AS (
    SELECT o.number FROM orders o WHERE o.number = ANY ($2::bigint[]) AND NOT o.dirty
    ORDER BY o.number FOR UPDATE
)
UPDATE orders o SET dirty = true FROM left_over l WHERE o.number = l.number
