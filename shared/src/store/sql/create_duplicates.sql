-- order-create, statement 5: stores as rejected the orders whose request (user, program, key)
-- already is another order.
-- Arguments and result: as of create_orders.
-- If the other order is void or rejected since, duplicate_of is null. Repeating it inserts nothing.
WITH stored AS (
INSERT INTO orders (number, nonce, user_id, program, category, seats, unit_price_cents,
                    amount_cents, idempotency_key, status, pay_by, dirty, trace, idempotency_hash,
                    reason, duplicate_of)
SELECT w.number, w.nonce, w.user_id, w.program, w.category, ($7::int[])[w.first:w.last],
       w.unit_price_cents, w.amount_cents, w.idempotency_key, 'rejected', at_ms(w.pay_by_ms),
       false, w.trace, w.idempotency_hash, 'duplicate',
       (SELECT o.number FROM orders o
        WHERE o.user_id = w.user_id AND o.program = w.program
          AND o.idempotency_key = w.idempotency_key AND o.status NOT IN ('void', 'rejected'))
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
