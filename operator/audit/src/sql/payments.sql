-- Every payment. Result: reference text, order_number text, reported text (the order that the
-- provider named), amount_cents int8, status text, claimed and refunded int8 (cents), by_operator
-- bool (an operator returned it), pays bool (it pays or paid its order).
SELECT p.reference, p.order_number::text,
       COALESCE(p.reported_order, p.order_number)::text AS reported, p.amount_cents::int8,
       p.status::text, p.refund_cents::int8 AS claimed, p.refunded_cents::int8 AS refunded,
       p.refunded_by IS NOT NULL AS by_operator,
       p.status = 'applied' OR EXISTS (SELECT FROM refunds r WHERE r.payment = p.id AND r.of_order)
           AS pays
FROM payments p ORDER BY p.reference
