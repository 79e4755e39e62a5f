-- unpaid -> closed for overdue orders without a waiting payment; frees their seats.
-- Arguments: arrays with one entry per order: $1 number, $2 nonce. Result: the batch that lists the
-- closed orders until the gate is settled by them; no row if none was closed.
-- Locks: orders ascending by number, then seats. Skips locked rows and leaves them to the next
-- call, so that one of them does not block the others. Idempotent. Read orders_closing afterwards.
-- Cost: one version of each closed row: the batch marks them, not their dirty flags.
WITH due AS (
    SELECT o.number
    FROM orders o JOIN UNNEST($1::bigint[], $2::bytea[]) AS w (number, nonce) USING (number)
    WHERE o.nonce = w.nonce AND o.status = 'unpaid' AND o.pay_by <= now()
      AND NOT EXISTS (
          SELECT FROM payments p WHERE p.order_number = o.number AND p.status = 'unmatched')
    ORDER BY o.number
    FOR UPDATE OF o SKIP LOCKED
),
closed AS (
    UPDATE orders o SET status = 'closed', version = o.version + 1, updated_at = now()
    FROM due WHERE o.number = due.number
    RETURNING o.number, o.program, o.seats
),
freed AS (
    DELETE FROM order_seats s USING closed c
    WHERE s.program = c.program AND s.seat = ANY (c.seats) AND s.order_number = c.number
)
INSERT INTO unsettled (numbers)
SELECT array_agg(c.number ORDER BY c.number) FROM closed c HAVING count(*) > 0
RETURNING id
