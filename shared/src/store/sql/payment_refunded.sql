-- to_refund or amount_differs -> refunded: the money has gone back.
-- Arguments: $1 identity, $2 who says so, $3 their note. Result: rows affected. Repeating it changes nothing.
UPDATE payments SET status = 'refunded', refunded_at = now(), refunded_by = $2, refunded_note = $3
WHERE id = $1 AND status IN ('to_refund', 'amount_differs')
