-- Every order. Result: number, program, nonce (hex), user_id, status, idempotency_key text; seats
-- int8[]; money int8; dirty bool. A void fence may lack everything but number, nonce and status.
SELECT number::text,
       encode(nonce, 'hex') AS nonce,
       user_id,
       program::text,
       coalesce(seats::int8[], '{}') AS seats,
       coalesce(unit_price_cents, 0)::int8 AS unit_price_cents,
       coalesce(amount_cents, 0)::int8 AS amount_cents,
       idempotency_key,
       status::text,
       dirty
FROM orders
ORDER BY orders.number
