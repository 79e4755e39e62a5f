-- Records a payment under the provider's reference.
-- Arguments: $1 reference, $2 order number, $3 amount in cents. Result: rows affected, 0 if the
-- reference is recorded. Waits for another transaction that is recording the same reference.
INSERT INTO payments (reference, order_number, amount_cents, status)
VALUES ($1, $2, $3, 'unmatched') ON CONFLICT DO NOTHING
