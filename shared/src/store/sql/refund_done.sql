-- -> refunded. A payment of which all is refunded becomes refunded, and so does the order that it
-- paid: its seats are free.
-- Arguments: $1 id, $2 token of the lease, or null for an operator, $3 operator or null, $4 the
-- provider's reference of the refund, or the operator's note.
-- Result: one row if this statement changed the refund: the order if it became refunded, else null.
-- An operator changes no refund that is handed out, as long as its lease lasts.
-- Locks: the order, the refund, then its payment.
WITH locked AS MATERIALIZED (
    SELECT o.number
    FROM refunds r JOIN payments p ON p.id = r.payment JOIN orders o ON o.number = p.order_number
    WHERE r.id = $1 AND r.of_order
    FOR UPDATE OF o
),
done AS (
    UPDATE refunds r
    SET state = 'refunded', token = NULL, ended_at = now(), ended_by = $3, answer = $4
    WHERE r.id = $1 AND (SELECT count(*) FROM locked) >= 0
      AND CASE WHEN $2::bytea IS NULL
          THEN r.state IN ('to_refund', 'refused') OR r.state = 'handed_out' AND r.due_at <= now()
          ELSE r.token = $2 END
    RETURNING r.payment, r.amount_cents, r.of_order, NOT r.of_order AND $3::text IS NOT NULL
        AS by_operator
),
paid_back AS (
    UPDATE payments p
    SET refunded_cents = p.refunded_cents + d.amount_cents,
        status = CASE WHEN p.refunded_cents + d.amount_cents = p.amount_cents THEN 'refunded'
            ELSE p.status END,
        refunded_at = CASE WHEN d.by_operator THEN now() ELSE p.refunded_at END,
        refunded_by = CASE WHEN d.by_operator THEN $3 ELSE p.refunded_by END,
        refunded_note = CASE WHEN d.by_operator THEN $4 ELSE p.refunded_note END
    FROM done d WHERE p.id = d.payment
    RETURNING p.order_number, d.of_order AND p.refunded_cents = p.amount_cents AS whole
),
o AS (
    UPDATE orders c
    SET status = 'refunded', version = c.version + 1, dirty = true, updated_at = now()
    FROM paid_back b
    WHERE b.whole AND c.number = b.order_number AND c.status = 'refunding'
    RETURNING c.number, c.program, c.seats
),
freed AS (
    DELETE FROM order_seats s USING o
    WHERE s.program = o.program AND s.seat = ANY (o.seats) AND s.order_number = o.number
)
SELECT o.number FROM done LEFT JOIN o ON true
