-- to_refund or amount_differs -> refunded, for a payment that no refund claims.
-- Arguments: $1 id, $2 operator, $3 note. Result: rows affected. Idempotent.
UPDATE payments
SET status = 'refunded', refund_cents = amount_cents, refunded_cents = amount_cents,
    refunded_at = now(), refunded_by = $2, refunded_note = $3
WHERE id = $1 AND status IN ('to_refund', 'amount_differs') AND refund_cents = 0
