-- Makes orders dirty whose batches order-create left unsettled: it crashed, or the gate was away.
-- Arguments: $1 minimum age of a batch, ms; $2 maximum batches. Result: rows affected. Idempotent.
WITH stale AS (
    DELETE FROM unsettled WHERE id IN (
        SELECT u.id FROM unsettled u
        WHERE u.created_at < now() - $1::bigint * interval '1 millisecond'
        ORDER BY u.id LIMIT $2 FOR UPDATE SKIP LOCKED)
    RETURNING numbers
),
left_over AS (
    SELECT o.number FROM orders o
    WHERE o.number IN (SELECT UNNEST(s.numbers) FROM stale s) AND NOT o.dirty
    ORDER BY o.number FOR UPDATE
)
UPDATE orders o SET dirty = true FROM left_over l WHERE o.number = l.number
