-- The status of a payment.
-- Arguments: $1 reference, $2 order number, $3 amount in cents.
-- Result: its status, and order and amount of the first payment with its reference (its own, unless
-- the reference was reused), both as the provider reported them. A payment that is assigned to
-- another order is found under both numbers.
SELECT p.status,
       CASE p.id WHEN f.id THEN $2 ELSE COALESCE(f.reported_order, f.order_number) END
           AS first_order,
       f.amount_cents AS first_amount
FROM payments p JOIN payments f ON f.reference = p.reference AND NOT f.reused
WHERE p.reference = $1 AND p.amount_cents = $3 AND (p.order_number = $2 OR p.reported_order = $2)
ORDER BY p.reused LIMIT 1
