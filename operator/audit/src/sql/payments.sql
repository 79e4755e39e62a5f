-- A page of the payments.
-- Arguments: $1 id after which the page begins, $2 maximum rows.
-- Result: id int8, reference text, order_number text, reported text (the order that the provider
-- named), amount_cents int8, status text, claimed and refunded int8 (cents), by_operator bool (an
-- operator returned it), pays bool (it pays or paid its order).
-- Cost: O(rows), by the primary key; refunds are read for those that are not applied.
SELECT p.id::int8, p.reference, p.order_number::text,
       COALESCE(p.reported_order, p.order_number)::text AS reported, p.amount_cents::int8,
       p.status::text, p.refund_cents::int8 AS claimed, p.refunded_cents::int8 AS refunded,
       p.refunded_by IS NOT NULL AS by_operator,
       p.status = 'applied' OR EXISTS (SELECT FROM refunds r WHERE r.payment = p.id AND r.of_order)
           AS pays
FROM payments p WHERE p.id > $1 ORDER BY p.id LIMIT $2
