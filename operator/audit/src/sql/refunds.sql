-- A page of the refunds with their payments.
-- Arguments: $1 id after which the page begins, $2 maximum rows.
-- Result: id text, reference text, reported text (the order that the provider named), payment_cents
-- int8 (of the payment), amount_cents int8, state text, by_operator bool (an operator returned the
-- money). Cost: O(rows), by the primary keys.
SELECT r.id::text, p.reference, COALESCE(p.reported_order, p.order_number)::text AS reported,
       p.amount_cents::int8 AS payment_cents, r.amount_cents::int8, r.state,
       r.ended_by IS NOT NULL AS by_operator
FROM refunds r JOIN payments p ON p.id = r.payment
WHERE r.id > $1 ORDER BY r.id LIMIT $2
