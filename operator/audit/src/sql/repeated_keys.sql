-- Orders that share buyer, program and idempotency key with another one. Void and rejected orders do
-- not count: their key was free again.
-- Arguments: none. Result: number text. Cost: one pass over the orders, grouped on the server.
SELECT unnest(array_agg(orders.number))::text AS number
FROM orders
WHERE idempotency_key IS NOT NULL AND status NOT IN ('void', 'rejected')
GROUP BY user_id, program, idempotency_key
HAVING count(*) > 1
