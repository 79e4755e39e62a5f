-- A program's ended orders that keep their client's key (a void or rejected order frees its key).
-- Arguments: $1 program, $2 only numbers above this, $3 limit. Result: ascending by number. Cost: a
-- partial index.
SELECT o.number, o.nonce, o.user_id, o.idempotency_key, o.idempotency_hash
FROM orders o
WHERE o.program = $1 AND o.number > $2 AND o.idempotency_key IS NOT NULL
    AND o.status IN ('cancelled', 'closed', 'refunded')
ORDER BY o.number LIMIT $3
