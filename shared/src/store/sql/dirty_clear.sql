-- Clears the dirty flag: the gate is settled by these versions of these orders.
-- Arguments: arrays with one entry per order: $1 number, $2 version. Result: rows affected. A row
-- changed since stays dirty. Idempotent.
WITH known AS (
    SELECT o.number
    FROM orders o JOIN UNNEST($1::bigint[], $2::bigint[]) AS w (number, version) USING (number)
    WHERE o.dirty AND o.version = w.version
    ORDER BY o.number
    FOR UPDATE OF o
)
UPDATE orders o SET dirty = false FROM known k WHERE o.number = k.number
