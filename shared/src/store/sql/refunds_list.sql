-- Refunds, newest first, with their payments and orders.
-- Arguments: $1 state or null, $2 order number or null, $3 payment id or null, $4 only ids below
-- this, $5 limit.
-- Result: one row per refund. Cost: a range of the primary key, longer for a rare combination.
SELECT r.id, r.payment, p.reference, p.order_number, r.amount_cents, r.of_order, r.state,
       r.attempts, r.requested_by, r.request_key, r.note, epoch_ms(r.created_at) AS created_ms,
       epoch_ms(r.ended_at) AS ended_ms, r.ended_by, r.answer, o.status AS order_status
FROM refunds r JOIN payments p ON p.id = r.payment
LEFT JOIN orders o ON o.number = p.order_number
WHERE ($1::text IS NULL OR r.state = $1) AND ($2::bigint IS NULL OR p.order_number = $2)
  AND ($3::bigint IS NULL OR r.payment = $3) AND r.id < $4
ORDER BY r.id DESC LIMIT $5
