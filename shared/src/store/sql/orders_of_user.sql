-- A buyer's orders, newest first.
-- Arguments: $1 user, $2 only numbers below this, $3 limit. Cost: one index range.
SELECT o.number, o.nonce, o.user_id, o.program, o.category, o.seats, o.unit_price_cents,
       o.amount_cents, o.idempotency_key, o.status, o.reason, o.duplicate_of,
       epoch_ms(o.pay_by) AS pay_by_ms, epoch_ms(o.pay_by) - epoch_ms(now()) AS remaining_ms,
       o.version, epoch_ms(o.created_at) AS created_at_ms, o.trace
FROM orders o WHERE o.user_id = $1 AND o.number < $2 ORDER BY o.number DESC LIMIT $3
