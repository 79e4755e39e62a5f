-- unpaid -> paid, and the payment that does it, applied, in one statement.
-- Arguments: $1 reference, $2 order number, $3 amount in cents.
-- Result: the row, only if this statement paid it. Else nothing is changed: the order is not stored
-- or not unpaid, its amount differs, another payment waits for it, or the reference is recorded.
-- Locks: the order, then the reference. A transaction that is recording the same reference is
-- waited for.
WITH payable AS (
    SELECT o.number FROM orders o
    -- Not `= 'unpaid'` alone: a plan made while few orders are unpaid would read the index of all
    -- of them, later too.
    WHERE o.number = $2 AND (o.status = 'unpaid') IS NOT FALSE AND o.amount_cents = $3
      AND NOT EXISTS (
          SELECT FROM payments p WHERE p.order_number = o.number AND p.status = 'unmatched')
    FOR UPDATE
),
recorded AS (
    INSERT INTO payments (reference, order_number, amount_cents, status)
    SELECT $1, payable.number, $3, 'applied' FROM payable ON CONFLICT DO NOTHING
    RETURNING order_number
),
o AS (
    UPDATE orders c SET status = 'paid', version = c.version + 1, dirty = true, updated_at = now()
    FROM recorded WHERE c.number = recorded.order_number
    RETURNING c.*
)
SELECT o.number, o.nonce, o.user_id, o.program, o.category, o.seats, o.unit_price_cents,
       o.amount_cents, o.idempotency_key, o.status, o.reason, o.duplicate_of,
       epoch_ms(o.pay_by) AS pay_by_ms, epoch_ms(o.pay_by) - epoch_ms(now()) AS remaining_ms,
       o.version, epoch_ms(o.created_at) AS created_at_ms, o.trace
FROM o
