-- order-create, statement 2: inserts the orders of a batch that have no row.
-- Arguments: one array per column, one entry per order: $1 number, $2 nonce, $3 user, $4 program,
-- $5 category, $6 and $8 the first and last position (from 1) of its seats in $7, the seats of all
-- orders; $9 unit price, $10 amount, $11 key or null, $12 pay_by ms, $13 trace or null, $14 hash of
-- the key's request or null.
-- Result: one row: the numbers inserted. An order whose number or idempotency key is taken is
-- missing.
-- Locks: the new rows, ascending by number. They are not dirty: `create_unsettled` lists them for
-- the sweep, in one row per batch.
-- Cost: one heap row and at most four index entries per order. Repeating it inserts nothing.
WITH stored AS (
INSERT INTO orders (number, nonce, user_id, program, category, seats, unit_price_cents,
                    amount_cents, idempotency_key, status, pay_by, dirty, trace, idempotency_hash)
SELECT w.number, w.nonce, w.user_id, w.program, w.category, ($7::int[])[w.first:w.last],
       w.unit_price_cents, w.amount_cents, w.idempotency_key, 'unpaid', at_ms(w.pay_by_ms), false,
       w.trace, w.idempotency_hash
FROM UNNEST($1::bigint[], $2::bytea[], $3::text[], $4::bigint[], $5::smallint[], $6::int[],
            $8::int[], $9::bigint[], $10::bigint[], $11::text[], $12::bigint[], $13::text[],
            $14::bytea[])
     AS w (number, nonce, user_id, program, category, first, last, unit_price_cents, amount_cents,
           idempotency_key, pay_by_ms, trace, idempotency_hash)
ORDER BY w.number
ON CONFLICT DO NOTHING
RETURNING number
)
SELECT ARRAY(SELECT number FROM stored)
