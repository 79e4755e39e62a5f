-- Payments, newest first, with the state of their orders.
-- Arguments: $1 status or null, $2 order number or null, $3 reference or null, $4 only ids below
-- this, $5 limit.
-- Result: one row per payment. Cost: one index range, longer for a rare combination.
SELECT p.id, p.reference, p.order_number, p.reported_order, p.amount_cents, p.refunded_cents,
       p.status, p.reused,
       epoch_ms(p.received_at) AS received_ms, epoch_ms(p.refunded_at) AS refunded_ms,
       p.refunded_by, p.refunded_note, o.status AS order_status, o.amount_cents AS order_amount
FROM payments p LEFT JOIN orders o ON o.number = p.order_number
WHERE ($1::text IS NULL OR p.status = $1) AND ($2::bigint IS NULL OR p.order_number = $2)
  AND ($3::text IS NULL OR p.reference = $3) AND p.id < $4
ORDER BY p.id DESC LIMIT $5
