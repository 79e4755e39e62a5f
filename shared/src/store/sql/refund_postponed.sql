-- handed_out -> to_refund: whether the provider has refunded it is unknown, so it is handed out
-- again under the same key.
-- Arguments: $1 id, $2 token of the lease, $3 delay in milliseconds, $4 the failure.
-- Result: rows affected.
UPDATE refunds
SET state = 'to_refund', token = NULL, due_at = now() + $3 * interval '1 millisecond', answer = $4
WHERE id = $1 AND token = $2
