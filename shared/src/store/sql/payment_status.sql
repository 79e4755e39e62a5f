-- What became of a payment.
-- Arguments: $1 reference. Result: its status and the order it is for.
SELECT p.status, p.order_number FROM payments p WHERE p.reference = $1
