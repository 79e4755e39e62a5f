-- What no refund claims of the payment that paid an order.
-- Arguments: $1 order number. Result: cents, or no row if no payment is applied to it.
SELECT p.amount_cents - p.refund_cents FROM payments p
WHERE p.order_number = $1 AND p.status = 'applied'
