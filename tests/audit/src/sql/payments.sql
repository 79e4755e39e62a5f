-- Every payment. Result: reference text, order_number text, amount_cents int8, status text.
SELECT reference, order_number::text, amount_cents::int8, status::text
FROM payments ORDER BY reference
