-- Waiting payments whose order can no longer be paid by them are to go back: the order is not unpaid any more, or the amount is not its.
-- Arguments: $1 order numbers. Result: rows affected. A payment without an order goes on waiting. Repeating it changes nothing.
UPDATE payments p
SET status = CASE WHEN o.status = 'unpaid' THEN 'amount_differs' ELSE 'to_refund' END
FROM orders o
WHERE p.order_number = ANY ($1::bigint[]) AND p.status = 'unmatched' AND o.number = p.order_number
  AND (o.status <> 'unpaid' OR o.amount_cents <> p.amount_cents)
