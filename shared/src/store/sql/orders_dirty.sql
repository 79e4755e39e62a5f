-- Dirty orders: the gate may lack their last change.
-- Arguments: $1 only numbers above this, $2 limit. Result: ascending by number. Cost: the partial
-- index of dirty rows.
SELECT o.number, o.nonce, o.user_id, o.program, o.category, o.seats, o.unit_price_cents,
       o.amount_cents, o.idempotency_key, o.status, o.reason, o.duplicate_of,
       epoch_ms(o.pay_by) AS pay_by_ms, epoch_ms(o.pay_by) - epoch_ms(now()) AS remaining_ms,
       o.version, epoch_ms(o.created_at) AS created_at_ms, o.trace
FROM orders o WHERE o.dirty AND o.number > $1 ORDER BY o.number LIMIT $2
