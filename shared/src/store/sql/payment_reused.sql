-- Stores a payment whose reference is recorded, to be refunded. Run it after payment_record has
-- affected no row.
-- Arguments: $1 reference, $2 order number, $3 amount in cents.
-- Result: rows affected, 0 if this payment (reference, order, amount) is stored. Idempotent.
INSERT INTO payments (reference, order_number, amount_cents, status, reused)
VALUES ($1, $2, $3, 'to_refund', true) ON CONFLICT DO NOTHING
