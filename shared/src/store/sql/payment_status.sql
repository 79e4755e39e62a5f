-- The status of a payment.
-- Arguments: $1 reference, $2 order number, $3 amount in cents.
-- Result: its status, and order and amount of the first payment with its reference (its own, unless
-- the reference was reused).
SELECT p.status, f.order_number AS first_order, f.amount_cents AS first_amount
FROM payments p JOIN payments f ON f.reference = p.reference AND NOT f.reused
WHERE p.reference = $1 AND p.order_number = $2 AND p.amount_cents = $3
