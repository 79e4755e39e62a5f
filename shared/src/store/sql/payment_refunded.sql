-- to_refund or amount_differs -> refunded.
-- Arguments: $1 id, $2 operator, $3 note. Result: rows affected. Idempotent.
UPDATE payments SET status = 'refunded', refunded_at = now(), refunded_by = $2, refunded_note = $3
WHERE id = $1 AND status IN ('to_refund', 'amount_differs')
