-- One payment with the state of its order.
-- Arguments: $1 id. Result: a row as of payments_list, or none.
SELECT p.id, p.reference, p.order_number, p.reported_order, p.amount_cents, p.refunded_cents,
       p.status, p.reused,
       epoch_ms(p.received_at) AS received_ms, epoch_ms(p.refunded_at) AS refunded_ms,
       p.refunded_by, p.refunded_note, o.status AS order_status, o.amount_cents AS order_amount
FROM payments p LEFT JOIN orders o ON o.number = p.order_number
WHERE p.id = $1
