-- The orders that have changed since a version.
-- Arguments: arrays with an entry per order: $1 number, $2 version. Result: the rows with a higher
-- version, ascending by number, as committed when the statement starts. Cost: one look-up per
-- order; rarely a row.
SELECT o.number, o.nonce, o.user_id, o.program, o.category, o.seats, o.unit_price_cents,
       o.amount_cents, o.idempotency_key, o.status, o.reason, o.duplicate_of,
       epoch_ms(o.pay_by) AS pay_by_ms, epoch_ms(o.pay_by) - epoch_ms(now()) AS remaining_ms,
       o.version, epoch_ms(o.created_at) AS created_at_ms, o.trace
FROM orders o JOIN UNNEST($1::bigint[], $2::bigint[]) AS w (number, version) USING (number)
WHERE o.version > w.version ORDER BY o.number
