-- Keeps a payment whose reference is known: its money is to be refunded. To be run after payment_record has found the reference.
-- Arguments: $1 reference, $2 order number, $3 amount in cents.
-- Result: rows affected, 0 if this very payment (reference, order, amount) is a row already. Repeating it changes nothing.
INSERT INTO payments (reference, order_number, amount_cents, status, reused) VALUES ($1, $2, $3, 'to_refund', true)
ON CONFLICT DO NOTHING
