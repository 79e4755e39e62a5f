-- unmatched -> to_refund for payments whose order was not stored in time, oldest first.
-- Arguments: $1 age in milliseconds, $2 limit. Result: rows affected. Skips locked rows.
-- Cost: the partial index of unmatched payments.
UPDATE payments p SET status = 'to_refund'
FROM (SELECT u.id FROM payments u
      WHERE u.status = 'unmatched' AND u.received_at <= now() - $1 * interval '1 millisecond'
        AND NOT EXISTS (SELECT FROM orders o WHERE o.number = u.order_number)
      ORDER BY u.received_at LIMIT $2
      FOR UPDATE SKIP LOCKED) late
WHERE p.id = late.id
