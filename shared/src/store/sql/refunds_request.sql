-- A refund for each payment that pays no order and that no refund claims, oldest first.
-- Arguments: $1 limit. Result: rows affected: the new refunds. Skips locked rows. Idempotent.
-- Nothing is handed out for a payment of zero cents: it is refunded at once.
-- The key is derived from what the provider reported, so it is the same in a restored backup.
WITH unclaimed AS (
    SELECT id FROM payments
    WHERE status IN ('to_refund', 'amount_differs') AND refund_cents = 0
    ORDER BY id LIMIT $1
    FOR UPDATE SKIP LOCKED
),
claimed AS (
    UPDATE payments p
    SET refund_cents = p.amount_cents,
        status = CASE p.amount_cents WHEN 0 THEN 'refunded' ELSE p.status END
    FROM unclaimed u WHERE p.id = u.id
    RETURNING p.id, p.reference, p.order_number, p.reported_order, p.amount_cents
)
INSERT INTO refunds (payment, amount_cents, of_order, key)
SELECT c.id, c.amount_cents, false, encode(sha256(convert_to(
    concat_ws(E'\n', c.reference, COALESCE(c.reported_order, c.order_number), c.amount_cents),
    'UTF8')), 'hex')
FROM claimed c WHERE c.amount_cents > 0
