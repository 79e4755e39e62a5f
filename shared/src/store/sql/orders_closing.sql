-- Orders by number, as closing reads them.
-- Arguments: $1 numbers. Result: the existing rows, ascending by number, as committed when the
-- statement starts; `payment_waiting`: whether a payment waits for the order.
SELECT o.number, o.nonce, o.user_id, o.program, o.category, o.seats, o.unit_price_cents,
       o.amount_cents, o.idempotency_key, o.status, o.reason, o.duplicate_of,
       epoch_ms(o.pay_by) AS pay_by_ms, epoch_ms(o.pay_by) - epoch_ms(now()) AS remaining_ms,
       o.version, epoch_ms(o.created_at) AS created_at_ms, o.trace,
       EXISTS (
           SELECT FROM payments p WHERE p.order_number = o.number AND p.status = 'unmatched'
       ) AS payment_waiting
FROM orders o WHERE o.number = ANY ($1::bigint[]) ORDER BY o.number
