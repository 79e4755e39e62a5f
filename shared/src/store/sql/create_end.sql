-- order-create, after the gate was settled by a batch: ends it, unless an order of it has changed since
-- or a payment waits for one.
-- Arguments: $1 ids of the batch's lists in `unsettled`; arrays with one entry per order: $2 number, $3
-- the version that the gate was settled by.
-- Result: one row, whose first column has the numbers of the orders that need more. If there are
-- none, the lists are deleted.
-- The commit does not wait for the disk: if it is lost, the sweep settles the orders once more.
-- Cost: one look-up per order. Payments are read only while any waits for its order. Idempotent.
WITH open AS (
    -- The first row from each number on, which is its own. With `=` alone, a plan made while the
    -- table is small would read all of it for each order, later too.
    SELECT o.number
    FROM UNNEST($2::bigint[], $3::bigint[]) AS w (number, version)
    CROSS JOIN LATERAL (
        SELECT o.number, o.version FROM orders o WHERE o.number >= w.number
        ORDER BY o.number LIMIT 1
    ) o
    WHERE o.number = w.number AND o.version > w.version
    UNION ALL
    SELECT p.order_number FROM payments p
    WHERE p.status = 'unmatched' AND p.order_number = ANY ($2)
      AND EXISTS (SELECT FROM payments WHERE status = 'unmatched')
),
ended AS (DELETE FROM unsettled WHERE id = ANY ($1::bigint[]) AND NOT EXISTS (SELECT FROM open))
SELECT ARRAY(SELECT number FROM open), set_config('synchronous_commit', 'off', true)
