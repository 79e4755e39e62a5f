-- The orders with a waiting payment.
-- Arguments: $1 order numbers. Result: one row: the numbers.
SELECT ARRAY(
    SELECT DISTINCT p.order_number FROM payments p
    WHERE p.order_number = ANY ($1::bigint[]) AND p.status = 'unmatched')
