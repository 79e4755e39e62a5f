-- Stored orders with a waiting payment.
-- Arguments: $1 maximum payments read, oldest first. Result: one row: the numbers.
SELECT ARRAY(
    SELECT DISTINCT m.order_number
    FROM (SELECT p.order_number FROM payments p
          WHERE p.status = 'unmatched'
            AND EXISTS (SELECT FROM orders o WHERE o.number = p.order_number)
          ORDER BY p.received_at LIMIT $1) m)
