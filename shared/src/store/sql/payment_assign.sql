-- Assigns a waiting payment to another, stored order, whose number it keeps from then on; the one
-- that the provider reported stays beside it.
-- Arguments: $1 id, $2 order number, $3 operator. Result: rows affected. Match its payments then.
UPDATE payments p
SET reported_order = COALESCE(p.reported_order, p.order_number), order_number = $2,
    assigned_at = now(), assigned_by = $3
WHERE p.id = $1 AND p.status = 'unmatched' AND p.order_number <> $2
  AND EXISTS (SELECT FROM orders o WHERE o.number = $2)
