-- Deletes waits of orders that have a row, and waits older than 30 days, whose reservations were
-- lost.
-- Arguments: none. Result: rows affected. Cost: a scan of the table, which is nearly empty.
DELETE FROM barrier_waits w
WHERE EXISTS (SELECT FROM orders o WHERE o.number = w.order_number)
   OR w.requested_at < now() - interval '30 days'
