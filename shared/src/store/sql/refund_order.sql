-- A refund of a paid order: claims an amount of the payment that paid it. If nothing is left of the
-- payment then, the order becomes refunding. Its seats are freed when all is refunded.
-- Arguments: $1 order number, $2 amount in cents, $3 the request's key, $4 operator, $5 note.
-- Result: the new refund's id; no row if the order is not paid or less than the amount is left.
-- Fails with 23505 if a concurrent request with the same key has made its refund.
-- Locks: the order, then its payment. A concurrent request for the same order is waited for.
WITH payable AS (
    SELECT o.number FROM orders o WHERE o.number = $1 AND o.status = 'paid' FOR UPDATE
),
claimed AS (
    UPDATE payments p SET refund_cents = p.refund_cents + $2
    FROM payable o
    WHERE p.order_number = o.number AND p.status = 'applied'
      AND $2 BETWEEN 1 AND p.amount_cents - p.refund_cents
    RETURNING p.id, p.reference, p.order_number, p.reported_order, p.amount_cents,
              p.refund_cents = p.amount_cents AS whole
),
refunding AS (
    UPDATE orders o SET status = 'refunding', version = o.version + 1, dirty = true,
        updated_at = now()
    FROM claimed c WHERE c.whole AND o.number = c.order_number
)
INSERT INTO refunds (payment, amount_cents, of_order, key, requested_by, request_key, note)
SELECT c.id, $2, true, encode(sha256(convert_to(concat_ws(E'\n', c.reference,
    COALESCE(c.reported_order, c.order_number), c.amount_cents, $3::text), 'UTF8')), 'hex'),
    $4, $3, $5
FROM claimed c
RETURNING id
