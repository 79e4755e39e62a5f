-- The refund of an order that a request with this key has made.
-- Arguments: $1 order number, $2 the request's key. Result: a row as of refunds_list, or none.
SELECT r.id, r.payment, p.reference, p.order_number, r.amount_cents, r.of_order, r.state,
       r.attempts, r.requested_by, r.request_key, r.note, epoch_ms(r.created_at) AS created_ms,
       epoch_ms(r.ended_at) AS ended_ms, r.ended_by, r.answer, o.status AS order_status
FROM payments p JOIN refunds r ON r.payment = p.id
LEFT JOIN orders o ON o.number = p.order_number
WHERE p.order_number = $1 AND r.request_key = $2
