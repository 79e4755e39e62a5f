-- Marks waiting payments that can never pay their order for a refund: the order is not unpaid, or
-- its amount differs.
-- Arguments: $1 order numbers. Result: rows affected. A payment without a stored order keeps
-- waiting. Idempotent.
UPDATE payments p
SET status = CASE WHEN o.status = 'unpaid' THEN 'amount_differs' ELSE 'to_refund' END
FROM orders o
WHERE p.order_number = ANY ($1::bigint[]) AND p.status = 'unmatched' AND o.number = p.order_number
  AND (o.status <> 'unpaid' OR o.amount_cents <> p.amount_cents)
