-- One refund with its payment and order.
-- Arguments: $1 id. Result: a row as of refunds_list, or none.
SELECT r.id, r.payment, p.reference, p.order_number, r.amount_cents, r.of_order, r.state,
       r.attempts, r.requested_by, r.request_key, r.note, epoch_ms(r.created_at) AS created_ms,
       epoch_ms(r.ended_at) AS ended_ms, r.ended_by, r.answer, o.status AS order_status
FROM refunds r JOIN payments p ON p.id = r.payment
LEFT JOIN orders o ON o.number = p.order_number
WHERE r.id = $1
