-- order-create, statement 4, second half: rejects orders of this transaction and frees the seats
-- that they got.
-- Arguments: $1 numbers. Result: rows affected = seats freed. Idempotent.
WITH rejected AS (
    UPDATE orders SET status = 'rejected', reason = 'seats_taken'
    -- See pay.sql.
    WHERE number = ANY ($1::bigint[]) AND (status = 'unpaid') IS NOT FALSE
    RETURNING number, program, seats
)
DELETE FROM order_seats s USING rejected r
WHERE s.program = r.program AND s.seat = ANY (r.seats) AND s.order_number = r.number
