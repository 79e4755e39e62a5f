-- to_refund -> handed_out for refunds that are due, longest due first; those whose lease has ended
-- are handed out again, under the same key.
-- Arguments: $1 token, $2 lease in milliseconds, $3 limit. Result: the refunds. Skips locked rows.
WITH due AS (
    SELECT id FROM refunds
    WHERE state IN ('to_refund', 'handed_out') AND due_at <= now()
    ORDER BY due_at LIMIT $3
    FOR UPDATE SKIP LOCKED
)
UPDATE refunds r
SET state = 'handed_out', token = $1, attempts = r.attempts + 1,
    due_at = now() + $2 * interval '1 millisecond'
FROM due, payments p
WHERE r.id = due.id AND p.id = r.payment
RETURNING r.id, p.reference, p.order_number, r.amount_cents, r.key || '-' || r.round AS key,
          r.attempts
