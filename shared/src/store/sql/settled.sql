-- The gate is settled by these versions of these orders: clears their dirty flags, and ends the
-- batches that list them.
-- Arguments: arrays with one entry per order: $1 number, $2 version; $3 batches.
-- Result: the rows with a higher version, ascending by number. They stay dirty, and if there is one
-- the batches stay as well: the gate may have been settled by them before it was settled by the
-- versions given. Idempotent.
-- Locks: the dirty orders, ascending by number. Cost: one look-up per order, and one row version
-- per dirty order. The commit is not awaited on disk: if Postgres crashes before it is written, the
-- marks are back, and the sweep settles the gate once more.
WITH without_flush AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
settled AS (
    SELECT w.number, w.version
    FROM UNNEST($1::bigint[], $2::bigint[]) AS w (number, version), without_flush
),
known AS (
    SELECT o.number FROM orders o JOIN settled w USING (number)
    WHERE o.dirty IS NOT FALSE AND o.version = w.version
    ORDER BY o.number
    FOR UPDATE OF o
),
cleared AS (
    UPDATE orders o SET dirty = false FROM known k WHERE o.number = k.number
),
newer AS (
    SELECT o.* FROM orders o JOIN settled w USING (number) WHERE o.version > w.version
),
ended AS (
    DELETE FROM unsettled WHERE id = ANY ($3::bigint[]) AND NOT EXISTS (SELECT FROM newer)
)
SELECT o.number, o.nonce, o.user_id, o.program, o.category, o.seats, o.unit_price_cents,
       o.amount_cents, o.idempotency_key, o.status, o.reason, o.duplicate_of,
       epoch_ms(o.pay_by) AS pay_by_ms, epoch_ms(o.pay_by) - epoch_ms(now()) AS remaining_ms,
       o.version, epoch_ms(o.created_at) AS created_at_ms, o.trace
FROM newer o ORDER BY o.number
