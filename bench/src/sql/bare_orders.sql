-- A batch of orders. Arguments: $1 numbers, $2 nonces, $3 users, $4 programs, $5 categories, $6
-- seats as array text, $7 unit prices, $8 amounts, $9 keys, $10 times to pay by (ms). Idempotent.
-- Rows are not dirty, as those of order-create: they cost no entry in that index.
INSERT INTO bare_orders (number, nonce, user_id, program, category, seats, unit_price_cents,
                         amount_cents, idempotency_key, status, pay_by, dirty)
SELECT number, decode(nonce, 'hex'), user_id, program, category::smallint, seats::int[],
       unit_price, amount, key, 'unpaid', to_timestamp(pay_by / 1000.0), false
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::int[], $6::text[],
            $7::bigint[], $8::bigint[], $9::text[], $10::bigint[])
     AS o (number, nonce, user_id, program, category, seats, unit_price, amount, key, pay_by)
ON CONFLICT DO NOTHING
