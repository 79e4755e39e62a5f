-- A page of the orders, in the order of their numbers.
-- Arguments: $1 number after which the page begins, $2 maximum rows.
-- Result: number, program, nonce (hex), user_id, status, idempotency_key text; seats int8[]; money
-- int8; dirty bool. A void fence may lack everything but number, nonce and status.
-- Cost: O(rows), by the primary key.
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
WHERE orders.number > $1
ORDER BY orders.number
LIMIT $2
