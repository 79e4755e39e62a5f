-- Orders that have a row wait for no barrier any more; nor does one whose reservation was lost, after 30 days.
-- Arguments: none. Result: rows affected. Cost: the whole table, which is nearly empty.
DELETE FROM barrier_waits w
WHERE EXISTS (SELECT FROM orders o WHERE o.number = w.order_number) OR w.requested_at < now() - interval '30 days'
