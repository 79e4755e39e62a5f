-- order-create, after the gate was settled by a batch: ends it, unless an order of it has changed since
-- or a payment waits for one.
-- Arguments: $1 ids of the batch's lists in `unsettled`; arrays with one entry per order: $2 number, $3
-- the version that the gate was settled by.
-- Result: one row, whose first column has the numbers of the orders that need more. If there are
-- none, the lists are deleted.
-- The commit does not wait for the disk: if it is lost, the sweep settles the orders once more.
-- Cost: one look-up per order. Payments are read only while any waits for its order. Idempotent.
WITH changed AS MATERIALIZED (
    -- As a rule none: the orders were just stored, and few have another version than the first.
    SELECT o.number, o.version FROM orders o
    WHERE o.number = ANY ($2::bigint[])
      AND o.version > (SELECT min(version) FROM UNNEST($3::bigint[]) AS w (version))
),
open AS (
    SELECT c.number FROM changed c
    JOIN UNNEST($2::bigint[], $3::bigint[]) AS w (number, version) USING (number)
    WHERE c.version > w.version
    UNION ALL
    SELECT p.order_number FROM payments p
    WHERE p.status = 'unmatched' AND p.order_number = ANY ($2)
      AND EXISTS (SELECT FROM payments WHERE status = 'unmatched')
),
ended AS (DELETE FROM unsettled WHERE id = ANY ($1::bigint[]) AND NOT EXISTS (SELECT FROM open))
SELECT ARRAY(SELECT number FROM open), set_config('synchronous_commit', 'off', true)
